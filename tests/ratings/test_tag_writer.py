"""Ratings find their way into the files, and the library goes on as if nothing happened."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.events import Events
from anagnorisisd.library import media_file
from anagnorisisd.ratings import rating_tag_reader
from anagnorisisd.ratings.external_ratings import ExternalRatings
from anagnorisisd.ratings.import_export import ImportExport
from anagnorisisd.ratings.rating_tag_writer import DELAY_SECONDS, RatingTagWriter
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import STAMP
from tests.support.media import write_song
from tests.support.rpc import thread_pool
from tests.support.until import until

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
    await stores.library.absorb(files, 0)
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


async def test_rating_reaches_the_file_and_leaves_it_with_its_clearing(
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


async def test_track_stays_the_same_and_is_not_embedded_anew(
    stores: Stores, events: Events, clock: FakeClock, ratings: RatingService, tmp_path: Path
) -> None:
    song = write_song(tmp_path / A)
    (track,) = await taken_in(stores, tmp_path, A)
    await ratings.rate(track, 9, source="test")

    async with tagging(stores, events, clock, tmp_path):
        await until(lambda: rating_tag_reader.read(song) == 9)

    absorbed = await stores.library.absorb(media_file.read_many(str(tmp_path), [A]), 1)
    assert (absorbed.added, absorbed.moved, absorbed.changed) == ((), 0, 1)
    assert (await stores.library.track(track, STAMP)).rating == 9


async def test_what_was_written_is_not_imported_as_news(
    stores: Stores, events: Events, clock: FakeClock, ratings: RatingService, tmp_path: Path
) -> None:
    song = write_song(tmp_path / A)
    (track,) = await taken_in(stores, tmp_path, A)
    await ratings.rate(track, 9, source="test")
    async with tagging(stores, events, clock, tmp_path):
        await until(lambda: rating_tag_reader.read(song) == 9)

    external = ExternalRatings(stores.library, FakePlayer(clock), tmp_path.joinpath, thread_pool())
    import_export = ImportExport(
        library=stores.library,
        history=stores.ratings,
        plays=stores.plays,
        ratings=ratings,
        clock=clock,
        stamp=STAMP,
    )
    entries = [entry async for entry in external.in_tags()]
    await import_export.import_entries(entries, dry_run=False)

    assert [entry.source for entry in await stores.ratings.history(limit=10)] == ["test"]


async def test_same_trouble_is_said_once_and_stops_nothing(
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
