"""Albums with a real MPD: in the order of their tags, skipped as a whole, and continued."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from mutagen.flac import FLAC

from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import Tags
from anagnorisisd.events import LibraryChanged
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import scanned
from tests.support.media import write_song
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until

pytestmark = pytest.mark.slow

SECONDS = 20.0
TRACKS = 3
ORDERS = {
    "red": ["red/3.flac", "red/2.flac", "red/1.flac"],  # by track numbers
    "green": ["green/CD2/1.flac", "green/CD1/1.flac", "green/CD1/2.flac"],  # by disc numbers
    "blue": ["blue/1.flac", "blue/2.flac", "blue/10.flac"],  # no numbers: by names
}
SINGLES = ["single a.flac", "single b.flac", "single c.flac", "single d.flac"]
"""Without an album tag: a third of the files."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    folder = tmp_path_factory.mktemp("albums")
    for uri in [*SINGLES, *(uri for order in ORDERS.values() for uri in order)]:
        song = FLAC(write_song(folder / "music" / uri, seconds=SECONDS))  # type: ignore[no-untyped-call]
        album = uri.partition("/")[0]
        if album in ORDERS:
            song["album"] = album
        if album == "red":
            song["tracknumber"] = f"{4 - int(uri[-6])}/3"
        if album == "green":
            song["discnumber"] = "1" if "CD2" in uri else "2"
            song["tracknumber"] = uri[-6]
        song.save()
    with mpd.running(folder) as running:
        yield running


@asynccontextmanager
async def listening(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    """Let the services pick albums."""
    picks = schema.Picks(unit=schema.PickUnit.ALBUM, ahead=1, album_minimum_tracks=3)
    judging = schema.Listening(skip_after_seconds=0, browsing_seconds=0)
    async with mpd_services(server, stores, picks=picks, listening=judging) as opened:
        files = [
            scanned(uri, tags=Tags(album=album), duration_seconds=SECONDS)
            for album, order in ORDERS.items()
            for uri in order
        ]
        await stores.library.store_files(files, 1.0)
        opened.events.publish(LibraryChanged())
        yield opened


@pytest.mark.parametrize(("consume", "crossfade"), [("off", "0"), ("on", "2")])
async def test_albums(server: mpd.Mpd, stores: Stores, consume: str, crossfade: str) -> None:
    server.mpc("clear")
    server.mpc("crossfade", crossfade)
    server.mpc("consume", consume)

    async with listening(server, stores) as listener:
        server.mpc("add", SINGLES[0])
        server.mpc("play")
        queue = await listener.queue_of(1 + TRACKS)
        first = queue[1:]
        assert first in ORDERS.values()

        server.mpc("next")
        kept = [] if consume == "on" else queue[:1]
        queue = await listener.queue_of(len(kept) + 2 * TRACKS)
        second = queue[-TRACKS:]
        assert queue == [*kept, *first, *second]
        assert second in ORDERS.values()

    async with listening(server, stores) as listener:  # restarted in the middle of an album
        await listener.looked()
        assert listener.queue() == queue

        await server.ask("sendmessage", "anagnorisis", "skip album")
        await until(lambda: server.mpc("current", "-f", "%file%") == second[0])
        kept = [*kept, *second] if consume == "on" else [*kept, first[0], *second]
        await until(lambda: listener.queue()[: len(kept)] == kept)
        queue = await listener.queue_of(len(kept) + TRACKS)
        assert queue[-TRACKS:] in ORDERS.values()

        await listener.looked()
        plays = await listener.plays()
        assert [play.outcome for play in plays].count(PlayOutcome.SKIP) == len(plays) == 2
