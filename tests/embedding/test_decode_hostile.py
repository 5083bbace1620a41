"""Reading windows from files that change in the middle, carry bombs, or are no files at all."""

import os
import struct
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC, Picture

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, PlanStage
from anagnorisisd.embedding.decode import read_windows
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import EmbeddingFailed
from anagnorisisd.workers.pool import WorkerPool
from tests.support.media import encoded

pytestmark = pytest.mark.slow

RATE = 24_000
RATES = {
    "mp3": (32_000, 44_100, 48_000),
    "aac": (22_050, 44_100, 48_000),
    "ogg": (44_100, 48_000),
    "opus": (48_000,),
    "flac": (8_000, 44_100, 48_000),
    "wv": (44_100, 48_000),
}
"""Formats whose files are files too when they are joined, and rates to mix."""

LAYOUTS = {"ogg": ("stereo",)}

Part = tuple[str, int]
"""A layout and a rate."""


@lru_cache(maxsize=64)
def part(extension: str, layout: str, rate: int) -> bytes:
    return encoded(extension, 1, 2.0, layout=layout, rate=rate)


@st.composite
def joined_files(draw: st.DrawFn) -> tuple[str, list[Part]]:
    extension = draw(st.sampled_from(sorted(RATES)))
    layouts = st.sampled_from(LAYOUTS.get(extension, ("mono", "stereo")))
    parts = st.tuples(layouts, st.sampled_from(RATES[extension]))
    return extension, draw(st.lists(parts, min_size=2, max_size=5))


@pytest.fixture
async def embedder() -> AsyncIterator[WorkerEmbedder]:
    stage = PlanStage(f"{features.__name__}:embed", arguments=(), workers=1, threads=1)
    plan = EmbeddingPlan(EmbedderStamp("features", "test", features.STAMP.dimension), (stage,))
    embedder = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=60)
    yield embedder
    await embedder.close()


@pytest.mark.parametrize("parts", [("stereo", "mono"), ("mono", "stereo")], ids="-".join)
async def test_a_recording_that_changes_its_channels_is_embedded(
    tmp_path: Path, embedder: WorkerEmbedder, parts: tuple[str, str]
) -> None:
    path = tmp_path / "stream.mp3"
    path.write_bytes(b"".join(part("mp3", layout, 44_100) for layout in parts))

    vector = await embedder.embed(str(path))

    assert np.isfinite(vector).all()


def test_mono_and_stereo_sound_alike_when_joined(tmp_path: Path) -> None:
    mono, both = tmp_path / "mono.mp3", tmp_path / "both.mp3"
    mono.write_bytes(part("mp3", "mono", 48_000) * 2)
    both.write_bytes(part("mp3", "mono", 48_000) + part("mp3", "stereo", 48_000))

    one, other = (read_windows(str(path), rate=RATE, seconds=1.0, count=4) for path in (mono, both))

    levels = [np.sqrt(np.mean(windows**2, axis=1)) for windows in (one, other)]
    # A stereo encoding of a mono song is 3 dB quieter.
    assert levels[0] == pytest.approx(levels[1], rel=0.45)


@settings(
    max_examples=int(os.environ.get("ANAGNORISIS_HOSTILE_FILES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(file=joined_files())
def test_joined_files_of_different_formats(tmp_path: Path, file: tuple[str, list[Part]]) -> None:
    extension, parts = file
    path = tmp_path / f"joined.{extension}"
    path.write_bytes(b"".join(part(extension, *each) for each in parts))

    windows = read_windows(str(path), rate=RATE, seconds=1.0, count=8)

    assert 1 <= len(windows) <= 8
    assert np.abs(windows).max() <= 1.5  # a resampler may overshoot
    assert np.sqrt(np.mean(windows**2)) > 0.05


def large_cover(side: int) -> bytes:
    """A picture of one colour as PNG: a thousandth of what it takes decoded."""
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(3 * side)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in parts)


async def test_a_cover_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(part("flac", "mono", 48_000))
    song = FLAC(path)  # type: ignore[no-untyped-call]
    picture = Picture()  # type: ignore[no-untyped-call]
    picture.mime, picture.type, picture.data = "image/png", 3, large_cover(12_000)
    song.add_picture(picture)  # type: ignore[no-untyped-call]
    song.save()
    assert path.stat().st_size < 1_000_000
    pool = WorkerPool(name="test", size=1, idle_seconds=60)
    try:
        grown = await pool.run("tests.support.jobs:peak_growth_while_reading", str(path))
    finally:
        await pool.close()

    assert grown < 100_000_000


def test_audio_without_a_decoder_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "new.m4a"
    song = encoded("m4a", seconds=2.0)
    assert song.count(b"mp4a") == 1
    path.write_bytes(song.replace(b"mp4a", b"ac-4").replace(b"esds", b"free"))

    with pytest.raises(EmbeddingFailed, match="no decoder") as caught:
        read_windows(str(path), rate=RATE, seconds=1.0, count=1)

    assert caught.value.permanent


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp3"
    os.mkfifo(path)

    with pytest.raises(EmbeddingFailed, match="not a regular file"):
        read_windows(str(path), rate=RATE, seconds=1.0, count=1)


def test_a_device_in_place_of_a_file_is_not_read() -> None:
    with pytest.raises(EmbeddingFailed, match="not a regular file"):
        read_windows("/dev/zero", rate=RATE, seconds=1.0, count=1)


def test_tags_of_any_bytes_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "latin.wav"
    song = encoded("wav", seconds=2.0)
    info = b"INFOINAM" + struct.pack("<I", 6) + b"caf\xe9\xff\0"
    path.write_bytes(song + b"LIST" + struct.pack("<I", len(info)) + info)

    assert len(read_windows(str(path), rate=RATE, seconds=1.0, count=1)) == 1


def test_a_pyav_that_knows_no_metadata_errors_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV 19 left the argument out."""
    path = tmp_path / "song.wav"
    path.write_bytes(encoded("wav", seconds=2.0))
    real = av.open

    def opened(file: str, *, options: dict[str, str]) -> Any:
        return real(file, options=options)

    monkeypatch.setattr(av, "open", opened)
    monkeypatch.setattr(av, "__version__", "19.0.2")

    assert len(read_windows(str(path), rate=RATE, seconds=1.0, count=1)) == 1


@pytest.mark.parametrize("extension", ["wav", "mp3"])
async def test_gigabytes_reserved_behind_the_sound_are_not_read(
    tmp_path: Path, embedder: WorkerEmbedder, extension: str
) -> None:
    song = tmp_path / f"song, one.{extension}"
    song.write_bytes(encoded(extension, 1, 2.0))
    reserved = tmp_path / f"a:b, reserved \udcff.{extension}"
    with reserved.open("wb") as file:
        file.write(song.read_bytes())
        file.truncate(4 << 30)

    vectors = [await embedder.embed(str(path)) for path in (reserved, song)]

    assert np.array_equal(vectors[0], vectors[1])
