"""Steering: what wishes do to the weights, how they end, and what is refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import numpy as np
import pytest

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.steering import (
    CALM,
    LIVELY,
    DecadeWish,
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    Steering,
    TagWish,
    Wish,
)
from anagnorisisd.domain.track import Uri
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.errors import InvalidValue, PreconditionFailed, UnknownTrack
from anagnorisisd.events import Event, Events, PlaybackChanged, PlayerDisconnected, SteeringChanged
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import EPOCH, add_tracks, scanned, track_id
from tests.support.steering import add_styles, songs, steering_service

MERT = EmbedderStamp("mert", "1", 4)


@pytest.fixture
def events(clock: FakeClock) -> Events:
    return Events(clock)


@pytest.fixture
async def steering(stores: Stores, events: Events, clock: FakeClock) -> SteeringService:
    """Steering of a library of four styles."""
    await add_styles(stores)
    return steering_service(stores, events, clock)


@contextlib.asynccontextmanager
async def running(service: SteeringService) -> AsyncIterator[None]:
    """Run the service's loop."""
    loop = asyncio.create_task(service.run())
    try:
        yield
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop


async def shares(service: SteeringService, stores: Stores) -> dict[str, float]:
    """Return the share of the steering factors that each style has."""
    candidates = await stores.library.candidates()
    found = await service.factors(candidates)
    assert found is not None
    total = found.factor.sum()
    return {
        style: float(found.factor[candidates.rows([track_id(uri) for uri in songs(style)])].sum())
        / total
        for style in ("jazz", "metal", "folk", "electronic")
    }


@pytest.mark.parametrize(
    ("wishes", "style"),
    [
        ([TagWish("jazz")], "jazz"),
        ([TagWish("Heavy Metal")], "metal"),
        ([DecadeWish(1990)], "metal"),
        ([FolderWish("folk")], "folk"),
        ([SeedWish(SeedKind.TRACK, track_id("folk/3.ogg"))], "folk"),
        ([SeedWish(SeedKind.ARTIST, "Electronic")], "electronic"),
        ([SeedWish(SeedKind.ALBUM, "best of jazz")], "jazz"),
        ([EnergyWish(CALM)], "jazz"),
        ([EnergyWish(LIVELY)], "electronic"),
        ([EnergyWish(LIVELY), DecadeWish(2000)], "folk"),
        ([FolderWish("jazz"), FolderWish("metal"), TagWish("metal")], "metal"),
    ],
)
async def test_tracks_that_fit_get_nearly_all_of_the_weight(
    steering: SteeringService, stores: Stores, wishes: list[Wish], style: str
) -> None:
    await steering.steer(Steering(tuple(wishes)))

    assert (await shares(steering, stores))[style] > 0.95


async def test_unwanted_tracks_get_hardly_any_weight(
    steering: SteeringService, stores: Stores
) -> None:
    await steering.steer(Steering((TagWish("metal", unwanted=True),)))

    found = await shares(steering, stores)
    assert found["metal"] < 0.02
    assert min(found["jazz"], found["folk"], found["electronic"]) > 0.3


async def test_the_same_factors_are_returned_until_something_changes(
    steering: SteeringService, stores: Stores
) -> None:
    candidates = await stores.library.candidates()
    await steering.steer(Steering((TagWish("jazz"),)))

    first = await steering.factors(candidates)
    again = await steering.factors(candidates)
    await steering.steer(Steering((TagWish("jazz"),), strength=0.5))
    weaker = await steering.factors(candidates)

    assert again is first
    assert first is not None
    assert weaker is not None
    np.testing.assert_allclose(weaker.factor, first.factor**0.5)


