"""Commands in the documents, with the output that the documents show.

How documents are written so that `tests/e2e/test_documented_commands.py` can run their commands:

* A block ```` ```console ```` is a session. A line that starts with `$ ` is typed; the lines up to
  the next one are what it prints. A line `...` stands for any lines. The whole block is run in its
  order, so a later command sees what an earlier one did.
* A block ```` ```sh ```` has a command in each line, without output; after `\\` it goes on.
* A code span that starts with the name of one of our programs, or of `mpc`, is a command too, run
  by itself. Its placeholders are those of `PLACEHOLDERS`.
* A block ```` ```python ```` is a program, unless it begins with the name of a file as a comment.
* `<!-- not run: REASON -->` above a block leaves it out, as the test cannot become root, say.
  `NOT_RUN` does so for single commands.
* Every other kind of block (`text`, none) is not run.

What a command prints is compared in form (`tests/support/forms.py`): with the lines in the block,
or, where a document shows none, with what is kept in `tests/e2e/forms.txt`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "config.yaml",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "clients" / "README.md",
    ROOT / "models" / "README.md",
]

PROGRAMS = ("anagnorisis", "anagnorisis-rate", "anagnorisisd", "mpc", "make")

PLACEHOLDERS = {
    "URI": "Artist/Song.flac",
    "FILE": "my-file",
    "FROM": "saved.jsonl",
    "SHELL": "bash",
    "/path/to/music": "music",
}

INCOMPLETE = ("mpc", "mpc sendmessage", "mpc sticker", "anagnorisis-rate", "anagnorisisd restore")
"""Names of commands that are mentioned without their arguments."""

NOT_RUN = {
    "anagnorisis skip album": "needs a picked album; see test_albums_with_mpd.py",
    "anagnorisis journey FROM TO": "needs two embedded songs; see tests/rpc/test_journey.py",
    "anagnorisisd": "runs until it is stopped; these tests have a daemon of their own",
    "anagnorisisd install": "changes the home directory; see test_installer.py",
    "anagnorisisd uninstall": "changes the home directory; see test_installer.py",
    "anagnorisisd uninstall --system": "needs root; see test_boot.py",
    "anagnorisis completion fish | source": "needs fish; see test_man_and_completion.py",
    "anagnorisis manual | man -l -": "needs man; see test_man_and_completion.py, with groff",
    "anagnorisisd restore FILE": "needs a stopped daemon; see test_command_line.py",
    "anagnorisisd fetch-model": "needs the internet; see test_fetch_model.py, with a local server",
    "anagnorisisd fetch-model musicnn": "needs a package index; see test_fetch_musicnn.py",
    "anagnorisisd fetch-model musicnn --from FILE": "needs the wheel; see test_fetch_musicnn.py",
}
"""Commands that are not run, with the reason. `make` is never run: it would run this test."""

FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, and the lines that a document says it prints; `None` if it shows none."""

    command: str
    printed: tuple[str, ...] | None = None

    @property
    def runnable(self) -> str:
        """The command with its placeholders filled in."""
        words = "|".join(map(re.escape, PLACEHOLDERS))
        return re.sub(rf"(?<![\w$])({words})(?!\w)", lambda it: PLACEHOLDERS[it[1]], self.command)


def sessions(path: Path) -> list[list[Typed]]:
    """Return the blocks of a document that can be run, each a list of commands."""
    blocks = [_block(found) for found in FENCE.finditer(path.read_text())]
    return [block for block in blocks if block]


def programs(path: Path) -> list[str]:
    """Return the programs in Python that a document shows."""
    blocks = [found for found in FENCE.finditer(path.read_text()) if not found["reason"]]
    texts = [found["text"] for found in blocks if found["kind"] == "python"]
    return [text for text in texts if not text.startswith("# ")]


def named() -> Iterator[tuple[Path, str]]:
    """Yield every command that a document names, those included that are not run."""
    for path in DOCUMENTS:
        text = path.read_text()
        for found in FENCE.finditer(text):
            yield from ((path, typed.command) for typed in _shown(found))
        yield from ((path, span) for span in _spans(text))


def singles() -> list[Typed]:
    """Return the commands in code spans of all documents, each once, that can be run."""
    found = {span for path in DOCUMENTS for span in _spans(path.read_text())}
    return [Typed(command) for command in sorted(found) if not left_out(command)]


def left_out(command: str) -> bool:
    """Tell whether a command is not to be run."""
    return command in NOT_RUN or command.split(maxsplit=1)[0] == "make"


def _block(found: re.Match[str]) -> list[Typed]:
    """Return the commands of a block that are to be run."""
    return [] if found["reason"] else [one for one in _shown(found) if not left_out(one.command)]


def _shown(found: re.Match[str]) -> list[Typed]:
    """Return the commands of a block."""
    lines = found["text"].replace("\\\n", "").splitlines()
    match found["kind"]:
        case "console":
            return list(_typed(lines))
        case "sh":
            return [Typed(command) for command in map(_uncommented, lines) if command]
    return []


def _uncommented(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _typed(lines: list[str]) -> Iterator[Typed]:
    """Yield the commands of a session with what they print."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        printed = tuple(line for line in lines[start + 1 : end] if line.strip())
        yield Typed(_uncommented(lines[start].removeprefix("$ ")), printed or None)


def _spans(text: str) -> Iterator[str]:
    for span in SPAN.findall(FENCE.sub("", text)):
        command = span.replace("\\|", "|")
        if command not in INCOMPLETE and command.partition(" ")[0] in PROGRAMS:
            yield command
