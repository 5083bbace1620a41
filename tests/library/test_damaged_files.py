"""Readers of foreign bytes are total: whatever a file holds, it is music or has a reason.

`ANAGNORISIS_DAMAGED_FILES=5000 pytest --timeout 3600 tests/library/test_damaged_files.py` reads
as many of each kind of damage.
"""

import io
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import ScannedFile, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import identify
from anagnorisisd.library.media_file import read
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.tags import read_tags
from anagnorisisd.ratings import rating_tag_reader
from anagnorisisd.workers.pool import WorkerPool
from tests.support.damage import TINY, cut_files, damaged_files, healthy, of_tiny_parts
from tests.support.media import age

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("ANAGNORISIS_DAMAGED_FILES", "150"))
MANY = 1000
FEW_TINY = ("packets.mpc", "chunks before the sound.wav", "tags.mp3", "frames of a tag.mp3")
READER_MEMORY_BYTES = 512 << 20


@pytest.fixture
async def readers() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(name="reading", size=1, idle_seconds=60, memory_bytes=READER_MEMORY_BYTES)
    yield pool
    await pool.close()


def write(folder: Path, files: list[tuple[str, bytes]]) -> list[Uri]:
    folder.mkdir()
    for number, (name, content) in enumerate(files):
        path = folder / f"{number:05} {name}"
        path.write_bytes(content)
        age(path)
    return [Uri(path.name) for path in sorted(folder.iterdir())]


async def read_all(folder: Path, uris: list[Uri], readers: WorkerPool) -> list[ScannedFile]:
    batches = MusicDirectory(folder, Music(), readers).read(uris)
    return [file async for batch in batches for file in batch]


def lost(files: list[ScannedFile]) -> dict[Uri, str | None]:
    """Return those whose reader died, hung, or met an error that nobody foresaw."""
    marks = ("cannot be read: ", "its parser failed: ")
    return {file.uri: file.problem for file in files if (file.problem or "").startswith(marks)}


async def test_damaged_file_is_a_track_or_has_a_reason(tmp_path: Path, readers: WorkerPool) -> None:
    uris = write(tmp_path / "music", damaged_files(random.Random(1), FILES))

    files = await read_all(tmp_path / "music", uris, readers)

    assert sorted(file.uri for file in files) == uris
    assert lost(files) == {}
    assert all((file.track_id is None) == (file.problem is not None) for file in files)
    assert {file.problem is None for file in files} == {True, False}


def test_file_cut_at_any_byte() -> None:
    for _, content in cut_files():
        with suppress(MediaError):
            kind, _ = identify(io.BytesIO(content))
            read_tags(io.BytesIO(content), kind)


def test_rating_in_a_damaged_file(tmp_path: Path) -> None:
    for name, content in damaged_files(random.Random(2), FILES // 2):
        path = tmp_path / name
        path.write_bytes(content)
        rating = rating_tag_reader.read(path)
        assert rating is None or 0 <= rating <= 10
        path.unlink()


@pytest.fixture(params=sorted(TINY) if FILES >= MANY else FEW_TINY)
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / request.param
    path.write_bytes(of_tiny_parts(request.param))
    age(path)
    yield path
    path.unlink()


async def test_millions_of_tiny_parts_are_read_within_limits(
    tiny: Path, readers: WorkerPool
) -> None:
    (file,) = await read_all(tiny.parent, [Uri(tiny.name)], readers)

    assert lost([file]) == {}
    assert "memory" not in (file.problem or "")


@pytest.mark.parametrize("name", ["wav", "m4a"])
def test_preallocated_zeros_are_skipped(name: str, tmp_path: Path) -> None:
    song = tmp_path / f"song.{name}"
    song.write_bytes(healthy()[name])
    whole = read(str(song), Uri(song.name))
    with song.open("r+b") as file:
        file.truncate(4 << 30)

    tail = read(str(song), Uri(song.name))

    assert whole is not None
    assert tail is not None
    assert tail.problem or tail.track_id == whole.track_id
