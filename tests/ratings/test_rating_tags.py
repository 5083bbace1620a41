"""Ratings written into files: every digit, every format, and not one byte of audio changed."""

# mypy: disable-error-code="no-untyped-call"

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.flac import FLAC
from mutagen.id3 import ID3, POPM, TIT2, ID3NoHeaderError

from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import identify
from anagnorisisd.library.tags import read_tags
from anagnorisisd.ratings import fmps_rating_tag, rating_tag_reader, rating_tag_writer
from anagnorisisd.ratings.external_ratings import ExternalRatings
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.damage import of_tiny_parts
from tests.support.media import FORMATS, READ_ONLY, copy_sample, retag, untag, write_song
from tests.support.rpc import thread_pool

TAGGED = sorted({*FORMATS, *READ_ONLY} - {"aac"})


def identity(path: Path) -> TrackId:
    with path.open("rb") as file:
        return identify(file)[1]


def tags_of(path: Path) -> Tags:
    with path.open("rb") as file:
        return read_tags(file, identify(file)[0])[0]


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
@pytest.mark.parametrize("name", TAGGED)
def test_rating_is_written_changed_and_taken_away(name: str, tagged: bool, tmp_path: Path) -> None:
    if name in READ_ONLY:
        song = copy_sample(name, tmp_path)
    else:
        song = write_song(tmp_path / f"song.{name}")
    if tagged:
        retag(song, "Täglich ☂", cover=True)
    track_id, tags = identity(song), tags_of(song)

    for rating in (7.3, 0.0, 10.0, None):
        assert rating_tag_writer.write(song, track_id, rating)
        assert rating_tag_reader.read(song) == rating
        assert (identity(song), tags_of(song)) == (track_id, tags)
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


@given(st.floats(min_value=0, max_value=10))
def test_no_digit_is_lost(rating: float) -> None:
    assert (
        rating_tag_reader.scale(fmps_rating_tag.tag_text(rating), fmps_rating_tag.SCALE) == rating
    )


