"""Which way imports may flow, and what the idle daemon must not have loaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "anagnorisisd"

FOUNDATION = {"anagnorisisd", "anagnorisisd.errors", "anagnorisisd.config.schema"}
ALLOWED = {
    "domain": {"domain"},
    "ports": {"domain", "ports"},
    "services": {"domain", "ports", "services"},
    "rpc": {"domain", "ports", "services", "rpc"},
    "adapters": {"domain", "ports", "adapters"},
    "ml": {"domain", "ml"},
    "config": {"config"},
    "doctor": {"config", "domain", "ports", "adapters", "ml", "doctor"},
    "installation": {"config", "installation"},
    "console": {"domain", "ports", "services", "console"},
}
HEAVY = ("torch", "transformers", "librosa", "openvino")
SELDOM = ("prometheus_client", "dask", "distributed")
"""Few listeners want what these are for; adapters import them, but only where they are wanted."""


def modules(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(_imported(node.module, alias.name) for alias in node.names)
    return names


def _imported(module: str, name: str) -> str:
    """Return the submodule if `name` is one, else the module that holds it."""
    inside = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inside.is_dir() or inside.with_suffix(".py").exists() else module


def test_every_room_has_a_rule() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert rooms == set(ALLOWED)


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_flow_one_way(room: str) -> None:
    for path in modules(room):
        for name in imports(path):
            if not name.startswith("anagnorisisd") or name in FOUNDATION:
                continue
            assert name.split(".")[1] in ALLOWED[room], f"{path.relative_to(ROOT)} imports {name}"


def test_the_domain_is_pure() -> None:
    for path in modules("domain"):
        for name in imports(path):
            top = name.split(".")[0]
            pure = top in {"anagnorisisd", "numpy"} or top in sys.stdlib_module_names
            assert pure, f"{path.relative_to(ROOT)} imports {name}"
            assert top not in {"os", "time", "random", "socket", "asyncio", "subprocess"}, (
                f"{path.relative_to(ROOT)} imports {name}"
            )


def test_only_ml_imports_the_heavy_libraries() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "ml"):
            continue
        for name in imports(path):
            assert name.split(".")[0] not in HEAVY, f"{path.relative_to(ROOT)} imports {name}"


def test_only_its_adapter_and_its_workers_import_dask() -> None:
    importers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if {"dask", "distributed"} & {name.split(".")[0] for name in imports(path)}
    }

    assert importers == {"adapters/dask/link.py", "remote.py"}


def test_clients_never_import_the_daemon() -> None:
    for path in (ROOT / "clients" / "anagnorisis").rglob("*.py"):
        assert not any(name.startswith("anagnorisisd") for name in imports(path)), path


def test_importing_the_whole_daemon_loads_nothing_heavy() -> None:
    script = (
        "import sys, anagnorisisd.__main__, anagnorisisd.daemon; "
        f"print(sorted(set({HEAVY + SELDOM!r}) & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


CHOOSING = """
import sys
from random import Random
import anagnorisisd.daemon, anagnorisisd.ml.evaluator.opinion  # the latter comes from workers
from anagnorisisd.domain import pick
from anagnorisisd.domain.guards import Rules
from tests.support.candidates import NOW, candidates, name

beside = pick.Surroundings(NOW, queued=[name(1)], recent=[name(2)])
assert pick.choose(candidates(9), Rules(artist_spread=2), beside, 3, Random(1))
print(sorted({"numpy.random", "numpy.ma"} & set(sys.modules)))
"""


def test_choosing_loads_no_part_of_numpy_that_it_can_do_without() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHOOSING], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.stdout.strip() == "[]", done.stderr
