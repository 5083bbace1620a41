"""The picks service and its queue manager, with a fake player."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.steering import Steering, TagWish
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.errors import PlayerUnavailable, PreconditionFailed
from anagnorisisd.events import Events, LibraryChanged, PickQueued, SteeringChanged, TrackRated
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.service import PickService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import add_tracks, scanned, track_id
from tests.support.steering import STYLES, add_styles, songs, steering_service
from tests.support.until import until_async

SONGS = {f"{letter}.ogg": 200.0 for letter in "abcdefghij"}


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    return FakePlayer(clock, SONGS)


def pick_service(
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
    **config: object,
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


async def test_picks_are_published_and_explained(
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


async def test_refilling_twice_adds_nothing_more(
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


async def test_an_entry_removed_after_the_state_was_read(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    first, second = player.add("a.ogg", "b.ogg")
    await player.play()
    player.jump(second)
    await picks.queue_manager.refill(await player.state())
    before = await uris(player)
    state = await player.state()
    await player.remove(first)

    await picks.queue_manager.refill(state)

    assert await uris(player) == before[1:]


async def test_rating_a_queued_pick_updates_its_explanation(
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


async def test_stopping_while_a_pick_is_added_keeps_it_owned(
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


async def test_tracks_unknown_to_mpd_are_retried_after_a_pause(
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


@pytest.mark.parametrize("obstacle", ["full", "refused"])
@pytest.mark.parametrize("meanwhile", ["repeat", "switched off"])
async def test_the_reason_for_no_picks_returns_when_another_one_ends(
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
    obstacle: str,
    meanwhile: str,
) -> None:
    await add_tracks(stores, *(SONGS if obstacle == "full" else ["unknown.ogg"]))
    player.capacity = 1 if obstacle == "full" else 100
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    reason = picks.reason
    assert reason is not None

    player.modes = replace(player.modes, repeat=meanwhile == "repeat")
    await picks.switch(meanwhile == "repeat")
    await picks.queue_manager.refill(await player.state())
    assert picks.reason != reason

    player.modes = replace(player.modes, repeat=False)
    await picks.switch(True)
    await picks.queue_manager.refill(await player.state())

    assert picks.reason == reason


async def test_the_first_tracks_are_picked_at_once(
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


async def test_a_file_is_picked_after_mpd_has_updated_its_database(
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


@pytest.mark.parametrize("artists", [("Queen", "Pink Floyd"), ("The Beatles", "ABBA")])
@pytest.mark.parametrize("of", ["artist", "album"])
async def test_no_artist_or_album_follows_itself(
    stores: Stores,
    player: FakePlayer,
    events: Events,
    clock: FakeClock,
    artists: tuple[str, str],
    of: str,
) -> None:
    named = dict(zip(SONGS, artists * 5, strict=True))
    tags = {name: Tags(artist=name) if of == "artist" else Tags(album=name) for name in artists}
    await stores.library.store_files(
        [scanned(uri, tags=tags[name]) for uri, name in named.items()], 0.0
    )
    picks = pick_service(stores, player, events, clock, **{f"{of}_spread": 1, "ahead": 8})
    player.add("a.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())

    assert [named[uri] for uri in await uris(player)] == [*artists * 4, artists[0]]


async def test_picks_are_replaced_at_most_every_few_seconds(
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


async def test_a_lost_connection_during_a_refill(
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


async def test_an_entry_removed_while_picks_are_listed(
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


async def test_preview_adds_nothing_and_repeats_with_a_seed(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)

    first = await picks.preview(5, seed=3)
    second = await picks.preview(5, seed=3)

    assert [pick.track_id for pick in first] == [pick.track_id for pick in second]
    assert await uris(player) == []


async def test_a_missing_track_cannot_be_explained(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, "a.ogg", "b.ogg")
    await stores.library.mark_missing([Uri("b.ogg")], 1.0)
    picks = pick_service(stores, player, events, clock)

    assert (await picks.explain(track_id("a.ogg"))).candidates == 1
    with pytest.raises(PreconditionFailed, match="missing"):
        await picks.explain(track_id("b.ogg"))


async def test_events_update_candidates(
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


async def test_reconfiguring_the_number_of_picks(
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


async def test_newly_excluded_picks_are_replaced(
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


async def test_excluded_tracks_follow_the_configuration(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await stores.library.store_files(
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
async def test_artist_spread_applies_to_every_artist_of_a_track(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock, second: str
) -> None:
    artists = {"a.ogg": "Alpha", "b.ogg": second, "c.ogg": "Beta", "d.ogg": "Gamma"}
    await stores.library.store_files(
        [scanned(uri, tags=Tags(artist=artist)) for uri, artist in artists.items()], 0.0
    )
    picks = pick_service(stores, player, events, clock, artist_spread=1, ahead=1)
    player.add("b.ogg")
    await player.play()

    await picks.queue_manager.refill(await player.state())

    assert await uris(player) == ["b.ogg", "d.ogg"]


async def test_the_switch_takes_precedence_over_the_configuration(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = pick_service(stores, player, events, clock)
    await picks.queue_manager.restore()

    picks.reconfigure(schema.Picks(enabled=False))
    assert not picks.enabled

    await picks.switch(True)
    picks.reconfigure(schema.Picks(enabled=False))
    assert picks.enabled


async def test_owned_entries_after_a_connection_lost_while_adding(
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


async def test_steering_replaces_all_owned_entries_at_once(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await add_styles(stores)
    player = FakePlayer(clock, {uri: 200.0 for style in STYLES for uri in songs(style)})
    steering = steering_service(stores, events, clock)
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks(),
        steering=steering,
        seed=1,
    )
    player.add("folk/0.ogg", "folk/1.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    before = await uris(player)

    async def steer(*wishes: TagWish) -> list[str]:
        await steering.steer(Steering(wishes))
        await picks.queue_manager.refill(await player.state())
        return await uris(player)

    steered = await steer(TagWish("jazz"))
    changed = await steer(TagWish("metal"))
    kept = await steer(TagWish("metal"))
    ended = await steer()

    listeners = before[:2]
    assert all(found[:2] == listeners for found in (steered, changed, kept, ended))
    assert len(before) == len(steered) == len(changed) == len(ended) == 5
    assert {uri.partition("/")[0] for uri in steered[2:]} == {"jazz"}
    assert {uri.partition("/")[0] for uri in changed[2:]} == {"metal"}
    assert not set(ended[2:]) & set(changed[2:])
    explanation = (await picks.ahead())[0].explanation
    assert (explanation.steering_factor, explanation.wish_fits) == (1, {})


async def test_counting_down_songs_replaces_nothing(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, *SONGS)
    picks = pick_service(stores, player, events, clock)
    player.add("a.ogg")
    await player.play()
    await picks.queue_manager.refill(await player.state())
    before = await uris(player)

    events.publish(SteeringChanged(Steering((TagWish("jazz"),), songs_left=3), only_end=True))
    await picks.queue_manager.refill(await player.state())

    assert await uris(player) == before
