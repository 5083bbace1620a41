"""Songs without files: which track they are, and what happens when their audio is seen."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.track import FileStamp, ScannedFile, Tags, TrackId, Uri
from anagnorisisd.storage.stores import Stores
from anagnorisisd.storage.uri_identities import LastTrack, same_track, uri_track_id
from tests.support.library import EPOCH, STAMP, play, scanned, track_id

URI = Uri("a/song.flac")
SONG = Tags(title="Song", artist="Artist")
BY_URI = uri_track_id(URI, 180.0)


@pytest.mark.parametrize(
    ("known_seconds", "is_here", "is_present", "seconds", "same"),
    [
        (180.0, True, True, 180.0, True),
        (180.0, True, True, 182.0, True),
        (180.0, True, True, 182.1, False),
        (None, True, True, 180.0, True),
        (180.0, True, True, None, True),
        (180.0, False, False, 180.0, True),  # it was away for a while
        (180.0, False, True, 180.0, False),  # it is elsewhere
    ],
)
def test_the_track_that_was_at_the_uri(
    known_seconds: float | None,
    is_here: bool,
    is_present: bool,
    seconds: float | None,
    same: bool,
) -> None:
    last = LastTrack(BY_URI, known_seconds, is_here, is_present, number=1)

    assert same_track(last, seconds) is same


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=3).map(os.fsdecode),
            st.none() | st.integers(0, 3),
            st.integers(0, 2),
        ),
        unique=True,
    )
)
def test_ids_of_other_songs_differ(songs: list[tuple[str, int | None, int]]) -> None:
    ids = {uri_track_id(Uri(uri), seconds, number) for uri, seconds, number in songs}

    assert len(ids) == len(songs)
    assert all(len(each) == 32 for each in ids)


def by_uri(uri: Uri = URI, tags: Tags = SONG, seconds: float | None = 180.0) -> ScannedFile:
    """Return a song as the player lists it."""
    identity = uri_track_id(uri, seconds)
    return ScannedFile(uri, FileStamp(1, -1), identity, tags, seconds, identified_by_uri=True)


@pytest.fixture
async def rated(stores: Stores) -> Stores:
    """A library without files, whose song is rated 8 and was played."""
    await stores.library.store_files([by_uri()], EPOCH)
    await stores.ratings.rate(BY_URI, 8.0, at=EPOCH, source="test")
    await stores.plays.append(play(BY_URI, ended_at=EPOCH))
    return stores


async def see(stores: Stores, tags: Tags = SONG, seconds: float | None = 180.0) -> None:
    """Read a file at the URI, as a scan does."""
    file = scanned(URI, audio="audio", tags=tags, duration_seconds=seconds)
    await stores.library.store_files([file], EPOCH + 1)
    await stores.library.process_replacements(EPOCH + 2)


@pytest.mark.parametrize(
    ("tags", "seconds"),
    [
        (SONG, 181.5),
        (Tags(title="Corrected"), 180.0),
        (SONG, None),
        (Tags(title="song", artist="ARTIST"), 400.0),  # MPD's duration of some mp3 files is wrong
    ],
)
async def test_the_track_gets_the_id_of_its_audio(
    rated: Stores, tags: Tags, seconds: float | None
) -> None:
    await see(rated, tags, seconds)

    now = await rated.library.track(track_id("audio"), STAMP)
    assert (now.rating, now.play_count, now.tags) == (8.0, 1, tags)
    assert (await rated.library.counts(STAMP)).tracks == 1
    assert [entry.source for entry in await rated.ratings.history(limit=9)] == ["test"]


async def test_another_recording_at_the_uri_is_another_track(rated: Stores) -> None:
    await see(rated, Tags(title="Other", artist="Artist"), 400.0)

    now = await rated.library.track(track_id("audio"), STAMP)
    before = await rated.library.track(BY_URI, STAMP)
    assert (now.rating, before.rating) == (None, 8.0)


async def test_audio_that_is_known_already_replaces_the_track(rated: Stores) -> None:
    await rated.library.store_files([scanned("copy.flac", audio="audio", tags=SONG)], EPOCH)

    await see(rated)

    now = await rated.library.track(track_id("audio"), STAMP)
    assert (now.rating, now.play_count) == (8.0, 1)
    assert (await rated.ratings.history(limit=1))[0].source == "replacement"


async def test_last_tracks_and_missing_ones(rated: Stores) -> None:
    identities = rated.uri_identities
    assert await identities.last_tracks([URI, Uri("none")]) == {
        URI: LastTrack(BY_URI, 180.0, is_here=True, is_present=True, number=1)
    }
    assert await identities.missing() == {}

    await rated.library.mark_missing([URI], EPOCH + 1)

    last = (await identities.last_tracks([URI]))[URI]
    assert (last.is_here, last.is_present) == (False, False)
    assert await identities.missing() == {(180_000, "Song", "Artist", ""): [TrackId(BY_URI)]}
