"""Formats that FFmpeg's demuxer reads: identity, tags, duration, and damage."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.track import ScannedFile, Uri
from anagnorisisd.library import media_file
from tests.support.media import RATE, frame_size, song

ENCODINGS = {
    "tta": ("tta", "tta", "s16"), "mka": ("matroska", "flac", "s16"),
    "webm": ("webm", "libopus", "s16"), "caf": ("caf", "pcm_s16be", "s16"),
    "au": ("au", "pcm_s16be", "s16"), "w64": ("w64", "pcm_s16le", "s16"),
    "ac3": ("ac3", "ac3", "fltp"), "eac3": ("eac3", "eac3", "fltp"),
}  # fmt: skip
TAGGED = ("caf", "au", "mka", "webm", "tta")


def encoded(extension: str, seed: int, **tags: str) -> bytes:
    container_format, codec, sample_format = ENCODINGS[extension]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.format = sample_format
        samples = song(seed, 1.0)[np.newaxis, :]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(sample_format, "stereo", RATE, frame_size(stream))
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def dsf(seed: int) -> bytes:
    """Return a tenth of a second of DSD noise."""
    rate, block = 2_822_400, 4096
    data = np.random.default_rng(seed).bytes(block * 8)
    head = struct.pack("<4sQQQ", b"DSD ", 28, 28 + 52 + 12 + len(data), 0)
    fmt = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, rate, 1, len(data) * 8, block, 0)
    return head + fmt + struct.pack("<4sQ", b"data", 12 + len(data)) + data


def read(folder: Path, name: str, content: bytes) -> ScannedFile:
    (folder / name).write_bytes(content)
    file = media_file.read(str(folder / name), Uri(name))
    assert file is not None
    return file


@pytest.mark.parametrize("extension", ENCODINGS)
def test_identity_is_that_of_the_audio(tmp_path: Path, extension: str) -> None:
    name = f"a.{extension}"
    first = read(tmp_path, name, encoded(extension, 1, title="One"))
    retagged = read(tmp_path, name, encoded(extension, 1, title="Another, longer title"))
    other = read(tmp_path, name, encoded(extension, 2, title="One"))

    assert first.problem is None
    assert first.track_id == retagged.track_id
    assert first.track_id != other.track_id
    assert first.duration_seconds == pytest.approx(1.0, abs=0.05)
    assert extension in Music().formats


@pytest.mark.parametrize("extension", TAGGED)
def test_tags(tmp_path: Path, extension: str) -> None:
    file = read(tmp_path, f"a.{extension}", encoded(extension, 1, title="Ü", artist="B"))

    assert (file.tags.title, file.tags.artist) == ("Ü", "B")


def test_dsd(tmp_path: Path) -> None:
    one, other = read(tmp_path, "a.dsf", dsf(1)), read(tmp_path, "a.dsf", dsf(2))

    assert one.problem is None
    assert one.duration_seconds == pytest.approx(0.093, abs=0.01)
    assert one.track_id != other.track_id


@pytest.mark.parametrize("extension", ENCODINGS)
def test_a_file_without_audio_has_a_problem(tmp_path: Path, extension: str) -> None:
    file = read(tmp_path, f"a.{extension}", encoded(extension, 1)[:8])

    assert file.track_id is None
    assert file.problem
