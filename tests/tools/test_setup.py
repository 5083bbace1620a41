"""Setting up: what happens on machines that lack something, played through with stand-ins."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import setup, system_packages
from tools.console import GiveUp, step

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Programs = Callable[..., Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Make a machine that has only the given programs, each a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("env", "sh", "chmod", "cp"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))

    def install(**scripts: str) -> Path:
        for name, body in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        return folder

    return install


def test_a_missing_program_is_installed(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = programs(thing="")
    (folder / "thing").rename(folder / "kept")
    programs(apt_get=f"cp {folder}/kept {folder}/thing")

    system_packages.ensure(["thing"])

    assert shutil.which("thing")


def test_a_program_may_come_in_a_package_of_another_name(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    programs(thing="", apt_get=f'echo "$*" > {tmp_path}/asked')

    system_packages.ensure(["thing=parcel", "other=package"])

    assert (tmp_path / "asked").read_text().split()[-1] == "package"


def test_present_parts_are_kept(programs: Programs) -> None:
    programs(thing="", apt_get="exit 1")

    system_packages.ensure(["thing"])


def test_stale_package_lists_are_fetched_once(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lists = tmp_path / "lists"
    programs(apt_get=f'case "$*" in *update*) : > {lists};; *) test -e {lists};; esac')

    system_packages.install(["thing"])

    assert lists.exists()


@pytest.mark.parametrize(
    ("user", "scripts", "reason"),
    [
        (0, {}, "Missing: thing. Install it with your package manager"),
        (0, {"apt_get": "exit 100"}, "apt-get could not install thing"),
        (1000, {"apt_get": ""}, "there is no sudo to install it; run as root: apt-get install"),
        (1000, {"apt_get": "", "sudo": "exit 1"}, "sudo does not let us install it; run as root"),
    ],
)
def test_failed_installation_prints_a_remedy(
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    scripts: dict[str, str],
    reason: str,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    programs(**scripts)

    with pytest.raises(GiveUp, match=reason) as raised:
        system_packages.ensure(["thing"])

    assert "\n" not in str(raised.value)


def test_missing_optional_part_does_not_stop_the_setup(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    programs(apt_get="exit 100")

    system_packages.main(["--if-possible", "thing"])

    assert "the tests that need it are skipped" in capsys.readouterr().out


def find_python(programs: Programs, **scripts: str) -> "subprocess.CompletedProcess[str]":
    programs(**scripts)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / "find-python.sh")],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_newest_supported_python_is_found(programs: Programs, tmp_path: Path) -> None:
    found = find_python(programs, **{"python3.14": "exit 1", "python3.12": "", "python3": ""})

    assert found.stdout.strip() == str(tmp_path / "bin" / "python3.12")


def test_without_a_supported_python_the_remedy_is_one_line(programs: Programs) -> None:
    found = find_python(programs, python3="exit 1")

    assert found.returncode == 1
    assert found.stderr.count("\n") == 1
    assert "No Python 3.11 to 3.14 found" in found.stderr


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("ReadTimeout", "too slow"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Retrying (Retry(total=0, connect=None)) after\nERROR: x", "no network"),
        ("ERROR: one\nERROR: the real one", "the real one"),
        ("", "pip gave no reason"),
    ],
)
def test_failed_step_shows_its_cause(
    said: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "python"
    failing.write_text(f"#!/bin/sh\ncat <<END\n{said}\nEND\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(setup, "PYTHON", failing)
    monkeypatch.setattr(setup, "LOG", tmp_path / "log")
    (tmp_path / "log").write_text("$ pip earlier\nNo matching distribution\n")

    with pytest.raises(GiveUp, match=cause):
        setup.install("Something", "thing")


def test_debian_without_ensurepip_names_the_package(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs(apt_get="")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup, "VENV", tmp_path / "absent")
    monkeypatch.setattr(setup, "PYTHON", tmp_path / "absent" / "python")

    with pytest.raises(GiveUp, match=r"run as root: apt-get install python3\.\d+-venv"):
        setup.main([])


def test_duration_of_a_step_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step("Counting", ["/bin/echo", "one"], tmp_path / "log")
    assert not step("Failing", ["/bin/false"], tmp_path / "log")

    assert capsys.readouterr().out == "Counting ... done after 0 s\nFailing ... failed after 0 s\n"
    assert "one" in (tmp_path / "log").read_text()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose pip notes what it is told, and does nothing."""
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"""#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in
-c*) exit 1;;  # no torch is installed
*--dry-run*) cat {folder}/report;;
*--index-url*) exit $(cat {folder}/cpu-index);;
esac
""")
    python.chmod(0o755)
    (folder / "cpu-index").write_text("0")
    (folder / "calls").touch()
    offer(folder, "filelock")
    monkeypatch.setattr(setup, "VENV", folder)
    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup, "LOG", folder / "log")
    monkeypatch.setattr(setup, "STAMP", folder / "stamp")
    monkeypatch.delenv("CUDA", raising=False)
    return folder


