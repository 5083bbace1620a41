"""Import rules: between packages, and of libraries."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "anagnorisisd"

# What every package may import: nouns, errors and the schema of the configuration.
FOUNDATION = {"domain", "errors", "extras", "clock", "config.schema"}

# Each package, with the packages beside the foundation that it may import. A package may import
# only packages that stand above it in this table, so there can be no cycle.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "extras": set(),
    "domain": set(),
    "clock": set(),
    "config": set(),
    "events": set(),
    "runtime": {"config"},
    "workers": {"runtime"},
    "storage": {"runtime"},
    "library": {"events", "runtime", "storage", "workers"},
    "mpd": {"library"},
    "embedding": {"events", "library", "runtime", "storage", "workers"},
    "taste": {"embedding", "events", "runtime", "storage", "workers"},
    "steering": {"embedding", "events", "storage", "taste"},
    "picks": {"events", "library", "runtime", "steering", "storage"},
    "ratings": {"events", "library", "runtime", "storage", "workers"},
    "listening": {"events", "library", "picks", "ratings", "runtime", "storage"},
    "playlists": {"events", "library", "listening", "mpd", "ratings", "storage"},
    "report": {"storage", "taste", "workers"},
    "metrics": {"embedding", "events", "picks", "steering", "storage", "taste"},
    "rpc": {
        "events", "embedding", "library", "listening", "picks", "ratings", "report", "runtime",
        "steering", "storage", "taste",
    },
    "console": {"embedding", "library", "picks", "storage", "taste"},
    "doctor": {"config", "embedding", "library", "mpd", "runtime", "storage", "workers"},
    "install": {"config"},
}  # fmt: skip

# `services`, `servicers`, `service_loops` and `app` wire everything together; the others start it.
WIRING = {"app", "services", "servicers", "service_loops", "cli", "daemon", "__main__"}
# What runs on a Dask worker is wired by itself, from the configuration of that computer.
WIRING_MODULES = {"embedding/dask/worker.py"}

# Modules of rules hold no I/O: they are read and tested without anything running.
RULES = (
    "domain/*.py",
    "listening/playback_tracker.py",
    "listening/play_rules.py",
    "picks/albums.py",
    "picks/chooser.py",
    "picks/guards.py",
    "picks/queue_rules.py",
    "picks/sampler.py",
    "picks/weights.py",
    "playlists/rating_rules.py",
    "playlists/selections.py",
    "ratings/message_command.py",
    "ratings/stickers/rules.py",
    "runtime/daily_schedule.py",
    "steering/fit.py",
    "storage/replacement_rules.py",
)
IMPURE = {"os", "time", "random", "socket", "asyncio", "subprocess", "threading", "logging"}

HEAVY = ("torch", "transformers", "librosa", "openvino")
# Few listeners want what these are for; they are imported only where they are wanted.
SELDOM = ("prometheus_client", "dask", "distributed", "matplotlib")

# Who may import a library, by package.
ONLY = {
    **{library: {"embedding", "taste"} for library in HEAVY},
    "sqlite3": {"storage"},
    "sqlite_utils": {"storage"},
    "mpd": {"mpd"},
    "dask": {"embedding"},
    "distributed": {"embedding"},
    "matplotlib": {"report"},
    "mutagen": {"library", "ratings"},
    "watchdog": {"library"},
    "prometheus_client": {"metrics"},
    "grpc": {"rpc", "doctor"},
    "google": {"rpc"},
    "anagnorisis.v1": {"rpc", "doctor"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def package_of(name: str) -> str:
    """Return the package of a module: `picks` for `anagnorisisd.picks.guards`."""
    return name.split(".")[1] if "." in name else name


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
    if (module, name) == ("random", "Random"):
        return "random.Random"  # the type of a generator that is passed as an argument
    inside = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inside.is_dir() or inside.with_suffix(".py").exists() else module


def home_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_package_has_a_rule() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert packages == set(LAYERS) - {"errors", "extras", "clock", "events"}


def test_documented_table_is_the_tested_one() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs" / "architecture.md").read_text(),
        re.MULTILINE,
    )
    documented = {package: set(re.findall(r"`(\w+)`", allowed)) for package, allowed in rows}

    packages = {name: allowed for name, allowed in LAYERS.items() if (PACKAGE / name).is_dir()}
    assert list(documented) == list(packages), "in the same order"
    assert documented == packages


def test_layers_have_no_cycle() -> None:
    above: set[str] = set()
    for package, allowed in LAYERS.items():
        assert allowed <= above, f"{package} may import {allowed - above}, which stand below it"
        above.add(package)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    home = home_of(path)
    if home in WIRING | {"__init__"} or str(path.relative_to(PACKAGE)) in WIRING_MODULES:
        return
    for name in imports(path):
        if not name.startswith("anagnorisisd."):
            continue
        target = package_of(name)
        founded = target in FOUNDATION or name.removeprefix("anagnorisisd.") in FOUNDATION
        assert target == home or founded or target in LAYERS[home], f"imports {name}"


@pytest.mark.parametrize("pattern", RULES)
def test_rules_are_pure(pattern: str) -> None:
    found = list(PACKAGE.glob(pattern))
    assert found
    for path in found:
        for name in imports(path):
            top = name.split(".")[0]
            if top == "anagnorisisd":
                pure = package_of(name) in {"domain", "errors", home_of(path)}
            else:
                impure = top in IMPURE and name != "random.Random"
                pure = top == "numpy" or (top in sys.stdlib_module_names and not impure)
            assert pure, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_used_in_its_package_only(library: str) -> None:
    users = {
        home_of(path)
        for path in modules()
        if any(name == library or name.startswith(f"{library}.") for name in imports(path))
    }

    assert users <= ONLY[library]


def test_clients_never_import_the_daemon() -> None:
    for path in (ROOT / "clients" / "anagnorisis").rglob("*.py"):
        assert not any(name.startswith("anagnorisisd") for name in imports(path)), path


def test_importing_the_whole_daemon_loads_nothing_heavy() -> None:
    script = (
        "import sys, anagnorisisd.cli, anagnorisisd.daemon; "
        f"print(sorted(set({HEAVY + SELDOM!r}) & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


CHOOSING = """
import sys
from random import Random
import anagnorisisd.daemon
from anagnorisisd.picks import chooser
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import weigh
from tests.support.candidates import NOW, candidates, name

context = chooser.PickContext(NOW, queued=[name(1)], recent=[name(2)])
assert chooser.choose(weigh(candidates(9)), PickRules(artist_spread=2), context, 3, Random(1))
print(sorted({"numpy.random", "numpy.ma"} & set(sys.modules)))
"""


def test_picking_does_not_import_numpy_random() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHOOSING], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.stdout.strip() == "[]", done.stderr