async def test_unwanted_genres_get_hardly_any_weight(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await add_styles(stores, vectors=False)
    steering = steering_service(stores, events, clock, features.STAMP)
    await steering.steer(Steering((TagWish("folk", unwanted=True),)))

    assert (await shares(steering, stores))["folk"] < 0.01


async def test_a_folder_is_not_left_for_tracks_that_fit_other_wishes(
    steering: SteeringService, stores: Stores
) -> None:
    await steering.steer(Steering((FolderWish("jazz"), TagWish("metal"), DecadeWish(1990))))

    assert (await shares(steering, stores))["jazz"] > 0.99


async def test_wishes_that_no_track_fits_together_count_in_part_and_say_so(
    steering: SteeringService, stores: Stores
) -> None:
    await stores.library.store_files([scanned("live/1990/1.ogg")], EPOCH)  # without a year
    await steering.steer(Steering((FolderWish("live"), DecadeWish(1990))))

    candidates = await stores.library.candidates()
    found = await steering.factors(candidates)

    assert found is not None
    assert found.problems == {
        "1990s": "no track fits all of the wishes; those that fit most of them count"
    }
    assert candidates.track_id(int(found.factor.argmax())) == track_id("live/1990/1.ogg")


async def test_a_parent_folder_is_suggested(steering: SteeringService, stores: Stores) -> None:
    await stores.library.store_files([scanned("live/1990/1.ogg")], EPOCH)

    with pytest.raises(InvalidValue, match=r"did you mean live"):
        await steering.steer(Steering((FolderWish("Live"),)))


async def test_a_decade_without_tracks_names_the_substitute(
    steering: SteeringService, stores: Stores
) -> None:
    await steering.steer(Steering((DecadeWish(1950),)))

    found = await steering.factors(await stores.library.candidates())

    assert (await shares(steering, stores))["jazz"] > 0.95
    assert found is not None
    assert found.problems == {"1950s": "no track is of the 1950s; those of the nearest years count"}


async def test_genre_tags_count_when_the_embedder_has_no_tags(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await add_styles(stores, vectors=False)
    steering = steering_service(stores, events, clock, features.STAMP)
    await steering.steer(Steering((TagWish("Folk"),)))

    found = await steering.factors(await stores.library.candidates())

    assert (await shares(steering, stores))["folk"] > 0.99
    assert found is not None
    assert found.problems["Folk"].endswith("the genre tags of the files count instead")


async def test_a_wish_that_nothing_fits_has_no_effect_and_says_so(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    tracks = await add_tracks(stores, *map(str, range(12)))
    steering = steering_service(stores, events, clock)
    await steering.steer(
        Steering((DecadeWish(1980), TagWish("jazz"), SeedWish(SeedKind.TRACK, tracks[0])))
    )

    found = await steering.factors(await stores.library.candidates())

    assert found is not None
    assert (found.factor == 1).all()
    assert len(found.problems) == 3


async def test_energy_has_no_effect_before_a_track_is_embedded(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await add_tracks(stores, "a.ogg", "b.ogg")
    steering = steering_service(stores, events, clock, features.STAMP)
    await steering.steer(Steering((EnergyWish(CALM),)))

    found = await steering.factors(await stores.library.candidates())

    assert found is not None
    assert (found.factor == 1).all()
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("wishes", "part"),
    [
        ([TagWish("jaz")], "did you mean jazz?"),
        ([TagWish("schlager")], "there are ambient, "),
        ([SeedWish(SeedKind.ARTIST, "Jaz")], "did you mean JAZZ?"),
        ([SeedWish(SeedKind.ALBUM, "Best of jaz")], "did you mean Best of jazz"),
        ([FolderWish("fol")], "did you mean folk?"),
        ([TagWish("dance"), TagWish("House", unwanted=True)], "contradict each other"),
        ([EnergyWish(CALM), EnergyWish(LIVELY)], "calm and lively contradict each other"),
        ([EnergyWish(2.0)], "2 is not between 0 and 1"),
        ([DecadeWish(year) for year in range(1000, 1020)], "20 wishes are more than 16"),
    ],
)
async def test_refused_wishes_keep_the_steering_as_it_was(
    steering: SteeringService, wishes: list[Wish], part: str
) -> None:
    before = await steering.steer(Steering((TagWish("folk"),)))

    with pytest.raises(InvalidValue) as refused:
        await steering.steer(Steering(tuple(wishes)))

    assert part in str(refused.value)
    assert await steering.current() == before


async def test_an_unknown_seed_is_refused(steering: SteeringService) -> None:
    with pytest.raises(UnknownTrack):
        await steering.steer(Steering((SeedWish(SeedKind.TRACK, "0" * 32),)))


async def test_energy_is_refused_with_embeddings_that_do_not_tell_it(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    with pytest.raises(PreconditionFailed):
        await steering_service(stores, events, clock, MERT).steer(Steering((EnergyWish(CALM),)))


async def test_steering_persists_and_names_its_seed(
    steering: SteeringService, stores: Stores, events: Events, clock: FakeClock
) -> None:
    wishes = (
        TagWish("jazz"), TagWish("metal", unwanted=True), DecadeWish(1980), FolderWish("jazz"),
        EnergyWish(0.25), SeedWish(SeedKind.TRACK, track_id("jazz/1.ogg")),
        SeedWish(SeedKind.ARTIST, "JAZZ"),
    )  # fmt: skip
    set_now = await steering.steer(
        Steering(wishes, strength=0.5, ends_at=clock.now() + 60, songs_left=3)
    )

    restored = await steering_service(stores, events, clock).current()

    assert restored == set_now
    assert str(restored) == (
        "jazz, not metal, 1980s, folder jazz, energy 0.25, like 1 by JAZZ, like JAZZ"
    )


async def test_steering_by_another_version_is_ignored(
    stores: Stores, events: Events, clock: FakeClock
) -> None:
    await stores.queue.put_setting("steering", '{"wishes": [{"wish": "weather"}]}')

    assert await steering_service(stores, events, clock).current() is None


async def test_steering_ends_at_its_time(
    steering: SteeringService, stores: Stores, events: Events, clock: FakeClock
) -> None:
    async with running(steering):
        await steering.steer(Steering((TagWish("jazz"),), ends_at=clock.now() + 7200))
        await clock.advance(7190)
        before = await steering.current()
        with events.subscribe() as announcements:
            await clock.advance(20)
            ended = await announcements.next()

    assert before is not None
    assert ended.event == SteeringChanged(None)
    assert await steering.current() is None
    assert await steering.factors(await stores.library.candidates()) is None
    assert await steering_service(stores, events, clock).current() is None


async def test_steering_that_ended_while_the_daemon_was_off_is_announced(
    steering: SteeringService, stores: Stores, events: Events, clock: FakeClock
) -> None:
    await steering.steer(Steering((TagWish("jazz"),), ends_at=clock.now() + 60))
    clock.jump(3600)
    restarted = steering_service(stores, events, clock)

    with events.subscribe() as announcements:
        async with running(restarted):
            ended = await announcements.next()

    assert ended.event == SteeringChanged(None)


def playback(state: PlaybackState, song: int) -> PlaybackChanged:
    return PlaybackChanged(state, SongId(song), Uri("a.ogg"))


async def test_steering_ends_when_its_last_song_starts(
    steering: SteeringService, events: Events
) -> None:
    play, pause, stop = PlaybackState.PLAY, PlaybackState.PAUSE, PlaybackState.STOP
    async with running(steering):
        await asyncio.sleep(0)
        events.publish(playback(play, 1))  # before the listener steers, and when they do
        await asyncio.sleep(0)
        await steering.steer(Steering((TagWish("jazz"),), songs_left=3))
        with events.subscribe() as changes:
            published: list[Event] = [
                *(playback(state, 1) for state in (pause, play)),
                *(playback(state, 2) for state in (play, pause, play, stop, play)),
                PlayerDisconnected("restart"),
                *(playback(play, song) for song in (1, 2, 3)),  # 1 may have played before
            ]
            for event in published:
                events.publish(event)

            async def next_left() -> int | None:
                async for change in changes:
                    if isinstance(change.event, SteeringChanged):
                        return change.event.steering.songs_left if change.event.steering else None
                raise AssertionError

            assert [await next_left() for _ in range(3)] == [2, 1, None]

    assert await steering.current() is None


async def test_steering_can_be_ended(steering: SteeringService, events: Events) -> None:
    await steering.steer(Steering((TagWish("jazz"),)))
    with events.subscribe() as announcements:
        await steering.steer(Steering(()))

        assert [each.event for each in announcements.arrived()] == [SteeringChanged(None)]
    assert await steering.current() is None
