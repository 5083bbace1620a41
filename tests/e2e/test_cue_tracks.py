"""Tracks of cue sheets, whole files and parts: played, skipped, rated in each way, and moved."""

from collections.abc import AsyncIterator, Iterator

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.events import LibraryChanged, PredictionsUpdated
from anagnorisisd.library import media_file
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.cue_sheets import track
from tests.support.library import STAMP, scanned, track_id
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

SECONDS = 60.0
PARTS = tuple(f"album/image.cue/track{number:04}" for number in (1, 2, 3))
WHOLE = "album/disc.cue/track0001"
SHEETS = {
    "album/image.cue": 'FILE "image.wav" WAVE\n'
    + "".join(track(n, f"Part {n}", f"01 00:{20 * (n - 1):02}:00") for n in (1, 2, 3)),
    "album/disc.cue": 'FILE "file.wav" WAVE\n' + track(1, "Whole"),
}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    folder = tmp_path_factory.mktemp("cue")
    # MPD cannot play the tracks of a sheet in its music directory itself.
    (folder / "music" / "album").mkdir(parents=True)
    for name, text in SHEETS.items():
        (folder / "music" / name).write_text(text)
    songs = ["album/image.wav", "album/file.wav"]
    output = mpd.PACED.format(rate=mpd.RATE)
    with mpd.running(folder, songs, seconds=SECONDS, output=output) as running:
        yield running


@pytest.fixture
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    server.mpc("clear")
    async with mpd_services(
        server,
        stores,
        picks=schema.Picks(enabled=False),
        listening=schema.Listening(browsing_seconds=0.5),
        rate=mpd.RATE,
        seconds=SECONDS,
    ) as listening:
        await absorb_sheets(listening)
        yield listening


async def absorb_sheets(listener: MpdServices) -> None:
    """Read the sheets, as a scan does."""
    root = listener.server.music
    read = [media_file.read(f"{root}/{name}", Uri(name)) for name in SHEETS]
    await listener.stores.library.store_files([file for file in read if file is not None], 1.0)
    listener.events.publish(LibraryChanged())


async def at(listener: MpdServices, uri: str) -> TrackId:
    found = await listener.stores.library.track_at(Uri(uri))
    assert found is not None
    return found


async def rated(listener: MpdServices, uri: str, value: float) -> None:
    """Wait until the track at a URI has this rating."""
    identity = await at(listener, uri)

    async def is_rated() -> bool:
        entry = (await listener.stores.ratings.current()).get(identity)
        return entry is not None and entry.value == value

    await until_async(is_rated)


async def test_a_part_that_ends_is_a_full_play_and_one_that_is_left_is_skipped(
    listener: MpdServices,
) -> None:
    for uri in PARTS[:2]:
        await listener.server.ask("add", uri)
    await listener.server.ask("play", "1")

    async def second_is_heard() -> bool:
        state = await listener.player.state()
        return state.uri == PARTS[1] and (state.elapsed_seconds or 0.0) > 6.0

    await until_async(second_is_heard)
    await listener.server.ask("sendmessage", "anagnorisis", "rate 3")
    await rated(listener, PARTS[1], 3.0)
    await listener.server.ask("next")

    async def both_are_judged() -> bool:
        listener.events.publish(PredictionsUpdated(0))  # a reason to look
        return len(await listener.plays()) >= 2

    await until_async(both_are_judged)
    first, second = await listener.plays()
    assert (first.track_id, first.outcome) == (await at(listener, PARTS[0]), PlayOutcome.FULL)
    assert first.duration_seconds == pytest.approx(20.0, abs=0.1)
    assert (second.track_id, second.outcome) == (await at(listener, PARTS[1]), PlayOutcome.SKIP)
    assert await at(listener, PARTS[0]) != await at(listener, PARTS[1])


async def test_ratings_by_sticker_message_and_service(listener: MpdServices) -> None:
    assert await at(listener, WHOLE) == track_id("album/file.wav")

    await listener.server.ask("sticker", WHOLE, "set", "rating", "8")
    await listener.server.ask("sticker", PARTS[0], "set", "rating", "7")
    await listener.server.ask("sendmessage", "anagnorisis", f"rate 6 {PARTS[2]}")

    await rated(listener, WHOLE, 8.0)
    await rated(listener, "album/file.wav", 8.0)
    await rated(listener, PARTS[0], 7.0)
    await rated(listener, PARTS[2], 6.0)
    await until(lambda: listener.sticker("album/file.wav") == "8")
    await until(lambda: listener.sticker(PARTS[2]) == "6")


async def test_a_part_keeps_its_rating_when_it_is_moved_and_retagged(listener: MpdServices) -> None:
    identity, library = await at(listener, PARTS[2]), listener.stores.library
    await listener.ratings.rate(identity, 9.0, source="test")
    await library.mark_missing([Uri("album/image.cue"), Uri("album/image.wav")], 2.0)
    assert identity not in await library.uris([identity])

    folder = listener.server.music / "moved"
    folder.mkdir()
    (folder / "image.cue").write_text(SHEETS["album/image.cue"].replace("Part 3", "Third"))
    sheet = media_file.read(str(folder / "image.cue"), Uri("moved/image.cue"))
    assert sheet is not None
    audio = scanned("moved/image.wav", audio="album/image.wav", duration_seconds=SECONDS)
    await library.store_files([sheet, audio], 3.0)

    moved = "moved/image.cue/track0003"
    assert await library.uris([identity]) == {identity: moved}
    track = await library.track(identity, STAMP)
    assert (track.title, track.rating, track.duration_seconds) == ("Third", 9.0, 20.0)
