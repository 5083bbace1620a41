"""What the client is started with: closed files, full devices, sockets of any name."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.rpc import House, command, serving

pytestmark = pytest.mark.slow

CLIENT = Path(sys.executable).parent / "anagnorisis"


async def shell(line: str, socket: Path) -> tuple[int, str]:
    """Return exit code and standard error of a line of shell."""
    process = await asyncio.create_subprocess_exec(
        shutil.which("bash") or "bash",
        "-c",
        line.replace("anagnorisis", str(CLIENT)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ANAGNORISIS_SOCKET": str(socket)},
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, err.decode()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("anagnorisis status >&-", 0, ""),
        ("anagnorisis status <&- >&- 2>&-", 0, ""),
        ("anagnorisis export - >&-", 0, ""),
        ("anagnorisis status >/dev/full", 1, "the answer cannot be written: No space left"),
        ("anagnorisis manual >/dev/full", 1, "the answer cannot be written: No space left"),
        ("anagnorisis rate 11 2>/dev/full", 2, ""),
        ("ANAGNORISIS_ADDRESS=$'h\\xe9:1' anagnorisis status", 2, "address is not HOST:PORT"),
        ("LC_ALL=C PYTHONUTF8=0 anagnorisis tracks é", 0, ""),
    ],
)
async def test_exit_codes_and_messages_in_odd_environments(
    stores: Stores, clock: FakeClock, tmp_path: Path, line: str, code: int, said: str
) -> None:
    async with serving(House.build(stores, clock), tmp_path / "sock"):
        found, err = await shell(line, tmp_path / "sock")

    assert found == code, err
    assert said in err
    assert err.count("\n") == (1 if said else 0)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"two\nlines", b"\xc3\xa9", b"", b"x" * 100_000])
async def test_a_token_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    place = ("--address", "127.0.0.1:1", "--token-file", str(tmp_path / "token"))

    done = await command("anagnorisis", "status", *place)

    assert done.code == 2
    assert done.err.endswith("token: holds no token, which is one line of printable ASCII\n")


async def test_a_socket_may_have_any_name(stores: Stores, clock: FakeClock, tmp_path: Path) -> None:
    async with serving(House.build(stores, clock), tmp_path / "sock"):
        for name in ("a %41?#b", "é", os.fsdecode(b"\xe9")):
            (tmp_path / name).symlink_to("sock")

            done = await command("anagnorisis", "status", socket=tmp_path / name)

            assert (done.code, done.err) == (0, ""), name
