"""The wheels, and `anagnorisisd install` from them."""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from anagnorisisd.embedding.musicnn.weights import PACKAGED
from tests.support import wheels
from tests.support.musicnn import needs_weights
from tests.support.web_page import serving

pytestmark = pytest.mark.slow

DATA = "data/data"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return wheels.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, built: list[Path]) -> Path:
    return wheels.environment(tmp_path_factory.mktemp("environment") / "venv", built)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="home") as folder:
        yield Path(folder)


def run(home: Path, *words: str | Path, code: int = 0) -> str:
    """Run a command as a listener whose home is new; return what it prints."""
    usual = {"HOME": str(home), "PATH": f"{home}/.local/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=usual,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_wheels_have_units_man_page_completions_and_configuration(built: list[Path]) -> None:
    names = {
        name.partition(f".{DATA}/")[2]
        for wheel in built
        for name in zipfile.ZipFile(wheel).namelist()
        if f".{DATA}/" in name
    }

    assert names == {
        "lib/systemd/system/anagnorisis.service",
        "share/systemd/user/anagnorisis.service",
        "share/systemd/user/anagnorisis-web.service",
        "share/anagnorisis/systemd/253-reload.conf",
        "share/anagnorisis/systemd/254-back-off.conf",
        "share/anagnorisis/config.yaml",
        "share/man/man1/anagnorisis.1",
        "share/man/man1/anagnorisis-web.1",
        "share/bash-completion/completions/anagnorisis",
        "share/zsh/site-functions/_anagnorisis",
        "share/fish/vendor_completions.d/anagnorisis.fish",
    }


def test_the_wheels_have_every_module_and_no_other_files(built: list[Path]) -> None:
    found = {name for wheel in built for name in zipfile.ZipFile(wheel).namelist()}
    modules = {
        str(path.relative_to(root))
        for root, package in (
            (wheels.ROOT, "anagnorisisd"),
            (wheels.ROOT / "clients", "anagnorisis"),
            (wheels.ROOT / "clients/web", "anagnorisis_web"),
        )
        for path in (root / package).rglob("*.py")
    }

    assert {name for name in found if name.endswith(".py")} == modules


@needs_weights
def test_the_daemons_wheel_has_the_weights_of_musicnn(built: list[Path]) -> None:
    names = {name for wheel in built for name in zipfile.ZipFile(wheel).namelist()}

    assert f"anagnorisisd/embedding/musicnn/{PACKAGED.name}" in names


def test_the_daemons_wheel_has_the_programs_of_both(built: list[Path]) -> None:
    """For uv and pipx put only the programs of the package that is named on the path."""
    client, daemon = (scripts(wheel) for wheel in built)

    assert set(client) == {"anagnorisis", "anagnorisis-rate", "anagnorisis-web"}
    assert daemon == {**client, "anagnorisisd": "anagnorisisd.__main__:main"}


def test_the_page_of_the_wheel_is_served_whole(environment: Path, home: Path) -> None:
    """Templates, texts and static files are those of the wheel, and none is missing."""
    program = environment / "bin" / "anagnorisis-web"
    with serving(home / "web", home / "absent.sock", program=[program]) as url:
        failed = httpx.get(url)
        assert failed.status_code == 503
        assert "no daemon answers" in failed.text
        manifest = httpx.get(f"{url}/manifest.webmanifest").json()
        linked = set(re.findall(r"/static/[^\"]+", failed.text))
        for path in linked | {icon["src"] for icon in manifest["icons"]}:
            assert httpx.get(url + path).status_code == 200, path
    installed = next(environment.glob("lib/python*/site-packages/anagnorisis_web"))
    sources = wheels.ROOT / "clients/web/anagnorisis_web"
    for kind in ("templates/*", "static/*", "texts/*"):
        assert {path.name for path in installed.glob(kind)} == {
            path.name for path in sources.glob(kind)
        }


def scripts(wheel: Path) -> dict[str, str]:
    """Return the entry points of a wheel's programs."""
    found = next(iter(metadata.distributions(path=[str(wheel)])))
    return {one.name: one.value for one in found.entry_points.select(group="console_scripts")}


def test_install_from_a_wheel(environment: Path, home: Path) -> None:
    program = environment / "bin" / "anagnorisisd"

    said = run(home, program, "install")

    assert f"programs        {home}/.local/bin" in said
    assert "systemctl --user enable --now anagnorisis" in said
    assert run(home, "anagnorisisd", "--version").startswith("anagnorisisd 0.")
    assert f"read from  {home}/.config/anagnorisis/config.yaml" in run(
        home, "anagnorisisd", "check-config"
    )
    assert "rate" in run(home, "anagnorisis", "--help")
    for name in ("anagnorisis.service", "anagnorisis-web.service"):
        unit = home / ".local/share/systemd/user" / name
        assert f"unit            {unit}\n" in said
        assert unit.read_text() == (environment / "share/systemd/user" / name).read_text()
        assert not unit.is_symlink()


def test_installing_again_keeps_the_configuration(environment: Path, home: Path) -> None:
    program = environment / "bin" / "anagnorisisd"
    run(home, program, "install")
    mine = home / ".config/anagnorisis/config.yaml"
    mine.write_text("picks: {ahead: 9}\n")

    said = run(home, program, "install")

    assert f"{mine} (not changed)" in said
    assert mine.read_text() == "picks: {ahead: 9}\n"


def test_uninstall_with_an_invalid_configuration(environment: Path, home: Path) -> None:
    program = environment / "bin" / "anagnorisisd"
    run(home, program, "install")
    (home / ".config/anagnorisis/config.yaml").write_text("picks: nonsense\n")
    (home / ".local/state/anagnorisis").mkdir(parents=True)

    said = run(home, program, "uninstall")

    assert f"  {home}/.local/state/anagnorisis\n" in said
    assert not (home / ".local/bin/anagnorisisd").exists()


def test_uninstall_keeps_data_and_shows_its_directories(environment: Path, home: Path) -> None:
    program = environment / "bin" / "anagnorisisd"
    run(home, program, "install")
    learnt = home / ".local/state/anagnorisis/anagnorisis.db"
    learnt.parent.mkdir(parents=True)
    learnt.write_text("ratings")
    other = home / ".local/bin/other"
    other.write_text("of somebody else")

    said = run(home, program, "uninstall")

    left = {str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()}
    assert left == {
        ".local/bin/other",
        ".local/state/anagnorisis/anagnorisis.db",
        ".config/anagnorisis/config.yaml",
    }
    assert f"  {learnt.parent}\n" in said
    assert f"  {home}/.config/anagnorisis\n" in said


def test_a_foreign_file_is_reported_and_kept(environment: Path, home: Path) -> None:
    mine = home / ".local/bin/anagnorisis"
    mine.parent.mkdir(parents=True)
    mine.write_text("my own")

    said = run(home, environment / "bin" / "anagnorisisd", "install", code=1)

    assert said == f"{mine} is in the way; move it elsewhere and try again\n"
    assert mine.read_text() == "my own"


def test_fish_finds_its_completions(environment: Path, home: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    run(home, environment / "bin" / "anagnorisisd", "install")

    offered = run(home, "fish", "-c", "complete -C 'anagnorisis ra'")

    assert [line.split("\t")[0] for line in offered.splitlines()] == ["rate", "ratings"]


def test_zsh_completes_at_the_first_tab(environment: Path, home: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    run(home, environment / "bin" / "anagnorisisd", "install")
    functions = home / ".local/share/zsh/site-functions"
    script = (
        f"fpath+=({functions}); autoload -Uz _anagnorisis; compdef() {{ exit 3 }}; "
        "_describe() { print -l ${(P)2} }; CURRENT=2; _anagnorisis"
    )

    assert "rate:" in run(home, "zsh", "-f", "-c", script)
