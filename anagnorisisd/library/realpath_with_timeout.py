"""The path behind links, told in time although a disk hangs.

The loop asks for it: where a network share has gone stale, asking the kernel would hold everything.
"""

import os
import threading
from pathlib import PurePath

SECONDS = 2.0


class _Question(threading.Thread):
    """Asks for one path, in a thread that nobody waits for at the end."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.answer = path

    def run(self) -> None:
        """Ask."""
        self.answer = os.path.realpath(self._path)


_asked: dict[str, _Question] = {}
"""The last question about each path: while it has no answer, no further thread shall hang."""


def real_path(path: str | PurePath) -> str:
    """Return the absolute path with all links followed; not followed while its disk hangs."""
    name = os.path.abspath(path)  # noqa: PTH100 - which asks nobody
    last = _asked.get(name)
    if last is not None and last.is_alive():
        return last.answer
    _asked[name] = question = _Question(name)
    question.start()
    question.join(SECONDS)
    return question.answer
