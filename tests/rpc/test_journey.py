"""Journeys and similar tracks over gRPC and at the command line, and put into the queue."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisis.v1.library_pb2 import FindSimilarRequest
from anagnorisis.v1.pick_pb2 import PlanJourneyRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisisd.config import schema
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Floats
from anagnorisisd.domain.track import Uri
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import Events
from anagnorisisd.picks.service import PickService
from anagnorisisd.steering import journey
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.candidates import credits_of
from tests.support.library import STAMP, add_tracks, add_vectors, track_id, vector
from tests.support.rpc import House, Line, refused, said, serving
from tests.support.steering import add_styles


def arc(count: int) -> Vectors:
    """Return vectors of length 1 along a quarter of a circle."""
    turn = np.linspace(0, np.pi / 2, count)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


def planned(
    count: int, *, weight: Floats | None = None, artists: list[int] | None = None
) -> list[int]:
    """Return a journey along 41 tracks on an arc."""
    return journey.plan(
        arc(41),
        np.ones(41) if weight is None else weight,
        credits_of(artists or list(range(1, 42))),
        start=0,
        end=40,
        count=count,
        allowed=np.ones(41, dtype=bool),
    )


def test_steps_are_even() -> None:
    rows = planned(11)

    assert (rows[0], rows[-1], len(rows)) == (0, 40, 11)
    assert rows == sorted(rows)
    assert max(np.diff(rows)) <= 6


def test_tracks_with_a_high_weight_are_preferred() -> None:
    weight = np.where(np.arange(41) % 2, 1.0, 0.01)

    assert all(row % 2 for row in planned(9, weight=weight)[1:-1])


@settings(max_examples=40)
@given(st.lists(st.integers(1, 4), min_size=41, max_size=41), st.integers(2, 50))
def test_no_track_comes_twice_and_no_artist_twice_in_a_row(artists: list[int], count: int) -> None:
    rows = planned(count, artists=artists)

    assert len(set(rows)) == len(rows) == min(count, 41)
    for number, (one, other) in enumerate(pairwise(rows[:-1])):
        if artists[one] == artists[other]:
            left = set(range(41)) - {*rows[: number + 1], 40}
            assert {artists[row] for row in left} == {artists[one]}


def test_two_tracks_without_others_between() -> None:
    two = journey.plan(
        arc(2), np.ones(2), credits_of([1, 1]), start=1, end=0, count=9,
        allowed=np.ones(2, dtype=bool),
    )  # fmt: skip

    assert two == [1, 0]


async def test_a_journey_of_the_service_stays_in_the_library(
    stores: Stores, clock: FakeClock
) -> None:
    await add_styles(stores)
    await add_tracks(stores, "unembedded.ogg")
    events = Events(clock)
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=FakePlayer(clock),
        events=events,
        clock=clock,
        config=schema.Picks(exclude_folders=("metal",)),
        sound_map=SoundMap(stores.embeddings, plan.STAMP),
    )

    found = await picks.journey(track_id("jazz/1.ogg"), track_id("folk/1.ogg"), 10)

    uris = await stores.library.uris([each for each, _ in found])
    assert len(found) == 10
    assert "metal" not in {uri.partition("/")[0] for uri in uris.values()}
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(PreconditionFailed):
        await picks.journey(track_id("jazz/1.ogg"), track_id("unembedded.ogg"), 10)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


@pytest.fixture
async def house(stores: Stores, clock: FakeClock) -> House:
    """A house with a few embedded tracks, which the player knows but for one."""
    added = await add_tracks(stores, *SONGS)
    await add_vectors(
        stores,
        {each: vector(1, number, number**2, 1) for number, each in enumerate(added)},
        STAMP,
    )
    house = House.build(stores, clock)
    house.player.database = {Uri(uri): 200.0 for uri in SONGS if uri != "c.ogg"}
    return house


@pytest.fixture
async def line(house: House, socket: Path) -> AsyncIterator[Line]:
    async with serving(house, socket) as opened:
        yield opened


SONGS = ("a.ogg", "b.ogg", "c.ogg", "d.ogg")


async def queue(house: House) -> list[str]:
    return [entry.uri for entry in await house.player.queue()]


async def test_a_journey_is_queued_on_request(line: Line, house: House) -> None:
    request = PlanJourneyRequest(start=Target(uri="a.ogg"), end=Target(uri="d.ogg"), count=4)
    shown = await line.picks.PlanJourney(request)
    assert await queue(house) == []

    request.queue = True
    queued = await line.picks.PlanJourney(request)

    assert shown.tracks[0].track.uri == "a.ogg"
    assert len(queued.tracks) == 4
    assert [each.track.uri for each in queued.tracks if each.HasField("song_id")] == await queue(
        house
    )
    assert "c.ogg" not in await queue(house)


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (PlanJourneyRequest(start=Target(uri="a.ogg")), "INVALID_ARGUMENT", "target"),
        (
            PlanJourneyRequest(start=Target(uri="a.ogg"), end=Target(uri="a.ogg")),
            "INVALID_ARGUMENT",
            "end",
        ),
        (
            PlanJourneyRequest(start=Target(uri="a.ogg"), end=Target(uri="b.ogg"), count=1),
            "INVALID_ARGUMENT",
            "count",
        ),
        (PlanJourneyRequest(start=Target(uri="x"), end=Target(uri="a.ogg")), "NOT_FOUND", ""),
    ],
)
async def test_bad_journeys_are_refused(
    line: Line, request_: PlanJourneyRequest, code: str, field: str
) -> None:
    found, _, refused_field = await refused(line.picks.PlanJourney(request_))

    assert (found, refused_field) == (getattr(grpc.StatusCode, code), field)


async def test_similar_tracks_are_queued_on_request(line: Line, house: House) -> None:
    request = FindSimilarRequest(target=Target(uri="a.ogg"), count=2, queue=True)
    answer = await line.library.FindSimilar(request)

    known = [each.track.uri for each in answer.tracks if each.HasField("song_id")]
    assert await queue(house) == known


@pytest.mark.slow
async def test_journeys_at_the_command_line(line: Line, socket: Path, house: House) -> None:
    header, first, *_, last = (
        await said(socket, "journey", "a.ogg", "d.ogg", "-n", "3", "--queue")
    ).splitlines()

    assert header.split() == ["SIMILARITY", "TRACK", "PATH"]
    assert first.endswith("a.ogg")
    assert last == f"{len(await queue(house))} tracks put at the end of the queue"
    similar = await said(socket, "similar", "a.ogg", "-n", "1", "--queue")
    assert "put at the end of the queue" in similar
