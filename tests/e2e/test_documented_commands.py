"""Every command that a document names is run, and prints what it should, in form.

`tests/support/documented.py` says how documents are written for this. The forms of what no document
shows are kept in `forms.txt`; after a change that is meant, write them anew:

    ANAGNORISIS_WRITE_FORMS=1 .venv/bin/pytest tests/e2e/test_documented_commands.py

In what was written, `...` may take the place of lines that are of no interest; it stays.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisis.completion import commands
from anagnorisisd.embedding.musicnn.weights import PACKAGED
from tests.support.documented import DOCUMENTS, Typed, named, programs, sessions, singles
from tests.support.forms import form, matches
from tests.support.musicnn import WITHOUT_WEIGHTS
from tests.support.resource_usage import Household, household

FORMS = Path(__file__).with_name("forms.txt")
WRITING = "ANAGNORISIS_WRITE_FORMS" in os.environ

pytestmark = [pytest.mark.timeout(300)]

NO_ANSWER = {"completion", "manual", "watch", "journey", "skip"}
"""Commands that print a text, the one that goes on, which test_client_commands.py follows, and
those that need two embedded songs or a picked album; test_journey.py and test_albums_with_mpd.py
have them."""
WORDS = {
    "rate": "8",
    "rollback": "1",
    "backup": "kept.db",
    "export": "kept.jsonl",
    "import": "saved.jsonl --dry-run",
    "report": "kept.html",
}
PROGRAMS = [
    pytest.param(program, id=f"{path.name}: {number}")
    for path in DOCUMENTS
    for number, program in enumerate(programs(path), 1)
]
BLOCKS = [
    pytest.param(session, id=f"{path.name}: {session[0].command}")
    for path in DOCUMENTS
    for session in sessions(path)
]


@pytest.fixture(scope="module")
def home() -> Iterator[Household]:
    """A listener's home in which everything works, so that every command has something to say."""
    with household() as made:
        yield made


@pytest.mark.parametrize("session", BLOCKS)
def test_a_session_goes_as_shown(home: Household, session: list[Typed]) -> None:
    home.settle()
    for typed in session:
        check(typed, home.type(typed.runnable))


@pytest.mark.parametrize("typed", singles(), ids=lambda typed: typed.command)
def test_a_command_in_the_text_does_as_ever(home: Household, typed: Typed) -> None:
    if re.search(r"anagnorisis tags|--tag ", typed.command) and not PACKAGED.exists():
        pytest.skip(WITHOUT_WEIGHTS)
    home.settle()
    check(typed, home.type(typed.runnable))


@pytest.mark.parametrize("program", PROGRAMS)
def test_documented_program_prints_output(home: Household, program: str) -> None:
    home.settle()
    done = home.type(f"python - <<'END'\n{program}END")

    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", sorted({one.name for one in commands()} - NO_ANSWER))
def test_every_command_answers_in_json(home: Household, command: str) -> None:
    if command == "tags" and not PACKAGED.exists():
        pytest.skip(WITHOUT_WEIGHTS)
    home.settle()
    done = home.type(f"anagnorisis {command} {WORDS.get(command, '')} --json")

    assert (done.returncode, done.stderr) == (0, "")
    assert all(isinstance(answer, dict) for answer in answers(done.stdout))


def answers(printed: str) -> list[object]:
    """Return one object, or those of a list or stream, one a line."""
    try:
        return [json.loads(printed)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in printed.splitlines()]


def test_no_form_is_kept_of_what_no_document_names() -> None:
    assert kept().keys() <= {command for _, command in named()}


def check(typed: Typed, done: "subprocess.CompletedProcess[str]") -> None:
    """Compare what was printed with what the document shows, else with what is kept."""
    printed = done.stdout + done.stderr
    assert done.returncode == 0, f"$ {typed.runnable}\n{printed}[{done.returncode}]"
    got = form(printed.splitlines())
    wanted = kept().get(typed.command, []) if typed.printed is None else form(typed.printed)
    if matches(wanted, got):
        return
    if typed.printed is None and WRITING:
        write({**kept(), typed.command: got})
        return
    lines = [f"$ {typed.runnable}", printed, "is not of the form", *wanted, "but of this one", *got]
    pytest.fail("\n".join(lines))


def kept() -> dict[str, list[str]]:
    """Return the forms that are kept, by command."""
    forms: dict[str, list[str]] = {}
    for line in FORMS.read_text().splitlines() if FORMS.exists() else []:
        if line.startswith("$ "):
            lines = forms[line.removeprefix("$ ")] = []
        elif line:
            lines.append(line)
    return forms


def write(forms: dict[str, list[str]]) -> None:
    """Keep forms."""
    blocks = ["\n".join([f"$ {command}", *forms[command]]) for command in sorted(forms)]
    FORMS.write_text("\n\n".join(blocks) + "\n")
