"""Tracks of cue sheets: whole files and parts of files, whatever comes first and changes."""

import itertools

import pytest

from anagnorisisd.domain.track import CueTrack, FileStamp, ScannedFile, Tags, TrackId, Uri
from anagnorisisd.storage.stores import Stores
from tests.support.library import STAMP, places, scanned, track_id

Range = tuple[int, int | None]
IMAGE = "a/image.flac"
SHEET = "a/image.cue"
TITLED = Tags(title="Title")
HALVES: tuple[Range, ...] = ((0, 4000), (4000, None))


def sheet(
    *ranges: Range, source: str = IMAGE, uri: str = SHEET, tags: Tags = TITLED
) -> ScannedFile:
    tracks = [
        CueTrack(Uri(f"{uri}/track{number:04}"), Uri(source), start, end, tags)
        for number, (start, end) in enumerate(ranges, start=1)
    ]
    return ScannedFile(Uri(uri), FileStamp(10, 1), None, cue_tracks=tuple(tracks))


def image(audio: str = IMAGE) -> ScannedFile:
    tags = Tags(title="Image", album="Album", year=1999)
    return scanned(IMAGE, audio=audio, tags=tags, duration_seconds=10.0)


async def at(stores: Stores, number: int, uri: str = SHEET) -> TrackId:
    found = await stores.library.track_at(Uri(f"{uri}/track{number:04}"))
    assert found is not None
    return found


async def present(stores: Stores) -> set[str]:
    """Return the URI under which each present track is picked."""
    found = await stores.library.candidates()
    ids = [found.track_id(row) for row in range(len(found))]
    return set((await stores.library.uris(ids)).values())


async def test_parts_take_the_place_of_their_file(stores: Stores) -> None:
    added = await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    first, second = await at(stores, 1), await at(stores, 2)
    track = await stores.library.track(second, STAMP)

    assert set(added.added) == {track_id(IMAGE), first, second}
    assert await present(stores) == {f"{SHEET}/track0001", f"{SHEET}/track0002"}
    assert (track.tags, track.duration_seconds) == (
        Tags(title="Title", album="Album", year=1999),
        6.0,
    )
    assert await stores.library.track_at(Uri(IMAGE)) == track_id(IMAGE)
    assert places(await stores.library.present_files()) == {IMAGE, SHEET}


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_the_order_of_sheet_and_audio_does_not_matter(
    stores: Stores, order: tuple[int, ...]
) -> None:
    files = [image(), sheet(*HALVES)]
    for number in order:
        await stores.library.store_files([files[number]], 1.0)

    assert await present(stores) == {f"{SHEET}/track0001", f"{SHEET}/track0002"}
    assert await stores.library.unusable_files() == []


async def test_a_track_that_is_a_whole_file_is_the_track_of_that_file(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet((0, None))], 1.0)

    assert await at(stores, 1) == track_id(IMAGE)
    assert await present(stores) == {f"{SHEET}/track0001"}
    assert set(await stores.library.copies([track_id(IMAGE)])) == {IMAGE, f"{SHEET}/track0001"}
    assert await stores.library.audio_files([track_id(IMAGE)]) == {track_id(IMAGE): IMAGE}


async def test_parts_have_no_file_of_their_own(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    assert await stores.library.audio_files([await at(stores, 1)]) == {}
    pending = await stores.embeddings.pending(STAMP, 10)
    assert {(each.uri, each.start_ms, each.end_ms) for each in pending} == {
        (IMAGE, 0, 4000),
        (IMAGE, 4000, None),
    }


@pytest.mark.parametrize(
    ("ranges", "same"),
    [
        (((0, 4000), (4000, None)), [True, True]),
        (((0, 3500), (3500, None)), [True, True]),  # the pregap belongs to the second track
        (((900, 4600), (4600, None)), [True, True]),
        (((0, 6000), (6000, None)), [False, False]),
        (((0, 4000), (4000, 8000)), [True, False]),
    ],
)
async def test_identity_of_parts_after_a_change_of_the_sheet(
    stores: Stores, ranges: tuple[Range, ...], same: list[bool]
) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)
    before = [await at(stores, number) for number in (1, 2)]

    await stores.library.store_files([sheet(*ranges, tags=Tags(title="Other"))], 2.0)

    after = [await at(stores, number) for number in (1, 2)]
    assert [one == other for one, other in zip(before, after, strict=True)] == same
    assert (await stores.library.track(after[0], STAMP)).tags.title == "Other"


