"""What `export`, `report` and `backup` write: a whole and private file, or what is there stays."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from anagnorisis import atomic_write
from anagnorisis.errors import Failed
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_rated
from tests.support.rpc import House, Outcome, command, serving

pytestmark = pytest.mark.slow

START = {
    "export": b'{"type": "rating"',
    "report": b"<p>report",
    "backup": b"SQLite format 3\0",
    "daemon": b"SQLite format 3\0",
}
WRITERS = tuple(START)


@pytest.fixture
async def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    house = House.build(stores, clock)
    house.page = "<p>report"
    await add_rated(stores, {"a.mp3": 7.5})
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def write(tmp_path: Path, writer: str, file: str | Path) -> Outcome:
    if writer == "daemon":
        state = ("--state", str(tmp_path / "state"))
        return await command("anagnorisisd", "backup", *state, str(file))
    return await command("anagnorisis", writer, str(file), socket=tmp_path / "sock")


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_file_is_new_and_private_whatever_was_there(
    house: House, tmp_path: Path, folder: Path, writer: str
) -> None:
    (folder / "kept").write_text("precious")
    (folder / "file").symlink_to("kept")
    (folder / "file.part").symlink_to("kept")

    done = await write(tmp_path, writer, folder / "file")

    assert (done.code, done.err) == (0, "")
    assert (folder / "file").read_bytes().startswith(START[writer])
    assert stat.S_IMODE((folder / "file").lstat().st_mode) == 0o600
    assert (folder / "kept").read_text() == "precious"
    assert names(folder) == {"file", "file.part", "kept"}


@pytest.mark.parametrize("writer", ["export", "report", "backup"])
async def test_the_file_before_stays_without_a_daemon(
    tmp_path: Path, folder: Path, writer: str
) -> None:
    (folder / "file").write_text("before")

    done = await write(tmp_path, writer, folder / "file")

    assert done.code == 69
    assert (folder / "file").read_text() == "before"
    assert names(folder) == {"file"}


@pytest.mark.parametrize("writer", WRITERS)
async def test_device_is_not_replaced(
    house: House, tmp_path: Path, folder: Path, writer: str
) -> None:
    (folder / "null").symlink_to("/dev/null")

    done = await write(tmp_path, writer, folder / "null")

    assert (done.code, done.err) == (0, "")
    assert (folder / "null").is_symlink()
    assert stat.S_ISCHR((folder / "null").stat().st_mode)


@pytest.mark.parametrize("writer", WRITERS)
async def test_full_device_gives_one_error_line(
    house: House, tmp_path: Path, folder: Path, writer: str
) -> None:
    (folder / "full").symlink_to("/dev/full")

    done = await write(tmp_path, writer, folder / "full")

    assert done.code == 1
    assert "full cannot be written: No space left on device" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_fifo_is_written_to(
    house: House, tmp_path: Path, folder: Path, writer: str
) -> None:
    os.mkfifo(folder / "fifo")
    script = f"import sys; sys.stdout.buffer.write(open({str(folder / 'fifo')!r}, 'rb').read())"
    pipe = asyncio.subprocess.PIPE
    reader = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=pipe)

    done = await write(tmp_path, writer, folder / "fifo")

    assert (done.code, done.err) == (0, "")
    out, _ = await asyncio.wait_for(reader.communicate(), 90)
    assert out.startswith(START[writer])
    assert (folder / "fifo").is_fifo()


@pytest.mark.parametrize("writer", ["export", "report"])  # the others are no text
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1"])
async def test_standard_output_gets_the_file_and_nothing_else(
    house: House, tmp_path: Path, folder: Path, writer: str, name: str
) -> None:
    done = await write(tmp_path, writer, name)

    assert (done.code, done.err) == (0, "")
    assert done.out.encode().startswith(START[writer])
    assert "written to" not in done.out
    assert "report written to" not in done.out


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_folder_is_refused(house: House, tmp_path: Path, folder: Path, writer: str) -> None:
    done = await write(tmp_path, writer, folder)

    assert done.code == 1
    assert done.err.count("\n") == 1
    assert not names(folder)


def test_a_file_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise Failed("the daemon has gone")

    with pytest.raises(Failed, match="gone"):
        atomic_write.write(str(tmp_path / "file"), pieces())

    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_of_standard_output_is_continued_and_not_overwritten(tmp_path: Path) -> None:
    script = "from anagnorisis import atomic_write; atomic_write.write('/dev/stdout', [b'two'])"
    with (tmp_path / "out").open("wb") as out:
        out.write(b"one ")
        out.flush()
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)

    assert (tmp_path / "out").read_bytes() == b"one two"
