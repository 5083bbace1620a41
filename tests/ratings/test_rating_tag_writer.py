"""Ratings written into file tags: every format, without a change of the audio."""

# mypy: disable-error-code="no-untyped-call"

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, POPM, TIT2, ID3NoHeaderError

from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.events import Events
from anagnorisisd.library import media_file
from anagnorisisd.library.audio_hash import identify
from anagnorisisd.library.tags import read_tags
from anagnorisisd.ratings import fmps_rating_tag, rating_tag_reader, rating_tag_writer
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.importable_ratings import ImportableRatings
from anagnorisisd.ratings.rating_tag_writer import DELAY_SECONDS, RatingTagWriter
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.damage import of_tiny_parts
from tests.support.library import STAMP
from tests.support.media import FORMATS, READ_ONLY, copy_sample, retag, untag, write_song
from tests.support.rpc import thread_pool
from tests.support.until import until

TAGGED = sorted({*FORMATS, *READ_ONLY} - {"aac"})


def identity(path: Path) -> TrackId:
    with path.open("rb") as file:
        return identify(file)[1]


def tags_of(path: Path) -> Tags:
    with path.open("rb") as file:
        return read_tags(file, identify(file)[0])[0]


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
@pytest.mark.parametrize("name", TAGGED)
def test_write_change_and_remove_a_rating(name: str, tagged: bool, tmp_path: Path) -> None:
    if name in READ_ONLY:
        song = copy_sample(name, tmp_path)
    else:
        song = write_song(tmp_path / f"song.{name}")
    if tagged:
        retag(song, "Täglich ☂", cover=True)
    track_id, tags = identity(song), tags_of(song)

    for rating in (7.3, 0.0, 10.0, None):
        assert rating_tag_writer.write(song, track_id, rating)
        assert rating_tag_reader.read(song) == rating
        assert (identity(song), tags_of(song)) == (track_id, tags)
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


@given(st.floats(min_value=0, max_value=10))
def test_round_trip_keeps_all_digits(rating: float) -> None:
    assert (
        rating_tag_reader.scale(fmps_rating_tag.tag_text(rating), fmps_rating_tag.SCALE) == rating
    )