async def test_short_parts_are_different_tracks(stores: Stores) -> None:
    ranges: list[Range] = [(each * 300, (each + 1) * 300) for each in range(10)]
    await stores.library.store_files([image(), sheet(*ranges)], 1.0)
    first = [await at(stores, number) for number in range(1, 11)]
    await stores.library.store_files([sheet(*ranges)], 2.0)

    assert len(set(first)) == 10
    assert [await at(stores, number) for number in range(1, 11)] == first


async def test_identity_of_parts_of_another_copy_of_the_audio(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)
    copy = scanned("b/copy.flac", audio=IMAGE, duration_seconds=10.0)
    await stores.library.store_files([copy, sheet(*HALVES, source=copy.uri, uri="b/x.cue")], 2.0)

    assert await at(stores, 2, "b/x.cue") == await at(stores, 2)


@pytest.mark.parametrize(
    ("part", "uri"),
    [
        ("0.000,4.000", f"{SHEET}/track0001"),
        ("4.001,", f"{SHEET}/track0002"),
        ("4.000,10.000", IMAGE),
        ("4.100,", IMAGE),
        ("x,", None),
    ],
)
async def test_a_part_of_a_file_is_the_track_of_the_sheet(
    stores: Stores, part: str, uri: str | None
) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    found = await stores.library.track_at(Uri(f"{IMAGE}#t={part}"))

    assert found == (None if uri is None else await stores.library.track_at(Uri(uri)))


async def test_a_file_with_the_name_of_a_part(stores: Stores) -> None:
    odd = scanned(f"{IMAGE}#t=0.000,4.000")
    await stores.library.store_files([image(), sheet(*HALVES), odd], 1.0)

    assert await stores.library.track_at(odd.uri) == odd.track_id


async def test_a_divided_file_is_not_missing(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    counts = await stores.library.counts(STAMP)
    listed = await stores.library.tracks(STAMP, limit=9)

    assert (counts.tracks, counts.missing, len(listed)) == (2, 0, 2)

    await stores.library.mark_missing([Uri(IMAGE)], 2.0)
    counts = await stores.library.counts(STAMP)
    assert (counts.tracks, counts.missing) == (3, 3)


async def test_without_its_sheet_a_file_is_one_track_again(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    assert await stores.library.mark_missing([Uri(SHEET)], 2.0) == 2
    assert await present(stores) == {IMAGE}
    assert places(await stores.library.present_files()) == {IMAGE}


async def test_without_its_audio_a_sheet_is_a_problem(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    assert await stores.library.mark_missing([Uri(IMAGE)], 2.0) == 2
    assert await present(stores) == set()
    ((uri, problem),) = await stores.library.unusable_files()
    assert (uri, "'image.flac'" in problem) == (SHEET, True)

    await stores.library.mark_present([Uri(IMAGE)], 3.0)
    assert await present(stores) == {f"{SHEET}/track0001", f"{SHEET}/track0002"}
    assert await stores.library.unusable_files() == []


async def test_a_sheet_that_became_unusable(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)
    broken = ScannedFile(Uri(SHEET), FileStamp(3, 3), None, problem="broken")

    await stores.library.store_files([broken], 2.0)

    assert await present(stores) == {IMAGE}
    assert await stores.library.unusable_files() == [(SHEET, "broken")]
    await stores.library.store_files([sheet(*HALVES)], 3.0)
    assert await stores.library.unusable_files() == []


async def test_a_file_that_mpd_lists_beside_its_parts_is_a_track_too(stores: Stores) -> None:
    await stores.library.store_files([image(), sheet(*HALVES)], 1.0)

    await stores.library.mark_listed(lambda uri: True)

    assert await present(stores) == {IMAGE, f"{SHEET}/track0001", f"{SHEET}/track0002"}
    await stores.library.mark_listed(lambda uri: uri != IMAGE)
    assert (await stores.library.unlisted()).tracks == 0
