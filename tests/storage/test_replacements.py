"""Files replaced by another encoding: what was said and heard of a piece stays with it."""

import pytest

from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import Tags, Track, TrackId, Uri
from anagnorisisd.errors import NothingToUndo
from anagnorisisd.storage.replacement_rules import Replacement
from anagnorisisd.storage.stores import Stores
from tests.support.library import EPOCH, STAMP, add_vectors, play, scanned, track_id, vector

SONG = Tags(title="Song", artist="Artist", album="Album")
OTHER = Tags(title="Another", artist="Artist", album="Album")
URI = "a.mp3"
OLD, NEW = track_id("old"), track_id("new")


async def take_in(stores: Stores, uri: str, audio: str, tags: Tags = SONG, at: float = 1.0) -> None:
    """Let a file be found."""
    await stores.library.store_files([scanned(uri, audio=audio, tags=tags)], EPOCH + at)


async def settle(stores: Stores) -> list[Replacement]:
    """Judge what was replaced, as at the end of a scan."""
    return list(await stores.library.process_replacements(EPOCH + 100))


async def track(stores: Stores, track_id: TrackId) -> Track:
    return await stores.library.track(track_id, STAMP)


@pytest.fixture
async def rated(stores: Stores) -> Stores:
    """A library whose song is rated 8, was played twice and skipped once."""
    await take_in(stores, URI, "old")
    await stores.ratings.rate(OLD, 8.0, at=EPOCH, source="test")
    for number, outcome in enumerate((PlayOutcome.FULL, PlayOutcome.FULL, PlayOutcome.SKIP)):
        await stores.plays.append(play(OLD, outcome, ended_at=EPOCH + number))
    return stores


async def test_rating_and_plays_pass_on(rated: Stores) -> None:
    await take_in(rated, URI, "new")
    (passed,) = await settle(rated)

    new, old = await track(rated, NEW), await track(rated, OLD)
    assert (new.rating, new.play_count, new.skip_count) == (8.0, 2, 1)
    assert new.last_played_at == EPOCH + 2
    assert (old.play_count, old.skip_count, old.last_played_at) == (0, 0, None)
    assert {each.track_id for each in await rated.plays.recent(9)} == {NEW}
    (entry, _) = await rated.ratings.history(limit=9)
    assert (entry.track_id, entry.source, entry.value) == (NEW, "replacement", 8.0)
    assert (passed.same, passed.rated, passed.plays) == (True, True, 3)
    assert await settle(rated) == [], "once"


async def test_undo_of_a_transfer_moves_the_plays_back(rated: Stores) -> None:
    await take_in(rated, URI, "new")
    await settle(rated)
    await rated.plays.append(play(NEW, ended_at=EPOCH + 200))

    await rated.ratings.undo(at=EPOCH + 201, source="test")

    new, old = await track(rated, NEW), await track(rated, OLD)
    assert (new.rating, new.play_count, new.last_played_at) == (None, 1, EPOCH + 200)
    assert (old.rating, old.play_count, old.skip_count) == (8.0, 2, 1)
    assert old.last_played_at == EPOCH + 2


@pytest.fixture
async def unrated(stores: Stores) -> Stores:
    """A library whose song is not rated, and was played once."""
    await take_in(stores, URI, "old")
    await stores.plays.append(play(OLD, ended_at=EPOCH))
    return stores


async def test_plays_of_an_unrated_track_have_an_entry_that_is_no_rating(unrated: Stores) -> None:
    await take_in(unrated, URI, "new")
    (passed,) = await settle(unrated)

    (entry,) = await unrated.ratings.history(limit=9, with_plays_only=True)
    assert (entry.track_id, entry.source, entry.value) == (NEW, "replacement", None)
    assert entry.plays_only
    assert passed.change is None
    assert (await track(unrated, NEW)).play_count == 1
    # To stickers, tags, exports and trainings, the track was never rated, nor cleared.
    assert await unrated.ratings.history(limit=9) == []
    assert await unrated.ratings.oldest(9, after=0) == []
    assert await unrated.ratings.newest() == {}


async def test_plays_of_an_unrated_track_go_back_by_undo(unrated: Stores) -> None:
    await take_in(unrated, URI, "new")
    await settle(unrated)

    change = await unrated.ratings.undo(at=EPOCH + 201, source="test")

    assert change.rating.plays_only
    new, old = await track(unrated, NEW), await track(unrated, OLD)
    assert (new.play_count, old.play_count) == (0, 1)
    assert await unrated.ratings.newest() == {}
    with pytest.raises(NothingToUndo):
        await unrated.ratings.undo(at=EPOCH + 202, source="test")


