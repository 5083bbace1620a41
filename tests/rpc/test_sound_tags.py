"""Tags over gRPC and at the command line, with vectors whose tail says what a track is like."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest

from anagnorisis.v1.library_pb2 import (
    GetTrackRequest,
    ListSoundTagsRequest,
    ListTracksRequest,
)
from anagnorisis.v1.track_pb2 import Target
from anagnorisisd.domain.evaluator import TagPreference
from anagnorisisd.domain.track import Uri
from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.embedding.musicnn.network import Floats
from anagnorisisd.embedding.sound_tags import (
    MIN_TRACKS,
    TAGS,
    WORDS,
    SoundTagIndex,
    TagScores,
    score,
)
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import (
    EPOCH,
    add_evaluator,
    add_tracks,
    add_vectors,
    track_id,
    vector,
)
from tests.support.musicnn import vectors_of
from tests.support.rpc import House, Line, answered, refused, run, said, serving

pytestmark = pytest.mark.slow

JAZZ = ["jazz 1.ogg", "jazz 2.ogg", "jazz 3.ogg"]
TRACKS = [*JAZZ, *(f"{number}.ogg" for number in range(37))]


async def embed(stores: Stores, uris: list[str]) -> None:
    """Store vectors: the network takes the first three tracks for jazz."""
    await stores.embeddings.put(plan.STAMP, vectors_of(uris, JAZZ))


async def counts(line: Line) -> dict[str, int]:
    answer = await line.library.ListSoundTags(ListSoundTagsRequest())
    return {tag.name: tag.tracks for tag in answer.sound_tags}


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


@pytest.fixture
async def line(stores: Stores, clock: FakeClock, socket: Path) -> AsyncIterator[Line]:
    await add_tracks(stores, *TRACKS)
    await embed(stores, TRACKS)
    async with serving(House.build(stores, clock), socket) as opened:
        yield opened


async def test_track_has_the_tag_with_a_high_score(line: Line) -> None:
    jazz = await line.library.GetTrack(GetTrackRequest(target=Target(uri="jazz 1.ogg")))
    other = await line.library.GetTrack(GetTrackRequest(target=Target(uri="1.ogg")))

    assert [tag.name for tag in jazz.sound_tags] == ["jazz"]
    assert jazz.sound_tags[0].score > 3
    assert not other.sound_tags


async def test_tracks_are_listed_by_tag_in_pages(line: Line) -> None:
    first = await line.library.ListTracks(ListTracksRequest(sound_tag="jazz", page_size=2))
    last = await line.library.ListTracks(
        ListTracksRequest(sound_tag="jazz", page_size=2, page_token=first.next_page_token)
    )

    assert sorted(track.uri for answer in (first, last) for track in answer.tracks) == JAZZ
    assert not last.next_page_token


async def test_a_page_token_belongs_to_its_tag(line: Line) -> None:
    first = await line.library.ListTracks(ListTracksRequest(sound_tag="jazz", page_size=2))

    code, _, field = await refused(
        line.library.ListTracks(
            ListTracksRequest(sound_tag="rock", page_size=2, page_token=first.next_page_token)
        )
    )

    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")


async def test_an_unknown_tag_is_refused_with_those_there_are(line: Line) -> None:
    code, _, field = await refused(line.library.ListTracks(ListTracksRequest(sound_tag="polka")))

    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "sound_tag")


async def test_tags_are_counted_and_follow_new_vectors(line: Line, stores: Stores) -> None:
    before = await counts(line)
    more = [f"new {number}.ogg" for number in range(3)]
    await add_tracks(stores, *more)
    vectors = np.full((3, plan.STAMP.dimension), -5, np.float32)
    vectors[:, -len(WORDS) + WORDS.index("metal")] = 1.0
    await stores.embeddings.put(plan.STAMP, dict(zip(map(track_id, more), vectors, strict=True)))

    after = await counts(line)

    assert list(before) == list(TAGS)
    assert (before["jazz"], before["metal"]) == (3, 0)
    assert after["metal"] == 3


async def test_a_slow_index_is_not_built_anew_for_every_vector(
    stores: Stores, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_tracks(stores, *TRACKS)
    await embed(stores, TRACKS[:-1])
    index = SoundTagIndex(stores.embeddings, plan.STAMP, clock)
    monkeypatch.setattr("anagnorisisd.embedding.sound_tags.score", partial(slow_score, clock))
    await index.counts()
    vector = np.full(plan.STAMP.dimension, -5, np.float32)
    vector[-len(WORDS) + WORDS.index("jazz")] = 1.0
    await stores.embeddings.put(plan.STAMP, {track_id(TRACKS[-1]): vector})

    before = await index.of_track(track_id(TRACKS[-1]))
    clock.jump(61)
    after = await index.of_track(track_id(TRACKS[-1]))

    assert not before
    assert [tag.name for tag in after] == ["jazz"]


def slow_score(clock: FakeClock, logits: Floats) -> TagScores:
    clock.jump(3.0)
    return score(logits)


async def test_a_small_library_has_no_tags(stores: Stores, clock: FakeClock, socket: Path) -> None:
    uris = TRACKS[: MIN_TRACKS - 1]
    await add_tracks(stores, *uris)
    await embed(stores, uris)
    async with serving(House.build(stores, clock), socket) as line:
        code, _, _ = await refused(line.library.ListSoundTags(ListSoundTagsRequest()))
        track = await line.library.GetTrack(GetTrackRequest(target=Target(uri="jazz 1.ogg")))

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert not track.sound_tags


async def test_the_commands_show_the_listeners_taste_in_words(
    stores: Stores, clock: FakeClock, socket: Path
) -> None:
    tracks = await add_tracks(stores, *TRACKS)
    await embed(stores, TRACKS)
    await add_vectors(stores, {tracks[0]: vector(1, 2, 3, 4)})
    await stores.ratings.rate(tracks[-1], 5, at=EPOCH, source="test")
    house = House.build(stores, clock)
    house.evaluator.shares = {"audio": 0.7, "artist": 0.3}
    version = (await add_evaluator(stores)).version
    preferences = [TagPreference("jazz", 1.5, 2.0, 9), TagPreference("metal", -0.5, -1.0, 6)]
    await stores.evaluators.put_tag_preferences(version, preferences)
    await stores.evaluators.put_predictions(version, tracks[:2], np.full(2, 8.1), np.ones(2))
    async with serving(house, socket):
        assert "\ntaste      likes jazz; dislikes metal\n" in await said(socket, "status")
        assert "taste: likes jazz; dislikes metal" in await said(socket, "evaluators")
        (status,) = await answered(socket, "status")
        why = await said(socket, "why", TRACKS[0])
        (explained,) = await answered(socket, "why", TRACKS[0])

    assert [tag["name"] for tag in status["evaluator"]["tag_preferences"]] == ["jazz", "metal"]
    assert "predicted 8.1: sounds like the jazz tracks that you like" in why
    assert explained["matching_tags"][0]["predicted_difference"] == 1.5


@pytest.mark.usefixtures("line")
async def test_the_commands_show_tags(socket: Path) -> None:
    assert ["jazz", "3"] in [row.split()[:2] for row in (await said(socket, "tags")).splitlines()]
    (tag,) = await answered(socket, "tags", "--of", "jazz 2.ogg")
    assert tag["name"] == "jazz"
    listed = await answered(socket, "tracks", "--tag", "jazz")
    assert sorted(track["uri"] for track in listed) == JAZZ
    assert "ambient, blues" in (await run(socket, "tracks", "--tag", "polka")).err


async def test_tags_have_present_tracks_as_examples(line: Line, stores: Stores) -> None:
    await stores.library.mark_missing([Uri("jazz 2.ogg")], 0.0)

    answer = await line.library.ListSoundTags(ListSoundTagsRequest())

    (jazz,) = (tag for tag in answer.sound_tags if tag.name == "jazz")
    assert {track.uri for track in jazz.examples} == {"jazz 1.ogg", "jazz 3.ogg"}
    assert not next(tag for tag in answer.sound_tags if tag.name == "metal").examples


async def test_names_of_tags_that_some_tracks_have(line: Line, socket: Path) -> None:
    names = (await said(socket, "tags", "--names")).split()

    assert "jazz" in names
    assert "metal" not in names
