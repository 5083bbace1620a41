"""Whatever is typed: a line that says what is wrong, an exit code, and never a traceback."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anagnorisis.__main__ import main
from anagnorisis.completion import commands

NUMBERS = (
    *("0", "-1", "1", "2147483647", "2147483648", "99999999999999", "9" * 25, "1e400", "nan"),
    *("-inf", "", " ", "x", "1_0", "٣", "9" * 5000, "0x10"),
)
TEXTS = ("caf\udce9.ogg", "\udcff", "a\nb", "\x1b[31m", "é", "-", "--", "\u202e", "x" * 10_000)
OPTIONS = ("-n", "--seed", "--after", "--epoch", "--state", "--order", "--json", "--retry",
           "--queue", "--dry-run", "--address", "--token-file", "--certificate")  # fmt: skip
COMMANDS = tuple(command.name for command in commands())
words = st.sampled_from((*NUMBERS, *TEXTS, *OPTIONS, "on", "off", "bash")) | st.text(max_size=8)


def outcome(*words: str) -> tuple[int, str]:
    """Return exit code and standard error of a command."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as left:
            code = int(left.code or 0)
        err.flush()
    return code, err.buffer.getvalue().decode()


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    with contextlib.chdir(tmp_path_factory.mktemp("cwd")):
        yield


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(COMMANDS), st.lists(words, max_size=4))
def test_any_words_are_answered_in_a_line(command: str, more: list[str]) -> None:
    code, err = outcome("--socket", "no.sock", command, *(word.replace("\0", "") for word in more))

    assert code in {0, 1, 2, 69}
    assert err.count("\n") == (0 if code == 0 else 1), err
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback", "99999999999999"), "is not a whole number from 1 to 2147483647"),
        (("picks", "--seed", "-1"), "'-1' is not a whole number from 0 to 18446744073709551615"),
        (("tracks", "-n", "x"), "argument -n: 'x' is not a whole number from 1 to 2147483647"),
        (("watch", "--after", "9" * 30), "is not a whole number from 0 to 9223372036854775807"),
        (("rate", "5", "caf\udce9.ogg"), "'caf\\udce9.ogg' is not UTF-8 text"),
        (("tracks", "caf\udce9"), "'caf\\udce9' is not UTF-8 text"),
        (("tracks", "--state", "x\x1b[31m"), "there is no --state 'x\\x1b[31m'"),
        (("tracks", "a", "b\x1b[31m"), "unrecognized arguments: b?[31m"),
    ],
)
def test_invalid_arguments_print_an_error(words: tuple[str, ...], said: str) -> None:
    code, err = outcome("--socket", "no.sock", *words)

    assert code == 2
    assert said in err
    assert err.count("\n") == 1
