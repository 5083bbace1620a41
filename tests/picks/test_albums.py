"""Albums as picks: what an album is, which is chosen, its order, and the queue."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.steering import SteeringFactors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import Events, SteeringChanged
from anagnorisisd.picks import albums
from anagnorisisd.picks.albums import NO_ALBUM, QueueContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.service import PickService
from anagnorisisd.picks.weights import weigh
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.candidates import DAY, NOW, candidates, name
from tests.support.choosing import libraries, pick_rules, rng
from tests.support.library import scanned, track_id

ANYTIME = QueueContext(NOW, (), ())


def picked(
    found: Candidates, rules: PickRules = PickRules(), context: QueueContext = ANYTIME,  # noqa: B008
    count: int = 1, seed: int = 1, minimum: int = 2,
) -> list[set[int]]:  # fmt: skip
    """Return the rows of the albums that are chosen."""
    chosen = albums.choose(
        albums.group(found, minimum), weigh(found), rules, context, count=count, rng=rng(seed)
    )
    return [{int(pick.track_id, 16) for pick in album} for album in chosen]


class TestGrouping:
    @pytest.mark.parametrize(
        ("album", "folder", "groups"),
        [
            ([1, 1, 2, 2], [1, 1, 2, 2], [{0, 1}, {2, 3}]),
            ([1, 1, 1, 1], [1, 1, 2, 2], [{0, 1}, {2, 3}]),  # two records of one name
            ([1, 1, 2, 2], [1, 1, 1, 1], [{0, 1}, {2, 3}]),  # two albums in one folder
            ([0, 0, 0, 0], [1, 1, 2, 2], [{0, 1}, {2, 3}]),  # untagged, each alone in a folder
            ([0, 0, 1, 1], [1, 1, 1, 1], [{2, 3}]),  # untagged tracks beside an album
            ([0, 0, 0, 0], [0, 0, 0, 0], []),  # untagged, in the music directory
            ([1, 1, 1, 2], [0, 0, 0, 0], [{0, 1, 2}]),  # tagged, in the music directory
            ([1, 1, 1, 2], [1, 1, 1, 1], [{0, 1, 2}]),  # a single
        ],
    )
    def test_albums(self, album: list[int], folder: list[int], groups: list[set[int]]) -> None:
        found = albums.group(candidates(4, album=album, folder=folder), 2)

        rows = [set(found.rows_of(number).tolist()) for number in range(len(found))]
        assert sorted(rows, key=min) == groups
        for number, members in enumerate(rows):
            assert (found.of_track[list(members)] == number).all()
        alone = set(range(4)) - set().union(*rows)
        assert (found.of_track[list(alone)] == NO_ALBUM).all()

    def test_a_heap_of_untagged_files_is_no_album(self) -> None:
        assert len(albums.group(candidates(albums.MAX_TRACKS + 1, folder=1), 2)) == 0

    async def test_discs_in_folders_of_their_own_are_one_album(self, stores: Stores) -> None:
        tags = Tags(album="Opus")
        for folder in ("A/Opus/CD1", "A/Opus/cd 2", "A/Opus/Disc_3"):
            await stores.library.store_files(
                [scanned(f"{folder}/{number}.ogg", tags=tags) for number in range(2)], 0.0
            )

        found = albums.group(await stores.library.candidates(), 6)

        assert len(found) == 1

    async def test_discs_with_album_tags_of_their_own_are_one_album(self, stores: Stores) -> None:
        for album in ("Opus (Disc 1)", "opus [CD2]", "Opus, disk 3", "Opus 4"):
            uris = [f"Opus/{album} - {number}.ogg" for number in range(2)]
            await stores.library.store_files(
                [scanned(uri, tags=Tags(album=album)) for uri in uris], 0.0
            )

        found = albums.group(await stores.library.candidates(), 2)

        assert sorted(np.diff(found.starts)) == [2, 6]


class TestChoice:
    def test_albums_are_chosen_by_the_mean_weight_of_their_tracks(self) -> None:
        found = candidates(
            6, rating=[9, 9, 9, 2, 2, 2], album=[1, 1, 1, 2, 2, 2], folder=[1, 1, 1, 2, 2, 2]
        )
        grouped = albums.group(found, 2)

        loved, other = albums.weights(grouped, weigh(found))

        weight = weigh(found).factors.weight
        assert loved == pytest.approx((3 * weight[0] + 2 * weight.mean()) / 5)
        assert other == pytest.approx((3 * weight[5] + 2 * weight.mean()) / 5)

    def test_one_loved_song_does_not_make_an_album_the_best(self) -> None:
        nan = float("nan")
        found = candidates(
            8,
            rating=[10, nan, nan, nan, 8, 8, 8, 8],
            album=[1] * 4 + [2] * 4,
            folder=[1] * 4 + [2] * 4,
        )

        one_song, whole = albums.weights(albums.group(found, 2), weigh(found))

        assert whole > one_song

    def test_steering_counts_whether_or_not_tracks_are_rated(self) -> None:
        found = candidates(6, album=[1, 1, 1, 2, 2, 2], folder=[1, 1, 1, 2, 2, 2])
        steering = SteeringFactors(np.array([1, 1, 1, 1e-9, 1e-9, 1e-9]), {}, {})

        fits, other = albums.weights(albums.group(found, 2), weigh(found, steering))

        assert other == pytest.approx(fits * 1e-9)

    def test_albums_flow(self) -> None:
        found = candidates(7, album=[1, 1, 2, 2, 3, 3, 0], folder=[1, 1, 2, 2, 3, 3, 0])
        east, north = (1.0, 0.0), (0.0, 1.0)
        sound = np.array([north, north, east, north, east, east, east], np.float32)
        weighted = replace(weigh(found), sound=sound)
        context = QueueContext(NOW, recent=[name(6)])

        (album,) = albums.choose(
            albums.group(found, 2), weighted, PickRules(flow=3), context, count=1, rng=rng()
        )
        assert {int(pick.track_id, 16) for pick in album} == {4, 5}
        assert album[0].explanation.probability > 0.9
        assert 0 < album[0].explanation.flow_factor < 1

    def test_an_album_with_a_queued_track_is_not_chosen(self) -> None:
        found = candidates(4, album=[1, 1, 2, 2], folder=[1, 1, 2, 2])

        context = QueueContext(NOW, [name(0)], [])
        assert picked(found, context=context, count=5) == [{2, 3}]

    def test_an_album_that_was_played_comes_again_only_when_no_other_is_left(self) -> None:
        found = candidates(6, album=[1, 1, 2, 2, 3, 3], folder=[1, 1, 2, 2, 3, 3])

        context = QueueContext(NOW, queued=[name(0)], played=[name(2)])
        assert picked(found, context=context, count=5) == [{4, 5}, {2, 3}]

    @pytest.mark.parametrize(
        "rules",
        [
            PickRules(min_hours_between_plays=24),
            PickRules(max_seconds=1000),
            PickRules(artist_spread=2),
            PickRules(album_spread=2),
        ],
    )
    def test_guards_apply_to_whole_albums(self, rules: PickRules) -> None:
        found = candidates(
            6,
            album=[1, 1, 1, 2, 2, 2],
            folder=[1, 1, 1, 2, 2, 2],
            artist=[1, 1, 1, 2, 2, 2],
            last_played_at=[NOW - 3600, *[NOW - 9 * DAY] * 5],
            duration_seconds=[5000, 5000, 100, 5000, 100, 100],
        )

        context = QueueContext(NOW, [], [name(0)])
        assert all(picked(found, rules, context, seed=seed) == [{3, 4, 5}] for seed in range(20))

    @pytest.mark.parametrize(("removed", "expected"), [(1, 2), (2, 1), (6, 2)])
    def test_an_album_of_which_more_than_half_was_removed(
        self, removed: int, expected: int
    ) -> None:
        found = candidates(6, album=[1, 1, 1, 2, 2, 2], folder=[1, 1, 1, 2, 2, 2])

        context = QueueContext(NOW, [], [], removed=[name(row) for row in range(removed)])
        seen = {frozenset(picked(found, context=context, seed=seed)[0]) for seed in range(20)}

        assert len(seen) == expected

    def test_a_guard_that_leaves_no_album_is_relaxed(self) -> None:
        found = candidates(3, album=1, folder=1, excluded=True)
        grouped = albums.group(found, 2)

        (album,) = albums.choose(grouped, weigh(found), PickRules(), ANYTIME, count=1, rng=rng())

        assert {pick.explanation.album_tracks for pick in album} == {3}
        assert all(pick.explanation.relaxed == ["excluded"] for pick in album)
        assert all(pick.explanation.probability == 1 for pick in album)

    @settings(max_examples=40)
    @given(libraries(), pick_rules, st.integers(1, 5), st.integers(0, 5), st.data())
    def test_albums_are_whole_distinct_and_as_many_as_possible(
        self, found: Candidates, rules: PickRules, count: int, seed: int, data: st.DataObject
    ) -> None:
        queued = data.draw(st.lists(st.integers(0, 14).map(name), max_size=3))
        grouped = albums.group(found, 2)

        chosen = picked(found, rules, QueueContext(NOW, queued, queued), count, seed)

        taken = set(grouped.of_track[found.rows(queued)].tolist()) - {NO_ALBUM}
        assert len(chosen) == min(count, len(grouped) - len(taken))
        whole = [set(grouped.rows_of(number).tolist()) for number in range(len(grouped))]
        assert all(album in whole for album in chosen)
        assert sum(map(len, chosen)) == len(set().union(*chosen))


@pytest.mark.parametrize(
    ("files", "numbers", "order"),
    [
        (["10 b.ogg", "2 a.ogg"], {}, ["2 a.ogg", "10 b.ogg"]),
        (["a.ogg", "b.ogg"], {"a.ogg": (1, 2), "b.ogg": (1, 1)}, ["b.ogg", "a.ogg"]),
        (["a.ogg", "b.ogg"], {"a.ogg": (2, 1), "b.ogg": (1, 9)}, ["b.ogg", "a.ogg"]),
        (["CD2/1.ogg", "CD1/2.ogg"], {}, ["CD1/2.ogg", "CD2/1.ogg"]),
        (
            ["CD2/x.ogg", "CD1/y.ogg"],
            {"CD2/x.ogg": (1, 1), "CD1/y.ogg": (1, 1)},
            ["CD1/y.ogg", "CD2/x.ogg"],
        ),
        (["a.ogg", "b.ogg"], {"b.ogg": (1, 1)}, ["b.ogg", "a.ogg"]),
    ],
)
def test_play_order(
    files: list[str], numbers: dict[str, tuple[int, int]], order: list[str]
) -> None:
    found = albums.play_order(
        {TrackId(uri): Uri(uri) for uri in files},
        {Uri(uri): number for uri, number in numbers.items()},
    )

    assert found == order


ALBUMS = ("red", "green", "blue", "grey")
TRACKS = 5


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
async def player(stores: Stores, clock: FakeClock) -> FakePlayer:
    """A player with four albums, whose tracks play from the last to the first, and singles."""
    files = [f"{album}/{number}.ogg" for album in ALBUMS for number in range(TRACKS)]
    await stores.library.store_files(
        [scanned(uri, tags=Tags(album=uri.partition("/")[0])) for uri in files], 0.0
    )
    singles = [f"single {number}.ogg" for number in range(8)]
    await stores.library.store_files([scanned(uri) for uri in singles], 0.0)
    player = FakePlayer(clock, dict.fromkeys([*files, *singles], 200.0))
    player.track_numbers = {Uri(uri): (1, TRACKS - int(uri[-5])) for uri in files}
    player.add("single 0.ogg")
    await player.play()
    return player


@pytest.fixture
def picks(stores: Stores, player: FakePlayer, events: Events, clock: FakeClock) -> PickService:
    return service(stores, player, events, clock)


def service(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock, unit: str = "album"
) -> PickService:
    return PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=config(unit),
        seed=1,
    )


def config(unit: str) -> schema.Picks:
    return schema.Picks.model_validate({"unit": unit, "ahead": 1})


async def refilled(picks: PickService, player: FakePlayer) -> list[str]:
    """Refill the queue and return it."""
    await picks.queue_manager.refill(await player.state())
    return [entry.uri for entry in await player.queue()]


def in_order(album: str) -> list[str]:
    return [f"{album}/{number}.ogg" for number in reversed(range(TRACKS))]


async def go_to(player: FakePlayer, position: int) -> None:
    """Play the entry at a position."""
    player.jump((await player.queue())[position].song_id)


async def test_the_rest_of_the_album_and_another_one_are_queued(
    picks: PickService, player: FakePlayer
) -> None:
    queue = await refilled(picks, player)
    first = queue[1].partition("/")[0]
    assert queue == ["single 0.ogg", *in_order(first)]
    assert await refilled(picks, player) == queue

    await go_to(player, 1)
    queue = await refilled(picks, player)
    second = queue[-1].partition("/")[0]

    assert queue == ["single 0.ogg", *in_order(first), *in_order(second)]
    await go_to(player, 4)
    assert await refilled(picks, player) == queue
    await go_to(player, 1 + TRACKS)
    assert len(await refilled(picks, player)) == 1 + 3 * TRACKS
    explanation = (await picks.ahead())[-1].explanation
    assert explanation.album_tracks == TRACKS


async def test_skipping_an_album_removes_its_rest(picks: PickService, player: FakePlayer) -> None:
    await refilled(picks, player)
    await go_to(player, 1)
    queue = await refilled(picks, player)
    await go_to(player, 2)
    await refilled(picks, player)

    removed = await picks.skip_album()

    assert removed == TRACKS - 2
    assert (await player.state()).uri == queue[1 + TRACKS]
    after = await refilled(picks, player)
    assert after[: 3 + TRACKS] == [*queue[:3], *queue[1 + TRACKS :]]
    assert len(after) == 3 + 2 * TRACKS


async def test_an_album_at_the_end_of_the_queue_is_skipped(
    picks: PickService, player: FakePlayer
) -> None:
    await refilled(picks, player)
    await go_to(player, 2)

    assert await picks.skip_album() == TRACKS - 2

    assert len(await player.queue()) == 3
    assert (await player.state()).uri is None


async def test_the_last_song_of_an_album_is_skipped_alone(
    picks: PickService, player: FakePlayer
) -> None:
    await refilled(picks, player)
    await go_to(player, TRACKS)
    queue = await refilled(picks, player)

    assert await picks.skip_album() == 0
    assert (await player.state()).uri == queue[1 + TRACKS]


async def test_there_is_no_album_to_skip(picks: PickService, player: FakePlayer) -> None:
    await refilled(picks, player)

    with pytest.raises(PreconditionFailed):
        await picks.skip_album()
    assert (await player.state()).uri == "single 0.ogg"


async def test_albums_are_not_skipped_where_tracks_are_picked(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = service(stores, player, events, clock, unit="track")
    await refilled(picks, player)
    await go_to(player, 1)

    with pytest.raises(PreconditionFailed, match=r"picks\.unit"):
        await picks.skip_album()


async def test_what_the_listener_removes_stays_removed(
    picks: PickService, player: FakePlayer
) -> None:
    await refilled(picks, player)
    await go_to(player, 1)
    queue = await refilled(picks, player)
    await player.remove((await player.queue())[3].song_id)

    assert await refilled(picks, player) == [*queue[:3], *queue[4:]]


async def test_an_album_continues_after_a_restart(
    stores: Stores, picks: PickService, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await refilled(picks, player)
    await go_to(player, 1)
    queue = await refilled(picks, player)
    await go_to(player, 3)

    restarted = service(stores, player, events, clock)
    await restarted.queue_manager.restore()

    assert await refilled(restarted, player) == queue
    assert await restarted.skip_album() == TRACKS - 3


async def test_the_last_song_of_an_album_is_skipped_after_a_restart(
    stores: Stores, picks: PickService, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    await refilled(picks, player)
    await go_to(player, TRACKS)
    queue = await refilled(picks, player)

    restarted = service(stores, player, events, clock)
    await restarted.queue_manager.restore()
    await refilled(restarted, player)

    assert await restarted.skip_album() == 0
    assert (await player.state()).uri == queue[1 + TRACKS]
    await go_to(player, 0)  # a single that the listener added
    await refilled(restarted, player)
    with pytest.raises(PreconditionFailed):
        await restarted.skip_album()


async def test_a_small_library_does_not_end_in_silence(
    picks: PickService, player: FakePlayer
) -> None:
    queue = await refilled(picks, player)
    for album in range(2 * len(ALBUMS)):
        await go_to(player, 1 + TRACKS * album)
        queue = await refilled(picks, player)

    heard = [uri.partition("/")[0] for uri in queue[1::TRACKS]]
    assert len(queue) == 1 + TRACKS * (2 * len(ALBUMS) + 1)
    assert set(heard[: len(ALBUMS)]) == set(ALBUMS)


async def test_albums_are_picked_at_once_when_the_queue_has_room_for_them(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = service(stores, player, events, clock)
    player.add(*(f"{album}/0.ogg" for album in ALBUMS))
    assert len(await refilled(picks, player)) == 1 + len(ALBUMS)
    assert "no other album" in str(picks.reason)

    await player.remove((await player.queue())[2].song_id)

    assert len(await refilled(picks, player)) == len(ALBUMS) + TRACKS


async def test_steering_replaces_the_albums_after_the_current_one(
    picks: PickService, player: FakePlayer, events: Events
) -> None:
    await refilled(picks, player)
    await go_to(player, 1)
    queue = await refilled(picks, player)

    events.publish(SteeringChanged(None))
    after = await refilled(picks, player)

    assert after[: 1 + TRACKS] == queue[: 1 + TRACKS]
    assert len(after) == len(queue)
    assert len({uri.partition("/")[0] for uri in after[1 + TRACKS :]}) == 1


async def test_switching_between_albums_and_tracks_replaces_the_picks(
    picks: PickService, player: FakePlayer, clock: FakeClock
) -> None:
    await refilled(picks, player)

    picks.reconfigure(config("track"))
    clock.jump(10)
    assert len(await refilled(picks, player)) == 2
    picks.reconfigure(config("album"))
    clock.jump(10)
    assert len(await refilled(picks, player)) == 1 + TRACKS


async def test_a_full_queue_ends_an_album_early(picks: PickService, player: FakePlayer) -> None:
    player.capacity = 4

    assert len(await refilled(picks, player)) == 4
    assert picks.reason is not None
    assert "full" in picks.reason


async def test_a_library_without_albums_says_so(
    stores: Stores, player: FakePlayer, events: Events, clock: FakeClock
) -> None:
    picks = service(stores, player, events, clock)
    picks.reconfigure(schema.Picks.model_validate({"unit": "album", "album_minimum_tracks": 20}))
    clock.jump(10)

    assert await refilled(picks, player) == ["single 0.ogg"]
    assert "album_minimum_tracks" in str(picks.reason)


async def test_a_preview_has_whole_albums_in_order(picks: PickService, player: FakePlayer) -> None:
    found = await picks.preview(2, seed=3)

    uris = {track_id(uri): uri for uri in player.database}
    shown = [uris[pick.track_id] for pick in found]
    assert len(shown) == 2 * TRACKS
    assert shown[:TRACKS] == in_order(shown[0].partition("/")[0])
    assert np.isclose(found[0].explanation.weight, found[1].explanation.weight)
