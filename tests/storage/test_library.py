"""Tracks and files: what a scan brings, what goes missing, and what is shown of it."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Literal
from unicodedata import normalize

import numpy as np
import pytest
import sqlite_utils

from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.track import FileStamp, Tags, Track, TrackId, TrackState, Uri
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage import track_queries
from anagnorisisd.storage.stores import FILE_NAME, Stores
from anagnorisisd.storage.track_queries import LibraryCounts, TrackFilter, TrackKey, TrackOrder
from tests.support.library import (
    EPOCH,
    STAMP,
    add_rated,
    add_tracks,
    add_vectors,
    places,
    play,
    predict,
    scanned,
    track_id,
    unreadable,
    vector,
)

ODD = [os.fsdecode(b"caf\xe9/\xff.mp3"), "two\nlines.ogg", "a" * 251 + ".mp3", "'; DROP.flac"]


async def test_new_files_are_tracks_with_their_tags(stores: Stores) -> None:
    tags = Tags("Title", "Artist", "Album", "Band", "Rock", 1999)
    file = scanned("a/song.flac", tags=tags, duration_seconds=12.5)
    absorbed = await stores.library.store_files([file], EPOCH)
    assert absorbed.added == (track_id("a/song.flac"),)
    track = await stores.library.track(track_id("a/song.flac"), STAMP)
    assert (track.uri, track.tags, track.duration_seconds) == ("a/song.flac", tags, 12.5)
    assert (track.added_at, track.state) == (EPOCH, TrackState.PENDING)


@pytest.mark.parametrize("uri", ODD)
async def test_names_of_any_bytes_survive(stores: Stores, uri: str) -> None:
    (track,) = await add_tracks(stores, uri)
    assert await stores.library.uris([track]) == {track: uri}
    assert places(await stores.library.present_files()) == {uri}
    assert await stores.library.track_at(Uri(uri)) == track


async def test_tags_that_no_text_can_hold_are_stored_readably(stores: Stores) -> None:
    await stores.library.store_files([scanned("a.mp3", tags=Tags(title="x\udcffy"))], EPOCH)
    assert (await stores.library.track(track_id("a.mp3"), STAMP)).title == "x?y"


async def test_retagged_file_stays_the_same_track(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 7})
    file = scanned("a.mp3", tags=Tags("New title"), stamp=FileStamp(1100, 2))
    absorbed = await stores.library.store_files([file], EPOCH + 1)
    assert (absorbed.added, absorbed.moved, absorbed.changed) == ((), 0, 1)
    found = await stores.library.track(track, STAMP)
    assert (found.title, found.rating, found.added_at) == ("New title", 7, EPOCH)
    assert await stores.library.present_files() == {(b"a.mp3", 1100, 2)}


@pytest.mark.parametrize("missing_first", [True, False])
async def test_moved_file_keeps_everything(stores: Stores, missing_first: bool) -> None:
    (track,) = await add_rated(stores, {"old.mp3": 7})
    if missing_first:
        assert await stores.library.mark_missing([Uri("old.mp3")], EPOCH) == 1
    absorbed = await stores.library.store_files([scanned("new.mp3", audio="old.mp3")], EPOCH + 1)
    if not missing_first:
        assert await stores.library.mark_missing([Uri("old.mp3")], EPOCH) == 0
    assert (absorbed.added, absorbed.moved) == ((), 1)
    found = await stores.library.track(track, STAMP)
    assert (found.uri, found.rating, found.state) == ("new.mp3", 7, TrackState.PENDING)
    assert await stores.library.track_at(Uri("new.mp3")) == track
    assert places(await stores.library.present_files()) == {"new.mp3"}


async def test_track_with_two_files_is_missing_when_both_are_gone(stores: Stores) -> None:
    one, two = scanned("one.mp3", audio="same"), scanned("two.mp3", audio="same")
    assert (await stores.library.store_files([one, two], EPOCH)).added == (track_id("same"),)
    assert await stores.library.mark_missing([Uri("two.mp3")], EPOCH) == 0
    assert await stores.library.uris([track_id("same")]) == {track_id("same"): "one.mp3"}
    assert await stores.library.mark_missing([Uri("one.mp3")], EPOCH) == 1
    assert await stores.library.uris([track_id("same")]) == {}
    assert (await stores.library.counts(STAMP)).missing == 1


async def test_removed_copy_leaves_the_tags_of_the_file_that_stays(stores: Stores) -> None:
    await stores.library.store_files([scanned("one.mp3", audio="x", tags=Tags("One"))], EPOCH)
    await stores.library.store_files([scanned("two.mp3", audio="x", tags=Tags("Two"))], EPOCH + 1)
    assert (await stores.library.track(track_id("x"), STAMP)).title == "One"
    await stores.library.mark_missing([Uri("one.mp3")], EPOCH + 2)
    assert (await stores.library.track(track_id("x"), STAMP)).title == "Two"


async def test_missing_track_keeps_its_rating_and_comes_back(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 7})
    await stores.library.mark_missing([Uri("a.mp3")], EPOCH)
    gone = await stores.library.track(track, STAMP)
    assert (gone.state, gone.rating, gone.uri) == (TrackState.MISSING, 7, "a.mp3")
    assert await stores.library.track_at(Uri("a.mp3")) == track
    absorbed = await stores.library.store_files([scanned("a.mp3")], EPOCH + 1)
    assert (absorbed.added, absorbed.changed) == ((), 1)
    assert (await stores.library.track(track, STAMP)).state is TrackState.PENDING


async def test_replaced_file_is_another_track_and_the_old_one_is_missing(stores: Stores) -> None:
    (old,) = await add_rated(stores, {"a.mp3": 7})
    absorbed = await stores.library.store_files([scanned("a.mp3", audio="other")], EPOCH + 1)
    assert absorbed.added == (track_id("other"),)
    assert await stores.library.track_at(Uri("a.mp3")) == track_id("other")
    replaced = await stores.library.track(old, STAMP)
    assert (replaced.state, replaced.rating, replaced.uri) == (TrackState.MISSING, 7, "a.mp3")
    assert len(await stores.library.present_files()) == 1


async def test_unreadable_file_is_a_problem_with_a_stamp(stores: Stores) -> None:
    absorbed = await stores.library.store_files([unreadable("bad.mp3", "empty file")], EPOCH)
    assert absorbed.unusable == 1
    assert await stores.library.unusable_files() == [("bad.mp3", "empty file")]
    assert places(await stores.library.present_files()) == {"bad.mp3"}
    assert await stores.library.track_at(Uri("bad.mp3")) is None
    assert (await stores.library.counts(STAMP)).tracks == 0


async def test_problem_goes_with_its_file_or_its_cause(stores: Stores) -> None:
    await stores.library.store_files([unreadable("gone.mp3"), unreadable("mended.mp3")], EPOCH)
    await stores.library.store_files([unreadable("gone.mp3", "truncated")], EPOCH)
    assert await stores.library.mark_missing([Uri("gone.mp3")], EPOCH) == 0
    await add_tracks(stores, "mended.mp3")
    assert await stores.library.unusable_files() == []
    assert places(await stores.library.present_files()) == {"mended.mp3"}


async def test_track_that_became_unreadable_is_missing_until_it_is_mended(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 7})
    await stores.library.store_files([unreadable("a.mp3", "permission denied")], EPOCH)
    assert (await stores.library.track(track, STAMP)).state is TrackState.MISSING
    assert await stores.library.track_at(Uri("a.mp3")) == track
    await stores.library.store_files([scanned("a.mp3")], EPOCH)
    assert (await stores.library.track(track, STAMP)).state is TrackState.PENDING
    assert await stores.library.unusable_files() == []


async def test_marking_what_is_not_known_changes_nothing(stores: Stores) -> None:
    await add_tracks(stores, "a.mp3")
    assert await stores.library.mark_missing([Uri("b.mp3")], EPOCH) == 0
    assert (await stores.library.counts(STAMP)).missing == 0


async def test_whole_library_can_go_missing(stores: Stores) -> None:
    uris = [f"{number}.mp3" for number in range(2500)]
    await add_tracks(stores, *uris)
    assert await stores.library.mark_missing(map(Uri, uris), EPOCH) == 2500
    assert len(await stores.library.candidates()) == 0


async def test_the_files_of_a_folder_or_one_of_them(stores: Stores) -> None:
    uris = ["a", "a b/x", "a/x", "a/y/z", "a0", "b/a/x"]
    await add_tracks(stores, *uris)
    assert places(await stores.library.present_files(Uri("a"))) == {"a", "a/x", "a/y/z"}
    assert places(await stores.library.present_files(Uri("a/y/z"))) == {"a/y/z"}
    assert places(await stores.library.present_files()) == set(uris)
    await stores.library.mark_missing(map(Uri, uris), EPOCH)
    assert places(await stores.library.missing_files(Uri("a"))) == {"a", "a/x", "a/y/z"}
    assert places(await stores.library.missing_files()) == set(uris)
    assert await stores.library.present_files() == set()


async def test_missing_files_are_marked_present(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await stores.library.mark_missing([Uri("a"), Uri("b")], EPOCH)
    await stores.library.mark_present([Uri("a"), Uri("never there")], EPOCH + 1)
    assert (await stores.library.track(a, STAMP)).state is TrackState.PENDING
    assert (await stores.library.track(b, STAMP)).state is TrackState.MISSING
    assert places(await stores.library.missing_files()) == {"b"}


async def test_last_of_several_tracks_at_a_path_is_the_one_that_returns(stores: Stores) -> None:
    file = Uri("a.mp3")
    for second, (audio, size) in enumerate([("x", 1), ("y", 2), ("x", 1)]):
        stamp = FileStamp(size, 1)
        await stores.library.store_files([scanned(file, audio=audio, stamp=stamp)], EPOCH + second)
    await stores.library.mark_missing([file], EPOCH + 5)
    assert await stores.library.missing_files() == {(os.fsencode(file), 1, 1)}
    await stores.library.mark_present([file], EPOCH + 6)
    assert await stores.library.track_at(file) == track_id("x")
    assert (await stores.library.track(track_id("y"), STAMP)).state is TrackState.MISSING


async def test_replaced_file_marked_present_keeps_its_new_track(stores: Stores) -> None:
    await add_tracks(stores, "a.mp3")
    await stores.library.store_files([scanned("a.mp3", audio="other")], EPOCH + 1)
    await stores.library.mark_present([Uri("a.mp3")], EPOCH + 2)
    assert await stores.library.track_at(Uri("a.mp3")) == track_id("other")


async def test_unknown_track_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownTrack, match="no track 'nothing'"):
        await stores.library.track(TrackId("nothing"), STAMP)


async def test_states_add_up(stores: Stores) -> None:
    done, broken, flaky, gone, _ = await add_rated(stores, dict.fromkeys("abcde", 5.0))
    await add_vectors(stores, {done: vector(1, 2, 3, 4), gone: vector(1, 2, 3, 4)})
    await stores.embeddings.fail(STAMP, broken, "silence", permanent=True, at=EPOCH)
    await stores.embeddings.fail(STAMP, flaky, "worker died", permanent=False, at=EPOCH)
    await stores.library.mark_missing([Uri("d")], EPOCH)
    await stores.library.store_files([unreadable("f")], EPOCH)
    assert await stores.library.counts(STAMP) == LibraryCounts(
        tracks=5, pending=2, embedded=1, failed=1, missing=1, rated=5, unusable_files=1
    )
    failed = await stores.library.track(broken, STAMP)
    assert (failed.state, failed.failure) == (TrackState.FAILED, "silence")
    assert (await stores.library.track(flaky, STAMP)).failure is None


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (TrackFilter.ALL, "abcd"),
        (TrackFilter.RATED, "a"),
        (TrackFilter.UNRATED, "bcd"),
        (TrackFilter.PENDING, "a"),
        (TrackFilter.FAILED, "c"),
        (TrackFilter.MISSING, "d"),
    ],
)
async def test_tracks_by_filter(stores: Stores, only: TrackFilter, expected: str) -> None:
    _, b, c, _ = await add_tracks(stores, *"abcd")
    await stores.ratings.rate(track_id("a"), 8, at=EPOCH, source="test")
    await add_vectors(stores, {b: vector(0, 0, 0, 0)})
    await stores.embeddings.fail(STAMP, c, "silence", permanent=True, at=EPOCH)
    await stores.library.mark_missing([Uri("d")], EPOCH)
    found = await stores.library.tracks(STAMP, only=only, limit=10)
    assert {track.uri for track in found} == set(expected)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (TrackOrder.ADDED, "cba"),
        (TrackOrder.RATING, "bca"),
        (TrackOrder.PREDICTED_RATING, "acb"),
        (TrackOrder.LAST_PLAYED, "cab"),
    ],
)
async def test_tracks_by_order_and_page(stores: Stores, order: TrackOrder, expected: str) -> None:
    for number, name in enumerate("abc"):
        await add_tracks(stores, name, at=EPOCH + number)
    a, b, c = map(track_id, "abc")
    await stores.ratings.rate(b, 8, at=EPOCH, source="test")
    await stores.ratings.rate(c, 2, at=EPOCH, source="test")
    await predict(stores, {a: 9.0, c: 3.0})
    await stores.plays.append(play(a, ended_at=EPOCH))
    await stores.plays.append(play(c, ended_at=EPOCH + 60))
    pages = await in_pages(stores, order, 2)
    assert "".join(track.uri for page in pages for track in page) == expected


async def in_pages(
    stores: Stores, order: TrackOrder, size: int, text: str = ""
) -> list[Sequence[Track]]:
    """Return all pages of that size; each but the last is full."""
    pages: list[Sequence[Track]] = []
    after: TrackKey | None = None
    while page := await stores.library.tracks(
        STAMP, order=order, text=text, limit=size, after=after
    ):
        pages.append(page)
        after = TrackKey.of(page[-1], order)
    assert all(len(page) == size for page in pages[:-1])
    return pages


@pytest.mark.parametrize("order", TrackOrder)
@pytest.mark.parametrize("size", [1, 3, 7, 30])
@pytest.mark.parametrize(("text", "count"), [("", 30), ("1", 12)])
async def test_pages_of_any_size_are_the_whole_in_order(
    stores: Stores, order: TrackOrder, size: int, text: str, count: int
) -> None:
    rng = Random(size)
    for number in range(30):
        (track,) = await add_tracks(stores, f"{number}", at=EPOCH + rng.randrange(4))
        if rng.random() < 0.6:
            rating = rng.randrange(5) / 3
            await stores.ratings.rate(track, rating, at=EPOCH, source="test")
        if rng.random() < 0.6:
            await stores.plays.append(play(track, ended_at=EPOCH + rng.randrange(4)))
        if rng.random() < 0.6:
            await predict(stores, {track: rng.choice([1 / 3, 5.0, 7.0])})
    whole = await stores.library.tracks(STAMP, order=order, text=text, limit=100)

    pages = await in_pages(stores, order, size, text)

    assert [track for page in pages for track in page] == list(whole)
    assert len(whole) == count


@pytest.mark.parametrize("order", TrackOrder)
async def test_a_later_page_costs_little_more_than_the_first(
    stores: Stores, tmp_path: Path, order: TrackOrder
) -> None:
    tracks = await add_tracks(stores, *(f"{number}.ogg" for number in range(2_000)))
    await predict(stores, {track: 1 + number % 7 for number, track in enumerate(tracks)})
    for number, track in enumerate(tracks[:200]):
        await stores.ratings.rate(track, number % 10, at=EPOCH, source="test")
        await stores.plays.append(play(track, ended_at=EPOCH + number))
    whole = await stores.library.tracks(STAMP, order=order, limit=len(tracks))
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        db = sqlite_utils.Database(connection)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        def page(after: TrackKey | None) -> int:
            nonlocal steps
            steps = 0
            found = track_queries.page(
                db, STAMP, only=TrackFilter.ALL, order=order, text="", limit=20,
                after=after,
            )  # fmt: skip
            assert len(found) == 20
            return steps

        connection.set_progress_handler(step, 10)
        first = page(None)
        middle = page(TrackKey.of(whole[100], order))
        last = page(TrackKey.of(whole[-21], order))
        connection.set_progress_handler(None, 0)
    assert max(middle, last) < (1.5 if order is TrackOrder.ADDED else 1.9) * first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("björk", "ab"),
        ("BJÖRK homo", "a"),
        ("folk/", "c"),
        ("100%", "c"),
        ("_", ""),
        ("  ", "abc"),
        ("\udcff", ""),
    ],
)
async def test_tracks_by_text(stores: Stores, text: str, expected: str) -> None:
    await stores.library.store_files(
        [
            scanned("x/1.mp3", audio="a", tags=Tags("Jóga", "Björk", "Homogenic")),
            scanned("x/2.mp3", audio="b", tags=Tags("Hunter", "BJÖRK", "Live")),
            scanned("Folk/3.mp3", audio="c", tags=Tags("100% wool")),
        ],
        EPOCH,
    )
    found = await stores.library.tracks(STAMP, text=text, limit=10)
    assert {track.track_id for track in found} == set(map(track_id, expected))


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD", "NFKD"])
@pytest.mark.parametrize("word", ["Jóga", "BJÖRK", "Über", "straße", "한국"])
async def test_tracks_are_found_in_either_form_of_unicode(
    stores: Stores,
    stored: Literal["NFC", "NFD"],
    typed: Literal["NFC", "NFD", "NFKD"],
    word: str,
) -> None:
    title, artist, album = (normalize(stored, name) for name in ("Jóga", "Björk", "Straße"))
    path = normalize(stored, "Über/한국.mp3")
    await stores.library.store_files([scanned(path, tags=Tags(title, artist, album))], EPOCH)

    found = await stores.library.tracks(STAMP, text=normalize(typed, word), limit=10)

    assert [track.uri for track in found] == [path]


async def test_candidates_are_the_present_tracks_as_columns(stores: Stores) -> None:
    rated, predicted, _ = await add_tracks(stores, "a", "b", "gone")
    await stores.library.mark_missing([Uri("gone")], EPOCH)
    await stores.ratings.rate(rated, 8, at=EPOCH, source="test")
    await predict(stores, {predicted: 6.5}, stddev=1.5)
    await stores.plays.append(play(rated, ended_at=EPOCH + 9))
    found = await stores.library.candidates()
    assert list(found.track_ids) == sorted(found.track_ids)
    assert len(found) == 2
    a, b = found.rows([rated, predicted]).tolist()
    assert found.rating[a] == 8
    assert np.isnan(found.rating[b])
    assert np.isnan(found.predicted_mean[a])
    assert (found.predicted_mean[b], found.predicted_stddev[b]) == (6.5, 1.5)
    assert (found.full_plays[a], found.last_played_at[a]) == (1, EPOCH + 9)
    assert (found.full_plays[b], found.last_played_at[b]) == (0, -np.inf)
    assert found.duration_seconds[a] == 180
    assert found.mean_rating == 8


async def test_candidates_of_an_empty_library(stores: Stores) -> None:
    found = await stores.library.candidates(["folder"], ["genre"])
    assert (len(found), found.mean_rating) == (0, 5.0)


async def by_artists_of(stores: Stores, uri: str) -> set[str]:
    """Return the uris of the tracks that have an artist in common with the one at `uri`."""
    found = await stores.library.candidates()
    rows = np.flatnonzero(found.artists.sharing(found.rows([track_id(uri)])))
    ids = [found.track_id(row) for row in rows.tolist()]
    return set((await stores.library.uris(ids)).values())


async def test_a_track_has_all_the_artists_that_its_tag_names(stores: Stores) -> None:
    artists = {
        "alone": "Alpha",
        "several": "Alpha; Beta",
        "guest": "Gamma feat. ALPHA",
        "duo": "Alpha & Delta",
        "delta": "Delta",
        "band": "Delta & Nobody",
        "other": "Epsilon",
    }
    await stores.library.store_files(
        [scanned(uri, tags=Tags(artist=artist)) for uri, artist in artists.items()], EPOCH
    )
    assert await by_artists_of(stores, "alone") == {"alone", "several", "guest", "duo"}
    assert await by_artists_of(stores, "delta") == {"delta", "duo"}
    assert await by_artists_of(stores, "band") == {"band"}
    # With its last track an artist is none of the library any more.
    await stores.library.mark_missing([Uri("delta")], EPOCH)
    assert await by_artists_of(stores, "alone") == {"alone", "several", "guest"}


async def test_artists_and_albums_are_told_apart(stores: Stores) -> None:
    tags = {
        "a": Tags(artist="Queen", album="Greatest Hits", album_artist="Queen"),
        "b": Tags(artist="QUEEN", album="greatest hits", album_artist="Queen"),
        "c": Tags(artist="ABBA", album="Greatest Hits", album_artist="ABBA"),
        "d": Tags(),
        "e": Tags(artist="Queen", album="Compilation"),
        "f": Tags(artist="ABBA", album="Compilation"),
    }
    await stores.library.store_files([scanned(uri, tags=tags[uri]) for uri in tags], EPOCH)
    found = await stores.library.candidates()
    rows = found.rows(list(map(track_id, tags)))
    assert await by_artists_of(stores, "a") == {"a", "b", "e"}
    assert await by_artists_of(stores, "c") == {"c", "f"}
    assert await by_artists_of(stores, "d") == set()
    a, b, c, d, e, f = found.album[rows].tolist()
    assert a == b != c
    assert e == f != a
    assert d == 0


async def test_excluded_folders_and_genres(stores: Stores) -> None:
    files = [
        scanned("Audiobooks/a.mp3"),
        scanned("Audiobooks 2/b.mp3"),
        scanned("x/c.mp3", tags=Tags(genre="Rock; christmas ")),
        scanned("x/d.mp3", tags=Tags(genre="Christmas Rock")),
        scanned("x/e.mp3", audio="two places"),
        scanned("Audiobooks/deep/e.mp3", audio="two places"),
    ]
    await stores.library.store_files(files, EPOCH)
    found = await stores.library.candidates(["Audiobooks/"], ["Christmas"])
    excluded = {found.track_id(row) for row in np.flatnonzero(found.excluded).tolist()}
    assert excluded == {
        track_id("Audiobooks/a.mp3"), track_id("x/c.mp3"), track_id("two places")
    }  # fmt: skip


async def test_excluded_folder_in_either_form_of_unicode(stores: Stores) -> None:
    nfc, nfd = (normalize(form, "Hörbücher") for form in ("NFC", "NFD"))
    await stores.library.store_files([scanned(f"{nfd}/a.mp3"), scanned(f"x/{nfc}/b.mp3")], EPOCH)

    found = await stores.library.candidates([nfc, f"x/{nfd}"])

    assert found.excluded.all()


async def test_candidates_are_refreshed_as_if_they_had_been_read_again(stores: Stores) -> None:
    rated, played, same = await add_tracks(stores, "rated", "played", "same")
    before = await stores.library.candidates()
    await stores.ratings.rate(rated, 9, at=1.0, source="test")
    await stores.plays.append(play(played, ended_at=EPOCH))
    await predict(stores, {rated: 4.0, played: 6.0})

    found = await stores.library.refreshed(before, [rated, played, track_id("a stranger")])

    wanted = await stores.library.candidates()
    for column in fields(Candidates):
        if column.name != "artists":
            ours, theirs = getattr(found, column.name), getattr(wanted, column.name)
            np.testing.assert_array_equal(ours, theirs)
    assert found.artists is before.artists
    assert np.isnan(before.rating).all()
    assert before.row(same) == found.row(same)


async def test_refresh_with_unknown_tracks_changes_nothing(stores: Stores) -> None:
    await add_tracks(stores, "a")
    before = await stores.library.candidates()

    found = await stores.library.refreshed(before, [track_id("a stranger")])

    assert len(found) == 1
    assert found.mean_rating == before.mean_rating


async def test_candidates_of_several_pages(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anagnorisisd.storage.candidates.PAGE_SIZE", 7)
    added = await add_tracks(stores, *map(str, range(20)))
    found = await stores.library.candidates()
    assert [found.track_id(row) for row in range(20)] == sorted(added)
    assert len(await stores.library.present_files()) == 20
