"""The extras of the package: which there are, and the commands that install them."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from anagnorisisd import extras

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
OF_THE_CLIENT = {"web"}
LARGE = {"torch", "transformers", "openvino", "librosa", "matplotlib", "distributed", "dask"}


def project() -> dict[str, list[str]]:
    """Return the requirements of the base package (under "") and of each extra."""
    declared = tomllib.loads(PYPROJECT.read_text())["project"]
    return {"": declared["dependencies"], **declared["optional-dependencies"]}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def test_every_module_of_an_extra_is_a_requirement_of_it() -> None:
    declared = project()

    for extra, modules in extras.MODULES.items():
        assert names(declared[extra]) == set(modules)


def test_the_base_package_requires_nothing_large() -> None:
    assert not names(project()[""]) & LARGE


def test_the_extra_all_is_all_of_them() -> None:
    (requirement,) = project()["all"]

    assert Requirement(requirement).extras == set(extras.MODULES) | OF_THE_CLIENT


def test_every_requirement_has_an_upper_bound() -> None:
    for text in [text for requirements in project().values() for text in requirements]:
        wanted = Requirement(text)
        operators = {one.operator for one in wanted.specifier}
        assert wanted.name.startswith("anagnorisis") or operators & {"<", "=="}, text


def test_an_extra_is_installed_if_all_its_modules_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else True)

    assert extras.is_installed("report")
    assert not extras.is_installed("mert")


@pytest.mark.parametrize(
    ("marker", "extra", "command"),
    [
        ("", "report", "{prefix}/bin/pip install 'anagnorisisd[report]'"),
        ("", "mert", "{prefix}/bin/pip install --extra-index-url {cpu} 'anagnorisisd[mert]'"),
        ("uv-receipt.toml", "dask", "uv pip install --python {prefix} 'anagnorisisd[dask]'"),
        (
            "uv-receipt.toml",
            "mert",
            "uv pip install --python {prefix} --torch-backend=cpu 'anagnorisisd[mert]'",
        ),
        ("pipx_metadata.json", "dask", "pipx runpip anagnorisisd install 'anagnorisisd[dask]'"),
    ],
)
def test_the_command_fits_how_the_daemon_was_installed(
    tmp_path: Path, marker: str, extra: str, command: str
) -> None:
    if marker:
        (tmp_path / marker).touch()

    said = extras.install_command(extra, tmp_path, clone=False)

    assert said == command.format(prefix=tmp_path, cpu=extras.TORCH_CPU_INDEX)


def test_in_a_clone_the_command_is_one_of_make(tmp_path: Path) -> None:
    assert extras.install_command("report", tmp_path, clone=True) == "make setup EXTRAS=report"
