"""Lengths of MPEG audio that does not say how long it is, found by counting its frames."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.track import Uri
from anagnorisisd.library.audio_hash import Kind, mpeg
from anagnorisisd.library.media_file import read
from tests.support.media import RATE, encoded, frame_size, retag, song

PART_SECONDS = 8.0


def part(kilobits: int, *, header: bool) -> bytes:
    """Return an mp3 of one bit rate."""
    samples = song(seconds=PART_SECONDS)
    buffer = io.BytesIO()
    options = {"write_xing": str(int(header))}
    with av.open(buffer, "w", format="mp3", options=options) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.bit_rate = kilobits * 1000
        stream.codec_context.format = "s16p"
        size = frame_size(stream)
        for start in range(0, len(samples) - size + 1, size):
            piece = samples[np.newaxis, start : start + size]
            frame = av.AudioFrame.from_ndarray(piece, format="s16p", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def length(path: Path) -> float:
    """Return how long a scan takes a file to be."""
    file = read(str(path), Uri(path.name))
    assert file is not None
    assert file.duration_seconds is not None
    return file.duration_seconds


def test_variable_bit_rate_without_header(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(part(32, header=False) + part(320, header=False))
    retag(path, "Song", cover=True)

    assert length(path) == pytest.approx(2 * PART_SECONDS, abs=0.2)


def test_xing_header_is_used(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(part(64, header=True))

    assert length(path) == pytest.approx(PART_SECONDS, abs=0.1)
    with path.open("rb") as file:
        counted, has_header = mpeg.duration(file, Kind.MP3)
    assert counted == pytest.approx(PART_SECONDS, abs=0.1)
    assert has_header


def test_aac_frames_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "song.aac"
    path.write_bytes(encoded("aac", seconds=7.0))

    assert length(path) == pytest.approx(7.0, abs=0.1)


def test_joined_files_have_the_sum_of_durations(tmp_path: Path) -> None:
    path = tmp_path / "song.aac"
    path.write_bytes(encoded("aac", seconds=3.0) + encoded("aac", 1, 4.0, rate=24_000))

    assert length(path) == pytest.approx(7.0, abs=0.2)


def test_long_file_is_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpeg, "MAX_FRAMES", 50)

    found, _ = mpeg.duration(io.BytesIO(encoded("aac", seconds=7.0)), Kind.AAC)

    assert found == pytest.approx(7.0, rel=0.15)


@given(st.data())
def test_random_bytes_end(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([Kind.MP3, Kind.AAC]))
    whole = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(0, 20))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.sampled_from([0, 255, 0xE0])
        )
    cut = whole[: data.draw(st.integers(0, len(whole)))]

    found, _ = mpeg.duration(io.BytesIO(bytes(cut)), kind)

    assert found is None or 0 < found < 60


WHOLE = {kind: encoded(kind.value, 2, 1.0) for kind in (Kind.MP3, Kind.AAC)}
