"""Documented commands exist, and every command is documented."""

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisis import parser, rate_key
from anagnorisisd import cli
from tests.support.documented import DOCUMENTS, ROOT, Typed, named

DOCTOR = ROOT / "anagnorisisd" / "doctor"
COMMANDS = (ROOT / "docs" / "commands.md").read_text()

PARSERS = {
    "anagnorisis": parser.build,
    "anagnorisis-rate": rate_key.parser,
    "anagnorisisd": cli.build_parser,
}


def ours() -> Iterator[tuple[Path, list[str]]]:
    """Yield every command of ours in the documents, as its words up to a pipe."""
    for path, command in named():
        words = shlex.split(Typed(command).runnable.partition(" | ")[0])
        if Path(words[0]).name in {*PARSERS, "make"}:
            yield path, [Path(words[0]).name, *words[1:]]


DOCUMENTED = [pytest.param(words, id=f"{path.name}: {' '.join(words)}") for path, words in ours()]


def commands(of: argparse.ArgumentParser) -> set[str]:
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


CHECKS = "\n".join((DOCTOR / name).read_text() for name in ("checks.py", "systemd_unit.py"))
REMEDIES = re.findall(r"`(anagnorisis[^`\n{]+)`", CHECKS)


@pytest.mark.parametrize("command", REMEDIES)
def test_commands_in_remedies_of_the_doctor_are_valid(command: str) -> None:
    program, *words = shlex.split(command)
    PARSERS[program]().parse_args(words)


def subjects() -> list[str]:
    """Return the subjects of the doctor's checks, in the order of its output."""
    call = r"\b(?:fine|advice|problem|unknown)\(\s*\"([^\"]+)\""
    return list(dict.fromkeys(re.findall(call, CHECKS)))


def test_every_check_of_the_doctor_is_documented() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    entries = re.findall(r"^### (.+)$", text.split("\n## ")[1], re.MULTILINE)

    assert len(entries) > 10
    assert entries == subjects()


@pytest.mark.parametrize("command", sorted(commands(parser.build())))
def test_every_command_is_documented(command: str) -> None:
    assert f"\n### anagnorisis {command}\n" in COMMANDS


@pytest.mark.parametrize("command", sorted(commands(cli.build_parser())))
def test_every_command_of_the_daemon_is_documented(command: str) -> None:
    assert f"\n### anagnorisisd {command}\n" in COMMANDS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_internal_links_resolve(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in link:
            assert (path.parent / link).exists(), link


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PATHS = ARCHITECTURE.split("## Three paths of data")[1].split("\n## ")[0]


def steps() -> Iterator[tuple[str, str]]:
    """Yield each module that the three paths of data name, with each function named after it."""
    module = ""
    owners: dict[str, str] = {}
    for span in re.findall(r"`([^`]+)`", PATHS):
        if span.endswith(".py"):
            module = span
            continue
        owners.setdefault(span.partition(".")[0], module)
        yield owners[span.partition(".")[0]], span


@pytest.mark.parametrize(("module", "function"), list(steps()))
def test_each_step_of_a_path_is_in_its_module(module: str, function: str) -> None:
    body = ast.parse((ROOT / "anagnorisisd" / module).read_text()).body
    for name in function.split("."):
        found = [node for node in body if getattr(node, "name", None) == name]
        assert found, f"{module} has no {function}"
        body = getattr(found[0], "body", [])
    assert isinstance(found[0], ast.FunctionDef | ast.AsyncFunctionDef)


@pytest.mark.parametrize("path", PATHS.split("\n### ")[1:], ids=lambda path: path.splitlines()[0])
def test_a_path_of_data_stays_within_three_packages(path: str) -> None:
    packages = set(re.findall(r"`(\w+)/[\w/]+\.py`", path))

    assert len(packages - {"storage", "domain"}) <= 3


def test_the_paths_have_steps() -> None:
    assert len(re.findall(r"^\d\. ", PATHS, re.MULTILINE)) > 15
    assert len(list(steps())) > 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_modules_named_in_documents_exist(path: Path) -> None:
    for module in re.findall(r"`([a-z_/]+/[a-z_/]+\.py)`", path.read_text()):
        assert (ROOT / "anagnorisisd" / module).exists() or (ROOT / module).exists(), module
