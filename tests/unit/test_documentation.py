"""What the documents say can be typed can be typed, and what can be typed is documented."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisis import key, parser
from anagnorisisd import __main__ as daemon
from tests.support.documented import DOCUMENTS, ROOT, Typed, named

README = (ROOT / "README.md").read_text()

PARSERS = {
    "anagnorisis": parser.build,
    "anagnorisis-rate": key.parser,
    "anagnorisisd": daemon.build,
}


def ours() -> Iterator[tuple[Path, list[str]]]:
    """Yield every command of ours in the documents, as its words up to a pipe."""
    for path, command in named():
        words = shlex.split(Typed(command).runnable.partition(" | ")[0])
        if Path(words[0]).name in {*PARSERS, "make"}:
            yield path, [Path(words[0]).name, *words[1:]]


DOCUMENTED = [pytest.param(words, id=f"{path.name}: {' '.join(words)}") for path, words in ours()]


def verbs(of: argparse.ArgumentParser) -> set[str]:
    return {
        name
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }


@pytest.mark.parametrize("words", DOCUMENTED)
def test_a_documented_command_exists(words: list[str]) -> None:
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1:2] == [] or words[1] in targets
        return
    PARSERS[words[0]]().parse_args(words[1:])


@pytest.mark.parametrize("verb", sorted(verbs(parser.build())))
def test_every_verb_is_in_the_readme(verb: str) -> None:
    assert re.search(rf"`(anagnorisis )?{verb}\b", README), f"anagnorisis {verb}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_internal_links_resolve(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in link:
            assert (path.parent / link).exists(), link


def test_the_modules_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()

    named = set(re.findall(r"`([a-z_/]+/[a-z_/]+\.py)`", text))

    assert named
    for module in named:
        assert (ROOT / "anagnorisisd" / module).exists() or (ROOT / module).exists(), module
