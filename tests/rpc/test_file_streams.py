"""Covers and audio files through the socket."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anagnorisis.v1 import library_pb2
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from anagnorisisd.domain.track import FileStamp, Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.cue_sheets import HEADER, image
from tests.support.library import EPOCH, scanned
from tests.support.media import age, write_song
from tests.support.pictures import RED, is_colour, picture
from tests.support.rpc import House, Line, refused, serving
from tests.support.until import until

SONG = Target(uri="a.flac")
MEBIBYTE = 1 << 20


@pytest.fixture
def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> House:
    return House.build(stores, clock, tmp_path / "music")


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    write_song(tmp_path / "music" / "a.flac", seconds=9.0)
    async with serving(house, tmp_path / "sock") as opened:
        async for _ in opened.library.ScanLibrary(library_pb2.ScanLibraryRequest()):
            pass
        yield opened


async def audio(
    line: Line, target: Target, offset: int = 0, length: int = 0
) -> tuple[library_pb2.AudioFile, bytes]:
    request = library_pb2.ReadAudioRequest(target=target, offset=offset, length=length)
    first, *others = [message async for message in line.library.ReadAudio(request)]
    assert first.WhichOneof("part") == "file"
    assert {message.WhichOneof("part") for message in others} <= {"chunk"}
    assert all(0 < len(message.chunk) <= 64 << 10 for message in others)
    return first.file, b"".join(message.chunk for message in others)


async def cover(line: Line, target: Target, pixels: int = 0) -> tuple[library_pb2.Cover, bytes]:
    request = library_pb2.GetCoverRequest(target=target, max_pixels=pixels)
    first, *others = [message async for message in line.library.GetCover(request)]
    assert first.WhichOneof("part") == "cover"
    return first.cover, b"".join(message.chunk for message in others)


async def test_the_whole_file(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "music" / "a.flac"

    file, content = await audio(line, SONG)

    assert content == path.read_bytes()
    assert (file.media_type, file.total_bytes) == ("audio/flac", len(content))
    assert (file.start_seconds, file.HasField("end_seconds")) == (0, False)
    assert len(content) > 256 << 10, "so that it takes several chunks"


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_any_range(line: Line, tmp_path: Path, data: st.DataObject) -> None:
    whole = (tmp_path / "music" / "a.flac").read_bytes()
    offset = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(1, len(whole)) | st.just(2**62))

    _, content = await audio(line, SONG, offset, length)

    assert content == whole[offset : offset + length]


async def test_a_track_of_a_cue_sheet_is_a_part_of_its_file(line: Line, tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_song(music / "album" / "album.flac", seed=3, seconds=10.0)
    sheet = music / "album" / "album.cue"
    sheet.write_text(HEADER + image("album.flac", "One", "Two"))
    age(sheet)
    add = picture(RED)
    (music / "album" / "cover.png").write_bytes(add)
    async for _ in line.library.ScanLibrary(library_pb2.ScanLibraryRequest()):
        pass
    one, two = (Target(uri=f"album/album.cue/track000{number}") for number in (1, 2))

    first, content = await audio(line, one)
    second, again = await audio(line, two)

    assert content == again == (music / "album" / "album.flac").read_bytes()
    assert (first.start_seconds, first.end_seconds) == (0, 4)
    assert (second.start_seconds, second.HasField("end_seconds")) == (4, False)
    assert first.etag == second.etag
    assert is_colour((await cover(line, two))[1], RED)


async def test_requests_that_make_no_sense(line: Line) -> None:
    invalid, total = grpc.StatusCode.INVALID_ARGUMENT, (await audio(line, SONG))[0].total_bytes

    for target, offset, length, field in (
        (Target(), 0, 0, "target"),
        (SONG, -1, 0, "offset"),
        (SONG, total + 1, 0, "offset"),
        (SONG, 0, -1, "length"),
    ):
        error = await refused(audio(line, target, offset, length))
        assert error == (invalid, "INVALID_VALUE", field)
    for pixels in (-1, 15, 2049):
        assert await refused(cover(line, SONG, pixels)) == (invalid, "INVALID_VALUE", "max_pixels")
    for target, code in (
        (Target(uri="none.ogg"), grpc.StatusCode.NOT_FOUND),
        (Target(current=CurrentSong()), grpc.StatusCode.FAILED_PRECONDITION),
    ):
        assert (await refused(audio(line, target)))[0] is code
        assert (await refused(cover(line, target)))[0] is code
    assert (await audio(line, SONG, total))[1] == b""


async def test_only_the_file_that_was_scanned_is_read(line: Line, tmp_path: Path) -> None:
    failed = (grpc.StatusCode.FAILED_PRECONDITION, "PRECONDITION_FAILED", "")
    path, private = tmp_path / "music" / "a.flac", tmp_path / "private"
    private.write_bytes(b"private")

    path.unlink()
    gone = await refused(audio(line, SONG))
    path.symlink_to(private)
    replaced = await refused(audio(line, SONG))
    path.unlink()
    os.mkfifo(path)
    pipe = await refused(audio(line, SONG))

    assert gone == replaced == pipe == failed


async def test_callers_who_do_not_read_cost_nothing(
    house: House, line: Line, tmp_path: Path
) -> None:
    path = tmp_path / "music" / "large.wav"
    with path.open("wb") as file:
        file.truncate(200 * MEBIBYTE)
    status = path.stat()
    large = scanned("large.wav", stamp=FileStamp(status.st_size, status.st_mtime_ns))
    await house.stores.library.store_files([large], EPOCH)
    this, request = psutil.Process(), library_pb2.ReadAudioRequest(target=Target(uri="large.wav"))
    calls = [line.library.ReadAudio(request) for _ in range(20)]
    for call in calls:
        message = await call.read()
        assert isinstance(message, library_pb2.ReadAudioResponse)
        assert message.HasField("file")
    before = this.memory_info().rss

    other = await audio(line, SONG)

    assert this.memory_info().rss - before < 50 * MEBIBYTE, "of 4000"
    # Until all have sent what the connection takes, some may be about to read.
    await until(lambda: str(path) not in {each.path for each in this.open_files()})
    assert other[1]
    for call in calls:
        call.cancel()


async def test_a_cover_and_that_there_is_none(line: Line, tmp_path: Path) -> None:
    none = await refused(cover(line, SONG))
    file = tmp_path / "music" / "Cover.JPG"
    file.write_bytes(picture(RED, "jpg", width=900, height=300))

    small, content = await cover(line, SONG, 90)
    usual, _ = await cover(line, SONG)

    assert none == (grpc.StatusCode.NOT_FOUND, "NO_COVER", "")
    assert (small.media_type, small.width, small.height) == ("image/jpeg", 90, 30)
    assert (usual.width, usual.height) == (512, 171)
    assert small.total_bytes == len(content)
    assert is_colour(content, RED)
    assert small == (await cover(line, SONG, 90))[0]
    assert small.etag != usual.etag


async def test_a_missing_track_has_neither(house: House, line: Line) -> None:
    failed = (grpc.StatusCode.FAILED_PRECONDITION, "PRECONDITION_FAILED", "")
    await house.stores.library.mark_missing([Uri("a.flac")], EPOCH)

    assert await refused(audio(line, SONG)) == failed
    assert await refused(cover(line, SONG)) == failed