def test_file_with_the_same_rating_is_unchanged(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    tags.add(POPM(email="no@email", rating=196, count=0))
    tags.save(song)
    before = song.stat()

    assert not rating_tag_writer.write(song, identity(song), 8.0)
    assert not rating_tag_writer.write(song, identity(song), None)

    assert song.stat().st_mtime_ns == before.st_mtime_ns
    assert rating_tag_reader.read(song) == 8.0


def test_mode_and_link_are_kept_and_mtime_is_new(tmp_path: Path) -> None:
    song = write_song(tmp_path / "real" / "song.flac")
    song.chmod(0o640)
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    before = song.stat()

    rating_tag_writer.write(link, identity(song), 8)

    after = song.stat()
    assert link.is_symlink()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_mtime_ns > before.st_mtime_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_is_kept(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.ogg")
    os.chown(song, 1234, 4321)

    rating_tag_writer.write(song, identity(song), 8)

    assert (song.stat().st_uid, song.stat().st_gid) == (1234, 4321)


def test_file_with_ape_tag_gets_no_id3_tag(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    tags = APEv2()
    tags["Title"] = "At the end"
    tags.save(song)

    rating_tag_writer.write(song, identity(song), 6.5)

    assert rating_tag_reader.read(song) == 6.5
    assert tags_of(song).title == "At the end"


LONG = "A title that is longer than thirty characters"


def add_ape_and_id3v1_tags(song: Path, items: dict[str, str], *, between: bytes = b"") -> bytes:
    """Give a file an APEv2 tag, and after it the ID3v1 tag that older players read."""
    tags = APEv2()
    tags.update(items)
    tags.save(song)
    short = b"TAG" + LONG.encode()[:30] + b"Somebody".ljust(30, b"\0") + bytes(65)
    with song.open("ab") as file:
        file.write(between + short)
    return between + short


LYRICS = b"LYRICSBEGININD0000200LYR00004Word"
LYRICS += b"%06dLYRICS200" % len(LYRICS)


@pytest.mark.parametrize("between", [b"", LYRICS], ids=["v1", "lyrics"])
def test_id3v1_beside_an_ape_tag(between: bytes, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    short = add_ape_and_id3v1_tags(song, {"Title": LONG}, between=between)
    track_id, tags = identity(song), tags_of(song)
    assert (tags.title, tags.artist) == (LONG, "Somebody")

    for rating in (6.5, 0.0, None):
        assert rating_tag_writer.write(song, track_id, rating)
        assert rating_tag_reader.read(song) == rating
        assert (identity(song), tags_of(song)) == (track_id, tags)
        assert song.read_bytes().endswith(short)
        with pytest.raises(ID3NoHeaderError):
            ID3(song, load_v1=False)
    assert APEv2(song)["Title"] == LONG


@pytest.mark.parametrize(("name", "text"), [("FMPS_Rating", "0.65"), ("RATING", "65")])
def test_rating_in_the_ape_tag_beside_an_id3_tag_without_one(
    name: str, text: str, tmp_path: Path
) -> None:
    song = write_song(tmp_path / "song.mp3")
    retag(song, "Title")
    tags = APEv2()
    tags[name] = text
    tags.save(song)
    assert ID3(song, load_v1=False)["TIT2"] == ["Title"]

    assert rating_tag_reader.read(song) == 6.5

    assert rating_tag_writer.write(song, identity(song), 8.0)
    assert rating_tag_reader.read(song) == 8.0


def test_cleared_rating_is_removed_from_both_tags(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    retag(song, "Title")
    add_ape_and_id3v1_tags(song, {"Title": LONG, "FMPS_Rating": "0.65"})
    assert rating_tag_writer.write(song, identity(song), 8.0)

    assert rating_tag_writer.write(song, identity(song), None)

    assert rating_tag_reader.read(song) is None
    assert APEv2(song)["Title"] == LONG
    assert song.read_bytes()[-128:].startswith(b"TAG"), "the ID3v1 tag is still there"


@pytest.mark.parametrize("name", ["tone.ape", "version-7.mpc"])
def test_id3v1_after_an_ape_tag_is_kept(name: str, tmp_path: Path) -> None:
    song = copy_sample(name, tmp_path)
    short = add_ape_and_id3v1_tags(song, {"Title": LONG})

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert song.read_bytes().endswith(short)
    assert rating_tag_reader.read(song) == 6.5
    assert tags_of(song).title == LONG


def test_id3v1_alone_keeps_its_text(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    short = b"TAG" + b"Short".ljust(30, b"\0") + b"Somebody".ljust(30, b"\0") + bytes(65)
    song.write_bytes(song.read_bytes() + short)

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert (tags_of(song).title, tags_of(song).artist) == ("Short", "Somebody")
    assert rating_tag_reader.read(song) == 6.5


def test_other_hard_link_keeps_the_old_file(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac")
    other = tmp_path / "other.flac"
    other.hardlink_to(song)
    before = other.read_bytes()

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert rating_tag_reader.read(song) == 6.5
    assert other.read_bytes() == before


def test_id3_version_is_kept(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    tags.add(TIT2(encoding=1, text=["Old"]))
    tags.save(song, v2_version=3)

    rating_tag_writer.write(song, identity(song), 6.5)

    assert ID3(song).version == (2, 3, 0)


def test_format_without_tags(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.aac")
    with pytest.raises(MediaError, match="aac has no tags"):
        rating_tag_writer.write(song, identity(song), 8)


def test_file_with_other_audio_is_not_changed(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac", seed=1)
    before = song.read_bytes()
    with pytest.raises(MediaError, match="holds other audio"):
        rating_tag_writer.write(song, TrackId("0" * 32), 8)
    assert song.read_bytes() == before


def test_changed_audio_is_detected_before_replacing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_song(tmp_path / "song.flac")
    track_id, before = identity(song), song.read_bytes()

    def harm(self: FLAC) -> None:
        path = Path(str(self.filename))
        path.write_bytes(path.read_bytes()[:-1] + b"!")

    monkeypatch.setattr(FLAC, "save", harm)
    with pytest.raises(MediaError, match="would have changed its audio"):
        rating_tag_writer.write(song, track_id, 8)
    assert song.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


def test_gone_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not found"):
        rating_tag_writer.write(tmp_path / "gone.flac", TrackId("0" * 32), 8)


@pytest.mark.slow
async def test_million_tag_frames_are_not_read_in_the_daemon(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(of_tiny_parts("frames of a tag.mp3"))
    before = song.stat()
    with song.open("rb") as file:
        _, track_id = identify(file)
    pool = WorkerPool(name="reading", size=1, idle_seconds=60)
    try:
        with pytest.raises(MediaError, match=r"take too (much|many)"):
            await rating_tag_writer.check_and_write(song, track_id, 8, pool)
    finally:
        await pool.close()

    assert song.stat() == before


async def test_pipe_in_place_of_a_song(stores: Stores, clock: FakeClock, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "song.mp3")
    readers = thread_pool()

    importable = ImportableRatings(stores.library, FakePlayer(clock), tmp_path.joinpath, readers)
    assert await importable.tag_rating(Uri("song.mp3")) is None
    with pytest.raises(MediaError, match="not a regular file"):
        await rating_tag_writer.check_and_write(
            tmp_path / "song.mp3", TrackId("0" * 32), 8, readers
        )


# The service that writes them.

A = Uri("a.flac")


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
def ratings(stores: Stores, events: Events, clock: FakeClock) -> RatingService:
    return RatingService(stores.ratings, events, clock)


async def taken_in(stores: Stores, folder: Path, *uris: Uri) -> list[TrackId]:
    """Read files as a scan does, and store them."""
    files = media_file.read_many(str(folder), uris)
    await stores.library.store_files(files, 0)
    return [file.track_id for file in files if file.track_id]


@asynccontextmanager
async def tagging(
    stores: Stores, events: Events, clock: FakeClock, folder: Path
) -> AsyncIterator[None]:
    service = RatingTagWriter(
        path=folder.joinpath,
        workers=thread_pool(),
        library=stores.library,
        store=stores.ratings,
        events=events,
        clock=clock,
    )
    running = asyncio.create_task(service.run())
    await until(lambda: events.watchers == 1)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def after_the_pause(clock: FakeClock) -> None:
    await until(lambda: clock.sleepers > 0)
    await clock.advance(DELAY_SECONDS)


async def test_rating_is_written_and_removed_when_cleared(
    stores: Stores, events: Events, clock: FakeClock, ratings: RatingService, tmp_path: Path
) -> None:
    song = write_song(tmp_path / A)
    (track,) = await taken_in(stores, tmp_path, A)

    async with tagging(stores, events, clock, tmp_path):
        for value in (6.0, 7.0, 7.5):
            await ratings.rate(track, value, source="test")
        await after_the_pause(clock)
        await until(lambda: rating_tag_reader.read(song) == 7.5)
        await ratings.clear(track, source="test")
        await after_the_pause(clock)
        await until(lambda: rating_tag_reader.read(song) is None)


async def test_tagged_file_is_the_same_track(
    stores: Stores, events: Events, clock: FakeClock, ratings: RatingService, tmp_path: Path
) -> None:
    song = write_song(tmp_path / A)
    (track,) = await taken_in(stores, tmp_path, A)
    await ratings.rate(track, 9, source="test")

    async with tagging(stores, events, clock, tmp_path):
        await until(lambda: rating_tag_reader.read(song) == 9)

    absorbed = await stores.library.store_files(media_file.read_many(str(tmp_path), [A]), 1)
    assert (absorbed.added, absorbed.moved, absorbed.changed) == ((), 0, 1)
    assert (await stores.library.track(track, STAMP)).rating == 9


async def test_own_tag_is_not_imported(
    stores: Stores, events: Events, clock: FakeClock, ratings: RatingService, tmp_path: Path
) -> None:
    song = write_song(tmp_path / A)
    (track,) = await taken_in(stores, tmp_path, A)
    await ratings.rate(track, 9, source="test")
    async with tagging(stores, events, clock, tmp_path):
        await until(lambda: rating_tag_reader.read(song) == 9)

    importable = ImportableRatings(
        stores.library, FakePlayer(clock), tmp_path.joinpath, thread_pool()
    )
    import_export = ImportExport(
        library=stores.library,
        history=stores.ratings,
        plays=stores.plays,
        ratings=ratings,
        clock=clock,
        stamp=STAMP,
    )
    entries = [entry async for entry in importable.in_tags()]
    await import_export.import_entries(entries, dry_run=False)

    assert [entry.source for entry in await stores.ratings.history(limit=10)] == ["test"]


@pytest.mark.slow
async def test_write_error_is_logged_once(
    stores: Stores,
    events: Events,
    clock: FakeClock,
    ratings: RatingService,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = [Uri("gone1.flac"), Uri("gone2.flac")]
    for seed, uri in enumerate((*gone, A)):
        write_song(tmp_path / uri, seed)
    tracks = await taken_in(stores, tmp_path, *gone, A)
    for uri in gone:
        (tmp_path / uri).unlink()

    with caplog.at_level(logging.WARNING):
        async with tagging(stores, events, clock, tmp_path):
            for track in tracks:
                await ratings.rate(track, 8, source="test")
            await after_the_pause(clock)
            await until(lambda: rating_tag_reader.read(tmp_path / A) == 8)
            for track in tracks[:2]:
                await ratings.rate(track, 7, source="test")
            await after_the_pause(clock)
            await ratings.rate(tracks[2], 7, source="test")
            await after_the_pause(clock)
            await until(lambda: rating_tag_reader.read(tmp_path / A) == 7)

    (line,) = (record.message for record in caplog.records)
    assert line.endswith("into its tags: not found")