def test_file_that_says_so_already_is_left_alone(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    tags.add(POPM(email="no@email", rating=196, count=0))
    tags.save(song)
    before = song.stat()

    assert not rating_tag_writer.write(song, identity(song), 8.0)
    assert not rating_tag_writer.write(song, identity(song), None)

    assert song.stat().st_mtime_ns == before.st_mtime_ns
    assert rating_tag_reader.read(song) == 8.0


def test_mode_and_link_stay_and_time_is_new(tmp_path: Path) -> None:
    song = write_song(tmp_path / "real" / "song.flac")
    song.chmod(0o640)
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    before = song.stat()

    rating_tag_writer.write(link, identity(song), 8)

    after = song.stat()
    assert link.is_symlink()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_mtime_ns > before.st_mtime_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_stays(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.ogg")
    os.chown(song, 1234, 4321)

    rating_tag_writer.write(song, identity(song), 8)

    assert (song.stat().st_uid, song.stat().st_gid) == (1234, 4321)


def test_tags_at_the_end_alone_stay_the_only_ones(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    tags = APEv2()
    tags["Title"] = "At the end"
    tags.save(song)

    rating_tag_writer.write(song, identity(song), 6.5)

    assert rating_tag_reader.read(song) == 6.5
    assert tags_of(song).title == "At the end"


LONG = "A title that is longer than thirty characters"


def with_short_copy(song: Path, *, between: bytes = b"", **items: str) -> bytes:
    """Give a file an APEv2 tag, and after it the ID3v1 tag that older players read."""
    tags = APEv2()
    tags.update(items)
    tags.save(song)
    short = b"TAG" + LONG.encode()[:30] + b"Somebody".ljust(30, b"\0") + bytes(65)
    with song.open("ab") as file:
        file.write(between + short)
    return between + short


LYRICS = b"LYRICSBEGININD0000200LYR00004Word"
LYRICS += b"%06dLYRICS200" % len(LYRICS)


@pytest.mark.parametrize("between", [b"", LYRICS], ids=["v1", "lyrics"])
def test_a_short_id3_tag_neither_replaces_nor_hides_an_ape_tag(
    between: bytes, tmp_path: Path
) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    short = with_short_copy(song, between=between, Title=LONG)
    track_id, tags = identity(song), tags_of(song)
    assert (tags.title, tags.artist) == (LONG, "Somebody")

    for rating in (6.5, 0.0, None):
        assert rating_tag_writer.write(song, track_id, rating)
        assert rating_tag_reader.read(song) == rating
        assert (identity(song), tags_of(song)) == (track_id, tags)
        assert song.read_bytes().endswith(short)
        with pytest.raises(ID3NoHeaderError):
            ID3(song, load_v1=False)
    assert APEv2(song)["Title"] == LONG


@pytest.mark.parametrize("name", ["tone.ape", "version-7.mpc"])
def test_an_id3_tag_behind_an_ape_tag_is_kept(name: str, tmp_path: Path) -> None:
    song = copy_sample(name, tmp_path)
    short = with_short_copy(song, Title=LONG)

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert song.read_bytes().endswith(short)
    assert rating_tag_reader.read(song) == 6.5
    assert tags_of(song).title == LONG


def test_a_short_id3_tag_alone_keeps_its_words(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    untag(song)
    short = b"TAG" + b"Short".ljust(30, b"\0") + b"Somebody".ljust(30, b"\0") + bytes(65)
    song.write_bytes(song.read_bytes() + short)

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert (tags_of(song).title, tags_of(song).artist) == ("Short", "Somebody")
    assert rating_tag_reader.read(song) == 6.5


@pytest.mark.parametrize(
    ("value", "rating"),
    [(0, None), (1, 2), (12, 2), (13, 4), (25, 4), (50, 6), (75, 8), (99, 10), (255, None)],
)
def test_stars_of_windows_are_read(value: int, rating: float | None, tmp_path: Path) -> None:
    song = copy_sample("tone.wma", tmp_path)
    tagged = ASF(song)
    tagged["WM/SharedUserRating"] = value
    tagged.save()

    assert rating_tag_reader.read(song) == rating


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("0.8", 8), ("1.0", 10), (".25", 2.5), ("0,8", None), ("0", 0), ("1", 2), ("4", 8),
        ("4.5", 9), ("1.5", 3), ("5", 10), ("80", 8), ("100", 10), ("101", None), ("-1", None),
    ],
)  # fmt: skip
def test_scale_of_a_plain_rating_is_told_by_its_form(
    text: str, rating: float | None, tmp_path: Path
) -> None:
    song = write_song(tmp_path / "song.flac")
    tagged = FLAC(song)
    tagged["RATING"] = text
    tagged.save()

    assert rating_tag_reader.read(song) == rating


def test_another_name_of_the_file_keeps_what_it_was(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac")
    other = tmp_path / "other.flac"
    other.hardlink_to(song)
    before = other.read_bytes()

    assert rating_tag_writer.write(song, identity(song), 6.5)

    assert rating_tag_reader.read(song) == 6.5
    assert other.read_bytes() == before


def test_version_of_the_tags_stays(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    tags.add(TIT2(encoding=1, text=["Old"]))
    tags.save(song, v2_version=3)

    rating_tag_writer.write(song, identity(song), 6.5)

    assert ID3(song).version == (2, 3, 0)


def test_format_without_tags_is_said(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.aac")
    with pytest.raises(MediaError, match="aac has no tags"):
        rating_tag_writer.write(song, identity(song), 8)


def test_other_audio_is_never_touched(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.flac", seed=1)
    before = song.read_bytes()
    with pytest.raises(MediaError, match="holds other audio"):
        rating_tag_writer.write(song, TrackId("0" * 32), 8)
    assert song.read_bytes() == before


def test_tagger_that_harms_the_audio_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_song(tmp_path / "song.flac")
    track_id, before = identity(song), song.read_bytes()

    def harm(self: FLAC) -> None:
        path = Path(str(self.filename))
        path.write_bytes(path.read_bytes()[:-1] + b"!")

    monkeypatch.setattr(FLAC, "save", harm)
    with pytest.raises(MediaError, match="would have changed its audio"):
        rating_tag_writer.write(song, track_id, 8)
    assert song.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


def test_gone_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not found"):
        rating_tag_writer.write(tmp_path / "gone.flac", TrackId("0" * 32), 8)


async def test_tags_of_a_million_frames_are_not_read_in_the_daemon(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(of_tiny_parts("frames of a tag.mp3"))
    before = song.stat()
    with song.open("rb") as file:
        _, track_id = identify(file)
    pool = WorkerPool(name="reading", size=1, idle_seconds=60)
    try:
        with pytest.raises(MediaError, match=r"take too (much|many)"):
            await rating_tag_writer.check_and_write(song, track_id, 8, pool)
    finally:
        await pool.close()

    assert song.stat() == before


async def test_a_pipe_in_a_songs_place_is_not_waited_for(
    stores: Stores, clock: FakeClock, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "song.mp3")
    readers = thread_pool()

    external = ExternalRatings(stores.library, FakePlayer(clock), tmp_path.joinpath, readers)
    assert await external.tag_rating(Uri("song.mp3")) is None
    with pytest.raises(MediaError, match="not a regular file"):
        await rating_tag_writer.check_and_write(
            tmp_path / "song.mp3", TrackId("0" * 32), 8, readers
        )
