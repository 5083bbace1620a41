"""A track is its audio: tags never change the identity, other audio always does."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import Kind, identify
from tests.support.media import (
    FORMATS,
    READ_ONLY,
    SAMPLES,
    copy_sample,
    encoded,
    retag,
    untag,
    write_song,
)

KINDS = {
    "mp3": Kind.MP3, "flac": Kind.FLAC, "ogg": Kind.OGG_VORBIS, "opus": Kind.OGG_OPUS,
    "m4a": Kind.MP4, "aac": Kind.AAC, "wav": Kind.WAV, "aiff": Kind.AIFF, "wv": Kind.WAVPACK,
    "wma": Kind.WMA, "ape": Kind.MONKEYS, "mpc": Kind.MUSEPACK,
}  # fmt: skip
SAYS_ITS_LENGTH = [name for name in (*FORMATS, *READ_ONLY) if name not in {"aac", "version-7.mpc"}]
"""A stream of aac frames has no header that says where it ends: cut, it is a shorter one. Old
musepack says how many frames there are, and not how long they are."""


def track_id(path: Path) -> TrackId:
    with path.open("rb") as file:
        return identify(file)[1]


@pytest.fixture(params=[*FORMATS, *READ_ONLY])
def song(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in READ_ONLY:
        return copy_sample(request.param, tmp_path)
    return write_song(tmp_path / f"song.{request.param}")


def content(name: str) -> bytes:
    """A song of two seconds of a format, or a sample."""
    return (SAMPLES / name).read_bytes() if name in READ_ONLY else encoded(name, seconds=2)


def test_format_is_detected_by_content(song: Path) -> None:
    with song.open("rb") as file:
        kind, identity = identify(file)

    assert kind is KINDS[song.suffix[1:]]
    assert len(identity) == 32
    assert set(identity) <= set("0123456789abcdef")


def test_hash_is_independent_of_tags(song: Path) -> None:
    before = track_id(song)

    retag(song, "First")
    assert track_id(song) == before
    retag(song, "A longer title, so that everything moves " * 50)
    assert track_id(song) == before


def test_hash_is_independent_of_a_large_cover(song: Path) -> None:
    before = track_id(song)

    retag(song, "With a cover", cover=True)

    assert song.stat().st_size > 500_000
    assert track_id(song) == before


def test_hash_is_the_same_without_tags(song: Path) -> None:
    before = track_id(song)
    retag(song, "For a while", cover=True)

    untag(song)

    assert track_id(song) == before


@pytest.mark.parametrize("extension", FORMATS)
def test_other_audio_has_another_hash(extension: str, tmp_path: Path) -> None:
    song, other = (write_song(tmp_path / f"{seed}.{extension}", seed) for seed in (1, 2))

    assert track_id(other) != track_id(song)


def test_one_changed_byte_of_audio_changes_the_hash(song: Path) -> None:
    before = track_id(song)
    data = bytearray(song.read_bytes())
    data[len(data) // 2] ^= 0x10
    song.write_bytes(data)

    assert track_id(song) != before


def test_wrong_extension_is_ignored(tmp_path: Path) -> None:
    flac = write_song(tmp_path / "song.flac")
    disguised = flac.rename(tmp_path / "song.mp3")

    with disguised.open("rb") as file:
        assert identify(file)[0] is Kind.FLAC


@pytest.mark.parametrize("name", SAYS_ITS_LENGTH)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_file_is_detected(name: str, share: float) -> None:
    data = content(name)

    with pytest.raises(MediaError, match="truncated"):
        identify(io.BytesIO(data[: int(len(data) * share)]))


def test_truncated_adts_has_another_hash() -> None:
    data = encoded("aac", seconds=2)

    assert identify(io.BytesIO(data[: len(data) // 2])) != identify(io.BytesIO(data))


def test_id3_before_other_formats_is_skipped() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)
    for name in ("flac", "ogg", "wv", "wav", "aiff", "tone.ape", "version-7.mpc", "version-8.mpc"):
        data = content(name)
        assert identify(io.BytesIO(tag + data)) == identify(io.BytesIO(data))


def test_musepack_gain_is_not_hashed(tmp_path: Path) -> None:
    old, new = (copy_sample(f"version-{version}.mpc", tmp_path) for version in (7, 8))
    before = [track_id(old), track_id(new)]
    for path, place in ((old, 12), (new, new.read_bytes().index(b"RG") + 4)):
        data = bytearray(path.read_bytes())
        data[place : place + 8] = b"measured"
        path.write_bytes(data)

    assert [track_id(old), track_id(new)] == before


def test_lyrics_after_an_mp3_are_skipped() -> None:
    data = encoded("mp3")
    lyrics = b"LYRICSBEGIN" + b"la la la"
    tail = lyrics + f"{len(lyrics):06d}LYRICS200".encode() + b"TAG" + bytes(125)

    assert identify(io.BytesIO(data + tail)) == identify(io.BytesIO(data))


def test_padding_before_the_first_mp3_frame_is_skipped() -> None:
    data = encoded("mp3")

    assert identify(io.BytesIO(bytes(5000) + data)) == identify(io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"This is a letter, not a song. " * 1000, "not audio"),
        (bytes(100_000), "not audio"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5000), "not audio"),
        (b"OggS" + bytes(22) + b"\x01\x07theora!", "not audio"),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", "not audio"),
        (b"RIFF\x04\x00\x00\x00WAVE", "contains no audio"),
        (b"fLaC\x80\x00\x00\x00", "contains no audio"),
        (b"fLaC\x00\xff\xff\xff", "truncated"),
        (b"MPCKSH\x03AP\x05", "truncated"),
        (b"MPCKSH\x00" + bytes(41), "impossible size"),
        (b"MPCKSH\x01AP\x05", "impossible size"),
        (b"MPCKSH" + b"\xff" * 20, "too long"),
        (b"OggS\x00\x02" + bytes(14), "not audio"),
        (b"OggS\x00\x02" + bytes(20) + b"\x01\x08OpusHeadOggS\x00", "truncated"),
        (b"RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00" + b"\xff" * 36, "contains no audio"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(8), "impossible size"),
        (b"\x00\x00\x00\x10ftypM4A \x00\x00\x00\x00", "moov"),
        (b"\x00\x00\x00\x01ftyp\x00\x00\x00\x00\x00\x00\x00\x00", "impossible size"),
    ],
)  # fmt: skip
def test_file_without_music_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MediaError, match=reason):
        identify(io.BytesIO(data))


@given(st.binary(max_size=2000), st.sampled_from(["", *FORMATS, *READ_ONLY]))
def test_random_bytes_raise_only_media_error(data: bytes, extension: str) -> None:
    head = SMALL[extension][:200] if extension else b""
    with suppress(MediaError):
        identify(io.BytesIO(head + data))


@given(
    st.sampled_from([*FORMATS, *READ_ONLY]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255))),
)
def test_damaged_file_raises_only_media_error(
    extension: str, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(SMALL[extension])
    for place, value in damage:
        data[place % len(data)] = value
    with suppress(MediaError):
        identify(io.BytesIO(bytes(data)))


SMALL = {extension: encoded(extension, seconds=0.1) for extension in FORMATS} | {
    name: (SAMPLES / name).read_bytes() for name in READ_ONLY
}