def offer(environment: Path, requirement: str) -> None:
    """Let pip find a torch that has a requirement."""
    found = {"install": [{"metadata": {"requires_dist": [requirement]}}]}
    (environment / "report").write_text(json.dumps(found))


def installations(environment: Path) -> list[str]:
    """Return what pip was asked to install, the options that every call has left out."""
    calls = (environment / "calls").read_text().splitlines()
    constraint = f"--constraint {setup.LOCK} "
    return [
        call.partition(constraint)[2]
        for call in calls
        if constraint in call and "--dry-run" not in call
    ]


def test_a_complete_environment_is_left_alone(
    environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.main(["report"])
    before = (environment / "calls").read_text()
    capsys.readouterr()

    setup.main(["report"])
    setup.main([])

    assert (environment / "calls").read_text() == before
    assert capsys.readouterr().out == ""


def test_requested_extras_are_installed(environment: Path) -> None:
    setup.main(["report"])

    assert not [words for words in installations(environment) if "torch" in words]
    assert installations(environment)[-1].endswith("-e clients -e .[report]")


def test_a_part_that_is_added_leaves_the_others(environment: Path) -> None:
    setup.main(["report"])
    setup.main(["dask"])

    assert installations(environment)[-1].endswith("-e .[dask,report]")


def test_the_parts_stay_when_the_dependencies_change(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.main(["dask"])
    (tmp_path / "pyproject.toml").write_text("changed")
    monkeypatch.setattr(setup, "DECIDING", (tmp_path / "pyproject.toml",))

    setup.main(["report"])

    assert installations(environment)[-1].endswith("-e .[dask,report]")


def test_all_is_every_extra_and_what_the_tests_need(environment: Path) -> None:
    setup.main(["all"])

    assert installations(environment)[-1].endswith(
        "-e .[dask,mert,openvino,report,web] --group dev"
    )


def test_a_part_that_there_is_not_is_named(environment: Path) -> None:
    with pytest.raises(GiveUp, match=r"no part moon; the parts are all, dask, mert"):
        setup.main(["moon"])


def torch(environment: Path) -> list[str]:
    return [words for words in installations(environment) if words.endswith(setup.TORCH)]


def test_a_torch_without_cuda_that_pip_offers_is_taken(environment: Path) -> None:
    setup.main(["mert"])

    assert torch(environment) == [f"--no-deps {setup.TORCH}"]


def test_where_pip_offers_only_cuda_the_cpu_build_is_fetched(environment: Path) -> None:
    offer(environment, "nvidia-cudnn; platform_system == 'Linux'")

    setup.main(["mert"])

    assert torch(environment) == [f"--no-deps --index-url {setup.CPU_INDEX} {setup.TORCH}"]


def test_cuda_is_not_taken_because_the_cpu_build_cannot_be_had(environment: Path) -> None:
    offer(environment, "nvidia-cudnn; platform_system == 'Linux'")
    (environment / "cpu-index").write_text("1")

    with pytest.raises(GiveUp, match=r"run it again, or with CUDA=1, .* \(about 3 GB, 6 GB"):
        setup.main(["mert"])

    assert torch(environment) == [f"--no-deps --index-url {setup.CPU_INDEX} {setup.TORCH}"]
    assert not [words for words in installations(environment) if "-e ." in words]


def test_requested_cuda_is_installed(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(environment, "nvidia-cudnn; platform_system == 'Linux'")
    monkeypatch.setenv("CUDA", "1")

    setup.main(["mert"])

    assert torch(environment) == [setup.TORCH]


@pytest.mark.parametrize(
    ("parts", "cuda"), [((), False), (("report",), False), (setup.PARTS, False), (("mert",), True)]
)
def test_download_sizes_are_shown_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    parts: tuple[str, ...],
    cuda: bool,
) -> None:
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup, "VENV", tmp_path / "absent")
    monkeypatch.setattr(setup, "_make_environment", lambda: pytest.fail("too late"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setenv("CUDA", "1" if cuda else "")
    download, disk = setup.sizes([setup.BASE, setup.WEIGHTS, *parts], cuda=cuda)

    with pytest.raises(GiveUp, match="GB free at"):
        setup.main(parts)

    assert f"{download:,} MB to download, {disk:,} MB on disk" in capsys.readouterr().out
    assert (download > 2_000) == cuda
