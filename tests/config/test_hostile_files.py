"""Any bytes as a configuration give a configuration or printable problems, in bounded time."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.config import load
from anagnorisisd.config.schema import Config
from anagnorisisd.errors import ConfigError

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 12))
SCRAPS = ("picks", "training", "music", ":", " ", "\n", "- ", "[", "]", "{", "}", "&a", "*a", "<<",
          "2020-99-99", "time", "ahead", "1", "9" * 5000, "'", '"', "\\x00", "!!", "!!python/none",
          "!!binary", "~", "\x1b", "\t", "#", "|", ">", "?", "%YAML 9.9", "---", "...", "0x",
          "1e999", ".inf", "=", "directory", "!!timestamp", "!!set", "!!omap", "é")  # fmt: skip


def problems(content: bytes, folder: Path) -> tuple[str, ...]:
    file = folder / "config.yaml"
    file.write_bytes(content)
    try:
        assert isinstance(load.load({}, {}, file), Config)
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: {time: 2020-99-99}", "not valid YAML: month must be in 1..12"),
        (f"picks: {{ahead: {'9' * 5000}}}", "has a number of more than 64 digits"),
        ("a: " + "[" * 20_000, "has more than 20 levels"),
        ("a: &a {<<: *a}", "has nested or too many aliases (*a)"),
        (BOMB, "has nested or too many aliases (*a0)"),
        ("a: [" + "1, " * 80_000 + "]", "or 10,000 nodes"),
        ("x" * 300_000, "has more than 262144 bytes"),
        ('"\\e[31m\\n": 1', "\\x1b[31m\\n: unknown key"),
        ('music: {directory: "a\\0b"}', "has a NUL character"),
    ],
)
def test_an_invalid_configuration_is_reported(tmp_path: Path, text: str, said: str) -> None:
    (found,) = problems(text.encode(), tmp_path)

    assert said in found
    assert found.isprintable()


def test_a_fifo_and_a_device_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    for path in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="is not a regular file"):
            load.load({}, {}, path)


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 20_000, "2020-99-99", "&a [*a]", "\x1b"])
def test_hostile_text_in_an_environment_variable(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load.load({}, {"ANAGNORISIS_PICKS__AHEAD": text})

    (found,) = caught.value.problems
    assert "picks.ahead: " in found
    assert found.isprintable()


@settings(max_examples=300)
@given(st.lists(st.sampled_from(SCRAPS), max_size=30).map("".join).map(str.encode) | st.binary())
def test_any_bytes_give_a_configuration_or_problems(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    for found in problems(content, tmp_path_factory.getbasetemp()):
        assert found.isprintable()
