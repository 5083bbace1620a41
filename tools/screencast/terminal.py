"""A terminal with two panes, driven by tmux and read by pyte."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pyte
from rich.style import Style
from rich.text import Text

from tools.console import GiveUp

COLUMNS, ROWS = 100, 43
BELOW = 20
"""Rows of the lower pane."""

QUIET_SECONDS = 0.4
"""A screen that did not change for so long is worth a picture."""

WAIT_SECONDS = 150.0
SHELL, PROMPT = "bash", "$ "
COLOURS = {"brown": "yellow"}
"""What pyte calls otherwise than rich."""

HEXADECIMAL = re.compile("[0-9a-f]{6}")

Frame = list[Text]


class Terminal:
    """What is typed into a pane, and what the whole screen shows."""

    def __init__(
        self, tmux: list[str], folder: Path, variables: Mapping[str, str], master: int
    ) -> None:
        self._tmux = tmux
        self._folder = folder
        self._variables = variables
        self._master = master
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def split(self) -> None:
        """Open the lower pane; what is typed goes there from now on."""
        self._run("split-window", "-v", "-l", str(BELOW), "-c", str(self._folder))
        self.prepare()

    def prepare(self) -> None:
        """Give a new shell a plain prompt; bash drops one that it inherits."""
        self.type(f"PS1='{PROMPT}' && clear")

    def type(self, line: str, enter: bool = True) -> None:
        """Type a line into the pane opened last."""
        self._run("send-keys", "-l", line)
        if enter:
            self._run("send-keys", "Enter")

    def enter(self) -> None:
        """Press Enter."""
        self._run("send-keys", "Enter")

    def stop(self, pane: int) -> None:
        """Press Ctrl-C in a pane, counted from the top, and wait until its shell is back.

        Raises:
            GiveUp: it does not come back.
        """
        self._run("send-keys", "-t", f":.{pane}", "C-c")
        deadline = time.monotonic() + WAIT_SECONDS
        while self._running(pane) != SHELL:
            if time.monotonic() > deadline:
                raise GiveUp(f"{self._running(pane)} does not end")
            time.sleep(QUIET_SECONDS)

    def _running(self, pane: int) -> str:
        words = ["display", "-p", "-t", f":.{pane}", "#{pane_current_command}"]
        asked = subprocess.run(
            [*self._tmux, *words], check=True, env=self._variables, capture_output=True, text=True
        )
        return asked.stdout.strip()

    def frame_with(self, *texts: str, without: str | None = None) -> Frame:
        """Return the screen once it shows all `texts`, but not `without`, and has come to rest.

        Raises:
            GiveUp: it does not come to show them.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            self._read()
            shown = "\n".join(self._screen.display)
            if all(text in shown for text in texts) and (without is None or without not in shown):
                return self._frame()
        raise GiveUp(f"{texts} did not appear; the screen was:\n" + "\n".join(self._screen.display))

    def _read(self) -> None:
        """Take in what comes, until nothing did for a while."""
        deadline = time.monotonic() + 5 * QUIET_SECONDS
        while time.monotonic() < deadline:
            if not select.select([self._master], [], [], QUIET_SECONDS)[0]:
                return
            self._stream.feed(os.read(self._master, 65_536))

    def _frame(self) -> Frame:
        return [self._line(row) for row in range(ROWS)]

    def _line(self, row: int) -> Text:
        line = Text()
        cells = [self._screen.buffer[row][column] for column in range(COLUMNS)]
        # One piece for neighbours of one style keeps the picture small.
        for style, run in groupby(cells, key=_style):
            line.append("".join(cell.data for cell in run), style)
        line.rstrip()
        return line

    def _run(self, *words: str) -> None:
        # With the environment, since tmux gives a new pane the PATH of who asked for it.
        subprocess.run([*self._tmux, *words], check=True, env=self._variables)


@contextmanager
def opened(folder: Path, variables: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal with a shell in `folder`.

    Raises:
        GiveUp: there is no tmux.
    """
    if not shutil.which("tmux"):
        raise GiveUp("a recording needs tmux: apt-get install tmux")
    tmux = ["tmux", "-u", "-S", str(folder.parent / "tmux"), "-f", "/dev/null"]
    size = ["-x", str(COLUMNS), "-y", str(ROWS)]
    subprocess.run(
        [*tmux, "new-session", "-d", *size, SHELL, "--norc", "--noprofile"],
        check=True,
        cwd=folder,
        env=variables,
    )
    subprocess.run([*tmux, "set", "-g", "status", "off"], check=True)
    subprocess.run(
        [*tmux, "set", "-g", "default-command", f"{SHELL} --norc --noprofile"], check=True
    )
    master, slave = pty.openpty()
    os.set_inheritable(slave, True)
    subprocess.run(["stty", "rows", str(ROWS), "cols", str(COLUMNS)], stdin=slave, check=True)
    viewer = subprocess.Popen(
        [*tmux, "attach"], stdin=slave, stdout=slave, stderr=slave, env=variables
    )
    try:
        yield Terminal(tmux, folder, variables, master)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
        viewer.wait()
        os.close(slave)
        os.close(master)


def _style(cell: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if name.startswith("bright"):
        return f"bright_{COLOURS.get(name[6:], name[6:])}"
    known = COLOURS.get(name, name)
    return f"#{known}" if HEXADECIMAL.fullmatch(known) else known
