"""Choosing and queueing, with a player that does what the test says."""

import asyncio
from typing import Any

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.errors import PlayerUnavailable, PreconditionFailed
from anagnorisisd.events import Events, LibraryChanged, PickQueued, TrackRated
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.service import PickService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import add_tracks, scanned, track_id
from tests.support.until import until_async

SONGS = {f"{letter}.ogg": 200.0 for letter in "abcdefghij"}


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    return FakePlayer(clock, SONGS)


def pick_service(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock, **config: object
) -> PickService:
    return PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks.model_validate(config),
        seed=1,
    )


async def uris(player: FakePlayer) -> list[str]:
    return [entry.uri for entry in await player.queue()]


async def test_every_pick_is_announced_and_explained(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()

    with events.subscribe() as announcements:
        await picks.queue_manager.refill(await player.state())
        told = [entry.event for entry in announcements.arrived()]

    queued = (await uris(player))[1:]
    assert [event.uri for event in told if isinstance(event, PickQueued)] == queued
    ahead = await picks.ahead()
    assert [pick.track_id for pick in ahead] == [track_id(uri) for uri in queued]
    assert all(0 < pick.explanation.probability <= 1 for pick in ahead)


async def test_refilling_twice_is_refilling_once(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    state = await player.state()

    for _ in range(3):
        await picks.queue_manager.refill(state)

    assert len(await uris(player)) == 4


async def test_a_pick_that_is_rated_while_it_waits_is_shown_with_that_rating(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    before = await picks.ahead()

    change = await stores.ratings.rate(before[1].track_id, 9, at=0.0, source="test")
    events.publish(TrackRated(change))
    await picks.queue_manager.refill(await player.state())
    after = {pick.track_id: pick.explanation for pick in await picks.ahead()}

    assert before[1].explanation.rating_source == "mean"
    assert after[before[1].track_id].rating_source == "rating"
    assert after[before[1].track_id].rating == 9


class Hesitant(FakePlayer):
    """Takes its time to answer after it has added an entry."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, SONGS)
        self.added = asyncio.Event()

    async def enqueue(self, uri: Uri) -> SongId:
        song_id = await super().enqueue(uri)
        self.added.set()
        await asyncio.sleep(0)
        return song_id


async def test_a_pick_that_was_being_added_when_the_daemon_stopped_is_still_ours(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    player = Hesitant(clock)
    player.add("a.ogg")
    await player.play()
    state = await player.state()

    stopped = asyncio.ensure_future(
        pick_service(stores, player, events, clock).queue_manager.refill(state)
    )
    await player.added.wait()
    stopped.cancel()
    await asyncio.wait({stopped})
    await pick_service(stores, player, events, clock).queue_manager.refill(state)

    assert stopped.cancelled()
    assert len(await uris(player)) == 4


async def test_a_library_that_mpd_does_not_know_is_not_asked_for_all_the_time(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *(f"unknown/{number}.ogg" for number in range(100)))
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())
    asked = len(player.updates)
    await picks.queue_manager.refill(await player.state())
    at_once = len(player.updates)
    clock.jump(20)
    await picks.queue_manager.refill(await player.state())

    assert 0 < asked <= 15
    assert at_once == asked
    assert len(set(player.updates)) == len(player.updates) > asked


async def test_the_first_tracks_of_a_library_are_picked_at_once(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    assert "no tracks yet" in (picks.reason or "")

    await add_tracks(stores, *SONGS)
    events.publish(LibraryChanged())
    await picks.queue_manager.refill(await player.state())

    assert len(await uris(player)) == 4
    assert picks.reason is None


async def test_a_file_that_mpd_learns_of_is_picked_then(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, "new.ogg")
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())

    player.database[Uri("new.ogg")] = 200.0
    picks.queue_manager.database_updated()
    await picks.queue_manager.refill(await player.state())

    assert await uris(player) == ["a.ogg", "new.ogg"]


async def test_neighbours_are_by_different_artists(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    artists = dict(zip(SONGS, "XXXXXXXYZW", strict=True))
    await stores.library.absorb(
        [scanned(uri, tags=Tags(artist=artist)) for uri, artist in artists.items()], 0.0
    )
    picks = pick_service(stores, player, events, clock, artist_spread=3)
    player.add("a.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())

    assert sorted(artists[uri] for uri in await uris(player)) == ["W", "X", "Y", "Z"]


@pytest.mark.parametrize("artists", [("Queen", "Pink Floyd"), ("The Beatles", "ABBA")])
@pytest.mark.parametrize("of", ["artist", "album"])
async def test_no_name_follows_itself_whatever_it_is(
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
    artists: tuple[str, str],
    of: str,
) -> None:
    named = dict(zip(SONGS, artists * 5, strict=True))
    tags = {name: Tags(artist=name) if of == "artist" else Tags(album=name) for name in artists}
    await stores.library.absorb([scanned(uri, tags=tags[name]) for uri, name in named.items()], 0.0)
    picks = pick_service(stores, player, events, clock, **{f"{of}_spread": 1, "ahead": 8})
    player.add("a.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())

    assert [named[uri] for uri in await uris(player)] == [*artists * 4, artists[0]]


async def test_our_entries_are_replanned_at_most_every_few_seconds(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    tracks = await add_tracks(stores, *SONGS)
    for track in tracks:
        await stores.ratings.rate(track, 7, at=0.0, source="test")
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())

    async def dislike(position: int) -> str:
        uri = (await uris(player))[position]
        change = await stores.ratings.rate(track_id(uri), 0, at=clock.now(), source="test")
        events.publish(TrackRated(change))
        await picks.queue_manager.refill(await player.state())
        return uri

    first = await dislike(2)
    after_first = await uris(player)
    second = await dislike(2)
    at_once = await uris(player)
    clock.jump(6)
    await picks.queue_manager.refill(await player.state())
    later = await uris(player)

    assert first not in after_first
    assert at_once == after_first
    assert second not in later
    assert [len(queue) for queue in (after_first, at_once, later)] == [4, 4, 4]


async def test_a_player_that_goes_away_in_the_middle_leaves_no_harm(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    state = await player.state()

    player.vanish()
    with pytest.raises(PlayerUnavailable):
        await picks.queue_manager.refill(state)
    player.come_back()
    picks.queue_manager.reconnected()
    await picks.queue_manager.refill(await player.state())

    assert len(await uris(player)) == 4


async def test_picks_are_shown_although_one_of_them_is_removed_meanwhile(
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracks = await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    waiting = await uris(player)
    # Every reason is to be worked out anew, for which the library is read.
    change = await stores.ratings.rate(tracks[0], 9, at=0.0, source="test")
    events.publish(TrackRated(change))
    await picks.queue_manager.refill(await player.state())
    change = await stores.ratings.rate(tracks[0], 8, at=0.0, source="test")
    events.publish(TrackRated(change))
    read = stores.library.refreshed
    under_way: list[asyncio.Task[None]] = []

    async def read_while_an_entry_goes(*arguments: Any) -> Any:
        if not under_way:
            await player.remove((await player.queue())[2].song_id)
            under_way.append(asyncio.create_task(picks.queue_manager.refill(await player.state())))
            await until_async(lambda: _has_gone(stores, waiting[2]))
        return await read(*arguments)

    monkeypatch.setattr(stores.library, "refreshed", read_while_an_entry_goes)
    shown = await picks.ahead()
    await asyncio.gather(*under_way)

    assert under_way
    assert [pick.track_id for pick in shown] == [track_id(uri) for uri in waiting[1:]]


async def _has_gone(stores: Stores, uri: str) -> bool:
    return track_id(uri) not in (await stores.queue.entries()).values()


async def test_a_missing_track_cannot_be_explained(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, "a.ogg", "b.ogg")
    await stores.library.mark_missing([Uri("b.ogg")], 1.0)
    picks = pick_service(stores, player, events, clock)

    assert (await picks.explain(track_id("a.ogg"))).candidates == 1
    with pytest.raises(PreconditionFailed, match="missing"):
        await picks.explain(track_id("b.ogg"))


async def test_candidates_follow_what_is_announced(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, "a.ogg")
    picks = pick_service(stores, player, events, clock)
    assert len(await picks.preview(10, seed=1)) == 1

    await add_tracks(stores, "b.ogg")
    events.publish(LibraryChanged(added=(track_id("b.ogg"),)))
    assert len(await picks.preview(10, seed=1)) == 2

    await stores.ratings.rate(track_id("b.ogg"), 9, at=0.0, source="test")
    change = RatingChange(Rating(1, track_id("b.ogg"), 9.0, 0.0, "test"), None)
    events.publish(TrackRated(change))
    assert (await picks.explain(track_id("b.ogg"))).rating == 9


async def test_other_wishes_hold_from_the_next_refill_on(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock, ahead=1)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    assert len(await uris(player)) == 2

    picks.reconfigure(schema.Picks(ahead=4))
    await picks.queue_manager.refill(await player.state())

    assert len(await uris(player)) == 5


async def test_what_is_excluded_now_is_exchanged(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    songs = [f"{folder}/{number}.ogg" for folder in ("old", "new") for number in range(5)]
    player.database |= dict.fromkeys(map(Uri, songs), 200.0)
    await add_tracks(stores, *songs)
    picks = pick_service(stores, player, events, clock, exclude_folders=["new"])
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    assert {uri.split("/")[0] for uri in (await uris(player))[1:]} == {"old"}

    picks.reconfigure(schema.Picks(exclude_folders=("old",)))
    clock.jump(10)
    await picks.queue_manager.refill(await player.state())

    assert {uri.split("/")[0] for uri in (await uris(player))[1:]} == {"new"}


async def test_excluded_are_the_tracks_that_the_configuration_in_force_says(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await stores.library.absorb(
        [scanned("a.ogg", tags=Tags(genre="Pop/Christmas")), scanned("Speech/b.ogg")], 0.0
    )
    picks = pick_service(stores, player, events, clock, exclude_genres=["christmas"])

    by_genre = await picks.excluded()
    picks.reconfigure(schema.Picks(exclude_folders=("Speech",)))
    by_folder = await picks.excluded()
    picks.reconfigure(schema.Picks())

    assert set(by_genre) == {track_id("a.ogg")}
    assert set(by_folder) == {track_id("Speech/b.ogg")}
    assert not await picks.excluded()


@pytest.mark.parametrize("second", ["Alpha; Beta", "Alpha feat. Beta", "Beta & Alpha"])
async def test_a_spread_holds_between_all_artists_of_a_track(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock, second: str
) -> None:
    artists = {"a.ogg": "Alpha", "b.ogg": second, "c.ogg": "Beta", "d.ogg": "Gamma"}
    await stores.library.absorb(
        [scanned(uri, tags=Tags(artist=artist)) for uri, artist in artists.items()], 0.0
    )
    picks = pick_service(stores, player, events, clock, artist_spread=1, ahead=1)
    player.add("b.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())

    assert await uris(player) == ["b.ogg", "d.ogg"]


async def test_picking_is_off_in_the_configuration_until_the_listener_says_else(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = pick_service(stores, player, events, clock)
    await picks.queue_manager.restore()

    picks.reconfigure(schema.Picks(enabled=False))
    assert not picks.enabled

    await picks.switch(True)
    picks.reconfigure(schema.Picks(enabled=False))
    assert picks.enabled


async def test_our_entries_are_known_although_the_link_broke_while_one_was_being_added(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    first, second = player.add("a.ogg", "b.ogg")
    state, entries = await player.state(), await player.queue()
    tracks = {first: track_id("a.ogg"), second: track_id("b.ogg")}
    owned = OwnedEntries(stores.queue, clock)
    await owned.reconcile(state, entries, tracks)
    await owned.add(first, track_id("a.ogg"))

    adding = asyncio.create_task(owned.add(second, track_id("b.ogg")))
    await asyncio.sleep(0)
    owned.invalidate()
    await adding
    await owned.reconcile(state, entries, tracks)

    assert owned.tracks == tracks
