"""Builds a Debian package of the daemon; see `make deb`.

    /usr/bin/python3 -m tools.deb [DIRECTORY]

The package has an environment of its own in `/opt/anagnorisis`, with the locked dependencies, and
needs the Python of the Debian release it is built on. It brings the system unit, the configuration
in `/etc/anagnorisis`, programs, man page and completions. Standard library only: it runs with the
system's Python.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from anagnorisisd.install.packaged_files import config_template
from tools.console import GiveUp, guarded, say
from tools.dist import commit_time

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "packaging" / "debian"
TEMPLATES = "templates"
"""Of debconf's questions; the other files are scripts."""

PREFIX = Path("opt/anagnorisis")
PROGRAMS = ("anagnorisis", "anagnorisis-rate", "anagnorisis-web", "anagnorisisd")
SHARED = {
    "man/man1/anagnorisis.1": "man/man1/anagnorisis.1",
    "man/man1/anagnorisis-web.1": "man/man1/anagnorisis-web.1",
    "bash-completion/completions/anagnorisis": "bash-completion/completions/anagnorisis",
    "zsh/site-functions/_anagnorisis": "zsh/vendor-completions/_anagnorisis",
    "fish/vendor_completions.d/anagnorisis.fish": "fish/vendor_completions.d/anagnorisis.fish",
}
"""What of the environment's `share` goes below `/usr/share`, and where; no dependency's files."""

EXTRAS = "[web]"
"""The web page is small, and both wheels have this extra."""

CONTROL = """\
Package: anagnorisis
Version: {version}
Architecture: {architecture}
Maintainer: Anagnorisis for MPD
Installed-Size: {kilobytes}
Depends: python3 (>= {python}), python3 (<< {next_python}), init-system-helpers,
 debconf (>= 0.5) | debconf-2.0
Recommends: mpd, mpc
Section: sound
Priority: optional
Description: local, private music recommender for MPD
 A daemon that analyses the music, learns from ratings how its listener would rate every other
 track, and keeps the queue of the Music Player Daemon filled.
"""


FROM_INDEX = ("--only-binary", ":all:", "--constraint", str(ROOT / "requirements.lock"))
"""The options with which pip installs the wheels: with the locked dependencies."""


def build(
    target: Path, wheels: Sequence[Path], epoch: int, options: Sequence[str] = FROM_INDEX
) -> Path:
    """Write the package to `target` and return its path; `epoch` is its time, unix seconds.

    `options` are those with which pip installs the wheels.

    Raises:
        GiveUp: something cannot be installed or is missing here.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    architecture = _output("dpkg", "--print-architecture").strip()
    with tempfile.TemporaryDirectory(prefix="anagnorisis-deb-") as folder:
        root = Path(folder, "root")
        root.mkdir(mode=0o755)
        _make_environment(root, [*options, *(f"{wheel}{EXTRAS}" for wheel in wheels)])
        _place_files(root)
        _write_control(root, version, architecture)
        _set_times(root, epoch)
        target.mkdir(parents=True, exist_ok=True)
        package = target / f"anagnorisis_{version}_{architecture}.deb"
        _output(
            # zstd: xz takes minutes, for a sixth less.
            "dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", str(root), str(package),
            SOURCE_DATE_EPOCH=str(epoch),
        )  # fmt: skip
    return package


def _make_environment(root: Path, installed: Sequence[str]) -> None:
    """Let pip install something as if it lay in `/opt/anagnorisis`."""
    prefix = root / PREFIX
    _output(sys.executable, "-m", "venv", str(prefix))
    python = str(prefix / "bin" / "python3")
    _output(python, "-m", "pip", "install", "--quiet", "--no-compile", *installed)
    for cache in prefix.rglob("__pycache__"):
        shutil.rmtree(cache)
    for path in [*(prefix / "bin").iterdir(), prefix / "pyvenv.cfg"]:
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            path.write_bytes(text.replace(str(prefix).encode(), f"/{PREFIX}".encode()))
    # By content, not by time: nothing can be compiled where the daemon runs.
    _output(
        python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
        "-s", str(prefix), "-p", f"/{PREFIX}", str(prefix / "lib"),
    )  # fmt: skip


def _place_files(root: Path) -> None:
    """Put programs, unit, man page, completions and configuration where Debian has them."""
    prefix = root / PREFIX
    programs = root / "usr/bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        (programs / name).symlink_to(f"/{PREFIX}/bin/{name}")
    for source, target in SHARED.items():
        (root / "usr/share" / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(prefix / "share" / source, root / "usr/share" / target)
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    unit = (prefix / "lib/systemd/system/anagnorisis.service").read_text()
    (units / "anagnorisis.service").write_text(unit.replace("/usr/local/bin/", "/usr/bin/"))
    of_user = root / "usr/lib/systemd/user/anagnorisis-web.service"
    of_user.parent.mkdir()
    unit = (prefix / "share/systemd/user" / of_user.name).read_text()
    of_user.write_text(unit.replace("%h/.local/bin/", "/usr/bin/"))
    here = int(_output("systemctl", "--version").split()[1])
    for path in (prefix / "share/anagnorisis/systemd").glob("*.conf"):
        if int(path.name.partition("-")[0]) <= here:
            (units / "anagnorisis.service.d").mkdir(exist_ok=True)
            shutil.copyfile(path, units / "anagnorisis.service.d" / path.name)
    config = root / "etc/anagnorisis/config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(config_template((prefix / "share/anagnorisis/config.yaml").read_text()))


def _write_control(root: Path, version: str, architecture: str) -> None:
    folder = root / "DEBIAN"
    folder.mkdir(mode=0o755)
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
    major, minor = sys.version_info[:2]
    control = CONTROL.format(
        version=version,
        architecture=architecture,
        kilobytes=size // 1024,
        python=f"{major}.{minor}",
        next_python=f"{major}.{minor + 1}",
    )
    (folder / "control").write_text(control)
    (folder / "conffiles").write_text("/etc/anagnorisis/config.yaml\n")
    for path in SCRIPTS.iterdir():
        shutil.copyfile(path, folder / path.name)
        (folder / path.name).chmod(0o644 if path.name == TEMPLATES else 0o755)


def _set_times(root: Path, epoch: int) -> None:
    for path in root.rglob("*"):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _output(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables},
        umask=0o022,
    )  # fmt: skip
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise GiveUp(f"{command[0]} failed: {' '.join(reason)}")
    return done.stdout


def main(arguments: Sequence[str]) -> None:
    """Build into the directory that is named, or into `dist`, from the wheels that lie there."""
    target = Path(arguments[0]) if arguments else ROOT / "dist"
    wheels = sorted(target.glob("anagnorisis*.whl"))
    if not wheels:
        raise GiveUp(f"There are no wheels in {target}: make dist")
    package = build(target, wheels, commit_time())
    say(f"{package}  {package.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