async def test_an_undo_of_moved_plays_keeps_a_rating_given_since(unrated: Stores) -> None:
    await take_in(unrated, URI, "new")
    await settle(unrated)
    await unrated.ratings.rate(NEW, 7.0, at=EPOCH + 200, source="test")

    await unrated.ratings.undo(at=EPOCH + 201, source="test")
    assert (await track(unrated, NEW)).rating is None
    await unrated.ratings.undo(at=EPOCH + 202, source="test")

    assert ((await track(unrated, NEW)).rating, (await track(unrated, OLD)).play_count) == (None, 1)


async def test_two_replacements_before_the_transfer(rated: Stores) -> None:
    await take_in(rated, URI, "new")
    await take_in(rated, URI, "newest")  # before anybody has judged the one before
    await settle(rated)

    newest = await track(rated, track_id("newest"))
    assert (newest.rating, newest.play_count, newest.skip_count) == (8.0, 2, 1)


async def test_a_former_file_that_comes_back_brings_the_newest_rating_along(rated: Stores) -> None:
    await take_in(rated, URI, "new", at=1)
    await settle(rated)
    await rated.ratings.rate(NEW, 3.0, at=EPOCH + 5, source="test")

    await take_in(rated, URI, "old", at=2)
    await settle(rated)

    old = await track(rated, OLD)
    assert (old.rating, old.play_count) == (3.0, 2)


async def test_a_file_that_was_deleted_first_passes_on_too(rated: Stores) -> None:
    await rated.library.mark_missing([Uri(URI)], EPOCH + 1)
    await take_in(rated, URI, "new", at=2)
    await settle(rated)

    assert (await track(rated, NEW)).rating == 8.0


@pytest.mark.parametrize("tags", [SONG, Tags()])
async def test_a_track_that_moved_elsewhere_was_not_replaced(rated: Stores, tags: Tags) -> None:
    await take_in(rated, URI, "new", tags)
    await take_in(rated, "moved.mp3", "old")

    assert await settle(rated) == []

    assert (await track(rated, NEW)).rating is None
    assert (await track(rated, OLD)).play_count == 2


async def test_another_piece_takes_nothing_over(rated: Stores) -> None:
    await take_in(rated, URI, "new", OTHER)
    (doubtful,) = await settle(rated)

    new = await track(rated, NEW)
    assert (new.rating, new.play_count) == (None, 0)
    assert (doubtful.same, doubtful.rated) == (False, True)


async def test_a_track_that_was_there_before_needs_tags_to_take_over(stores: Stores) -> None:
    await take_in(stores, URI, "old", Tags())
    await take_in(stores, "staged.mp3", "new", Tags())
    await stores.ratings.rate(OLD, 8.0, at=EPOCH, source="test")

    await stores.library.mark_missing([Uri("staged.mp3")], EPOCH + 1)
    await take_in(stores, URI, "new", Tags(), at=2)
    await settle(stores)

    assert (await track(stores, NEW)).rating is None


async def test_a_newer_rating_of_the_new_track_stays(rated: Stores) -> None:
    await take_in(rated, "staged.mp3", "new")
    await rated.ratings.rate(NEW, 2.0, at=EPOCH + 1, source="test")

    await rated.library.mark_missing([Uri("staged.mp3")], EPOCH + 1)
    await take_in(rated, URI, "new", at=2)
    await settle(rated)

    new = await track(rated, NEW)
    assert (new.rating, new.play_count) == (2.0, 2)


async def test_a_cleared_rating_does_not_come_back(rated: Stores) -> None:
    await rated.ratings.rate(OLD, None, at=EPOCH + 1, source="test")
    await take_in(rated, URI, "new")
    await settle(rated)

    assert (await track(rated, NEW)).rating is None
    assert len(await rated.ratings.history(limit=9)) == 2
    moved, *_ = await rated.ratings.history(limit=9, with_plays_only=True)
    assert (moved.track_id, moved.plays_only) == (NEW, True)


async def test_a_piece_is_an_example_once(rated: Stores) -> None:
    await add_vectors(rated, {OLD: vector(1, 0, 0, 0)})
    await take_in(rated, URI, "new")
    await settle(rated)
    assert list((await rated.embeddings.training_set(STAMP)).tracks.track_ids) == [OLD]

    await add_vectors(rated, {NEW: vector(0, 1, 0, 0)})
    assert list((await rated.embeddings.training_set(STAMP)).tracks.track_ids) == [NEW]
    assert await rated.embeddings.example_count(STAMP) == 1


@pytest.mark.slow
async def test_a_thousand_are_settled_at_once(stores: Stores) -> None:
    names = [f"{number}.mp3" for number in range(1000)]
    await stores.library.store_files([scanned(name) for name in names], EPOCH)
    for name in names:
        await stores.ratings.rate(track_id(name), 7.0, at=EPOCH, source="test")
    await stores.library.store_files(
        [scanned(name, audio=f"new {name}") for name in names], EPOCH + 1
    )

    settled = await settle(stores)

    assert len(settled) == 1000
    assert (await stores.ratings.summary())[0] == 2000
