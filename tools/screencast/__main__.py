"""Records the README's picture: `python -m tools.screencast [FILE]`.

A copy of the project runs on the demo library, with all of its own, so that the listener's daemon,
MPD and ratings are left alone.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.console import guarded, say
from tools.screencast.svg import Shot, svg
from tools.screencast.terminal import Terminal, opened

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "pictures" / "first-minutes.svg"
TITLE = "make run"
LIKED, DISLIKED = '"Slow Tide"/*/*', "Kilowatt/*/*"
ALIKE = '"Paper Lanterns/Winter Rooms/04 Embers.opus"'


def main() -> None:
    """Play the story and write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "anagnorisis"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        with opened(copy, _variables(Path(folder))) as terminal:
            shots = list(story(terminal))
    target.write_text(svg(shots, TITLE))
    say(f"{target}: {len(shots)} frames, {target.stat().st_size // 1000} kB")


def story(terminal: Terminal) -> Iterator[Shot]:
    """Yield what is worth seeing of the first minutes."""
    terminal.prepare()
    terminal.frame_with("$ ")
    terminal.type("make run", enter=False)
    yield Shot(terminal.frame_with("make run"), 1.5)
    terminal.enter()
    yield Shot(terminal.frame_with("Making it in"), 1.5)
    yield Shot(terminal.frame_with("Embedding:"), 1.5)
    yield Shot(terminal.frame_with("40 of 40 tracks", "picks ahead"), 4)
    terminal.split()
    yield from _typed(terminal, "anagnorisis rate 8", "8 (was none)", 2)
    terminal.type("cd .run/demo-music && clear")
    yield from _typed(terminal, _rate(9, LIKED), "Moorings: 9", 2)
    yield from _typed(terminal, _rate(2, DISLIKED), "Surge: 2", 2)
    yield Shot(terminal.frame_with("Trained on"), 3)
    # What was picked before it learnt is played first; then come picks that follow from ratings.
    yield Shot(terminal.frame_with("picks ahead", "predicted   0", without="assumed"), 4)
    terminal.type("clear")
    yield from _typed(terminal, f"anagnorisis why {ALIKE}", "rests on", 8)
    terminal.stop(0)


def _typed(terminal: Terminal, line: str, answer: str, seconds: float) -> Iterator[Shot]:
    terminal.type(line, enter=False)
    yield Shot(terminal.frame_with(line[-30:]), 1.2)
    terminal.enter()
    yield Shot(terminal.frame_with(answer), seconds)


def _rate(rating: int, files: str) -> str:
    return f'for song in {files}; do anagnorisis rate {rating} "$song"; done'


def _variables(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing of the listener's is found."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    kept = {"LANG": "C.UTF-8", "TERM": "linux", "PS1": "$ ", "SHELL": "/bin/bash"}
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**kept, "HOME": str(folder), "PATH": path, "XDG_RUNTIME_DIR": str(runtime)}


if __name__ == "__main__":
    guarded(main)
