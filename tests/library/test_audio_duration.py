"""Durations of files whose headers promise more audio than there is, or none at all."""

import io
import random
from pathlib import Path

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library import audio_duration
from anagnorisisd.library.audio_hash import identify
from anagnorisisd.library.media_file import read
from tests.support.damage import damaged_files
from tests.support.long_headers import FORMATS, with_long_header
from tests.support.media import ENCODINGS, READ_ONLY, SAMPLES, encoded

SECONDS = 6.0


def duration(path: Path, content: bytes) -> float:
    """Return how long a scan finds a file of this content."""
    path.write_bytes(content)
    file = read(str(path), Uri(path.name))
    assert file is not None
    assert file.problem is None
    assert file.duration_seconds is not None
    return file.duration_seconds


@pytest.mark.parametrize("extension", FORMATS)
def test_header_with_too_long_a_duration(extension: str, tmp_path: Path) -> None:
    found = duration(tmp_path / f"song.{extension}", with_long_header(extension, SECONDS))

    # The last page of an ogg does not count, if it is the one that promises too much.
    assert found == pytest.approx(SECONDS, abs=1.1 if extension == "ogg" else 0.1)


@pytest.mark.parametrize("extension", sorted(ENCODINGS))
def test_header_with_the_right_duration(extension: str, tmp_path: Path) -> None:
    found = duration(tmp_path / f"song.{extension}", encoded(extension, 1, SECONDS))

    assert found == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("name", READ_ONLY)
def test_sample_files_have_their_declared_duration(name: str) -> None:
    with (SAMPLES / name).open("rb") as file:
        kind, _ = identify(file)

        assert audio_duration.measure(file, kind, 3.0) == pytest.approx(3.0)


def test_flac_without_a_length_in_its_header(tmp_path: Path) -> None:
    flac = bytearray(encoded("flac", 1, SECONDS))
    rate_to_samples = int.from_bytes(flac[18:26])
    flac[18:26] = (rate_to_samples >> 36 << 36).to_bytes(8)

    assert duration(tmp_path / "song.flac", bytes(flac)) == pytest.approx(SECONDS)


def test_ogg_truncated_between_pages(tmp_path: Path) -> None:
    ogg = encoded("ogg", 1, SECONDS)
    cut = ogg[: ogg.rfind(b"OggS", 0, ogg.rfind(b"OggS"))]

    assert duration(tmp_path / "song.ogg", cut) < SECONDS - 0.5


def test_truncated_mp3(tmp_path: Path) -> None:
    mp3 = bytearray(encoded("mp3", 1, SECONDS))
    flags_at = max(mp3.find(b"Xing"), mp3.find(b"Info")) + 7
    mp3[flags_at] &= ~2  # the size in bytes, by which a cut file is known, is not given

    found = duration(tmp_path / "song.mp3", bytes(mp3[: len(mp3) // 2]))

    assert found == pytest.approx(SECONDS / 2, abs=0.2)


def test_damaged_files_raise_only_declared_errors() -> None:
    for name, content in damaged_files(random.Random(1), 300):
        file = io.BytesIO(content)
        try:
            kind, _ = identify(file)
            found = audio_duration.measure(file, kind, 3.0)
        except MediaError:
            continue
        assert found is not None, name
        assert 0 < found < float("inf"), name
