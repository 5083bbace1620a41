"""Reading windows from every kind of file that listeners have, good and bad."""

import os
import time
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import FilePart
from anagnorisisd.embedding.decode import read_windows
from anagnorisisd.errors import EmbeddingFailed
from tests.support.media import FORMATS, SAMPLES, encoded, song
from tests.support.media import RATE as MEDIA_RATE
from tests.support.songs import RATE, wild

pytestmark = pytest.mark.slow

Sound = NDArray[np.floating]


def write(path: Path, samples: Sound, rate: int = RATE, subtype: str = "FLOAT") -> str:
    soundfile.write(path, samples, rate, subtype=subtype)
    return str(path)


def ramp(seconds: float, rate: int = RATE) -> Sound:
    """Sound whose value tells when it is: 0 at the start, `seconds` / 1000 at the end."""
    return np.arange(round(seconds * rate)) / rate / 1000 + 0.01


def moment(sample: float) -> float:
    """The second at which a ramp has this value."""
    return (sample - 0.01) * 1000


def lag_seconds(one: Sound, other: Sound) -> float:
    """How much later `one` is than `other`."""
    size = 2 * len(one)
    product = np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))
    best = int(np.argmax(np.fft.irfft(product)))
    return (best - size if best > size // 2 else best) / RATE


def test_windows_are_centred_in_equal_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "ramp.wav", ramp(60.0))

    windows = read_windows(path, rate=RATE, seconds=2.0, count=5)

    assert windows.shape == (5, 2 * RATE)
    assert windows.dtype == np.float32
    middles = [moment(window[RATE]) for window in windows]
    assert middles == pytest.approx([6, 18, 30, 42, 54], abs=0.01)


@pytest.mark.parametrize(
    ("start", "end", "count", "expected"),
    [
        (10.0, 40.0, 3, [15, 25, 35]),
        (30.0, None, 3, [35, 45, 55]),
        (30.0, 34.5, 5, [31.125, 33.375]),  # shorter than all windows together
        (50.0, 900.0, 2, [52.5, 57.5]),  # a sheet that promises too much
    ],
)
def test_windows_of_a_part_of_a_file(
    tmp_path: Path, start: float, end: float | None, count: int, expected: list[float]
) -> None:
    path = write(tmp_path / "ramp.wav", ramp(60.0))

    windows = read_windows(FilePart(path, start, end), rate=RATE, seconds=2.0, count=count)

    assert [moment(window[RATE]) for window in windows] == pytest.approx(expected, abs=0.02)


def test_a_part_beyond_the_end_of_its_file_has_no_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "ramp.wav", ramp(3.0))

    with pytest.raises(EmbeddingFailed):
        read_windows(FilePart(path, 64.0, None), rate=RATE, seconds=2.0, count=3)


def test_a_track_of_exactly_one_window_is_that_window(tmp_path: Path) -> None:
    path = write(tmp_path / "ramp.wav", ramp(2.0))

    windows = read_windows(path, rate=RATE, seconds=2.0, count=5)

    assert windows == pytest.approx(ramp(2.0)[np.newaxis], abs=1e-6)


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, (1, RATE)), (5.0, (2, 2 * RATE))])
def test_a_short_track_gives_what_fits(
    tmp_path: Path, seconds: float, expected: tuple[int, int]
) -> None:
    path = write(tmp_path / "short.wav", ramp(seconds))

    assert read_windows(path, rate=RATE, seconds=2.0, count=5).shape == expected


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_gives_the_same_windows(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"song.{extension}"
    path.write_bytes(encoded(extension, seed=1, seconds=8.0))
    reference = write(tmp_path / "reference.wav", song(1, 8.0) / 32768, MEDIA_RATE)

    windows = read_windows(str(path), rate=RATE, seconds=1.0, count=4)
    expected = read_windows(reference, rate=RATE, seconds=1.0, count=4)

    assert windows.shape == expected.shape
    for window, wanted in zip(windows, expected, strict=True):
        assert abs(lag_seconds(window, wanted)) < 0.06
    level = np.sqrt(np.mean(windows**2)) / np.sqrt(np.mean(expected**2))
    assert 0.65 < level < 1.1  # a stereo encoding of a mono song is 3 dB quieter


def test_ape_and_lossless_wma_of_the_same_sound_give_the_same_windows() -> None:
    ape, wma = (
        read_windows(str(SAMPLES / name), rate=RATE, seconds=0.5, count=4)
        for name in ("tone.ape", "tone.wma")
    )

    assert ape.shape == (4, RATE // 2)
    assert np.sqrt(np.mean(ape**2)) == pytest.approx(0.5, abs=0.01)
    for one, other in zip(ape, wma, strict=True):
        lag = round(lag_seconds(one, other) * RATE)
        assert abs(lag) < RATE // 20
        first, second = one[max(0, lag) :], other[max(0, -lag) :]
        size = min(len(first), len(second))
        assert (
            np.corrcoef(first[:size], second[:size])[0, 1] > 0.99
        )  # wma tells time in milliseconds


def test_musepack_gives_what_was_encoded(tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.wav", song(1, 4.0) / 32768, MEDIA_RATE)

    windows, expected = (
        read_windows(path, rate=RATE, seconds=1.0, count=3)
        for path in (str(SAMPLES / "version-8.mpc"), reference)
    )

    assert windows.shape == expected.shape
    for window, wanted in zip(windows, expected, strict=True):
        assert abs(lag_seconds(window, wanted)) < 0.06
        assert np.std(window) == pytest.approx(np.std(wanted), rel=0.05)


def test_old_musepack_is_decoded() -> None:
    with pytest.raises(EmbeddingFailed, match="is silent"):  # it nearly is: every sample was read
        read_windows(str(SAMPLES / "version-7.mpc"), rate=RATE, seconds=0.3, count=2)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_type_gives_the_same_level(tmp_path: Path, subtype: str) -> None:
    path = write(tmp_path / "song.wav", wild(0), subtype=subtype)

    (window,) = read_windows(path, rate=RATE, seconds=1.0, count=1)

    middle = len(wild(0)) // 2
    expected = wild(0)[middle - RATE // 2 : middle + RATE // 2]
    assert window == pytest.approx(expected.clip(-1, 1), abs=0.02)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (192_000, 2), (48_000, 6)])
def test_any_rate_and_any_number_of_channels_will_do(
    tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.repeat(ramp(12.0, rate)[:, np.newaxis], channels, axis=1)
    path = write(tmp_path / "song.wav", samples, rate)

    windows = read_windows(path, rate=RATE, seconds=2.0, count=3)

    assert [moment(window[RATE]) for window in windows] == pytest.approx([2, 6, 10], abs=0.02)


def test_reading_repeats_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(encoded("mp3", seconds=8.0))

    first, second = (read_windows(str(path), rate=RATE, seconds=1.0, count=4) for _ in range(2))

    assert (first == second).all()


def test_nan_and_clipped_samples(tmp_path: Path) -> None:
    samples = wild(0).astype(np.float32)
    samples[::7], samples[::11], samples[::13] = np.nan, np.inf, 1e30
    path = write(tmp_path / "broken.wav", samples)

    windows = read_windows(path, rate=RATE, seconds=2.0, count=3)

    assert np.isfinite(windows).all()
    assert np.abs(windows).max() < 2


def test_silent_windows_are_left_out(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(6 * RATE), wild(0)[: 6 * RATE]])
    path = write(tmp_path / "late.wav", samples)

    assert len(read_windows(path, rate=RATE, seconds=1.0, count=4)) == 2


def test_silence_fails_for_good(tmp_path: Path) -> None:
    path = write(tmp_path / "silence.wav", np.zeros(6 * RATE))

    with pytest.raises(EmbeddingFailed, match="is silent") as caught:
        read_windows(path, rate=RATE, seconds=1.0, count=4)

    assert caught.value.permanent


def test_a_blip_is_too_short(tmp_path: Path) -> None:
    path = write(tmp_path / "blip.wav", ramp(0.05))

    with pytest.raises(EmbeddingFailed, match="less than a tenth of a second"):
        read_windows(path, rate=RATE, seconds=1.0, count=4)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_truncated_file_gives_what_is_left(tmp_path: Path, extension: str) -> None:
    whole = encoded(extension, seconds=8.0)
    path = tmp_path / f"half.{extension}"
    path.write_bytes(whole[: len(whole) // 2])

    try:
        windows = read_windows(str(path), rate=RATE, seconds=1.0, count=6)
    except EmbeddingFailed:
        assert extension == "m4a"  # its index comes last: nothing is left
    else:
        assert 2 <= len(windows) <= 4
        assert all(np.sqrt(np.mean(window**2)) > 0.1 for window in windows)


@pytest.mark.parametrize("samples", [0, 1, MEDIA_RATE, 2**36 - 1])
def test_wrong_duration_in_the_header(tmp_path: Path, samples: int) -> None:
    lying = bytearray(encoded("flac", seconds=8.0))
    assert lying[:4] == b"fLaC"
    count = int.from_bytes(lying[18:26], "big") >> 36 << 36  # rate, channels, bits; then samples
    lying[18:26] = (count | samples).to_bytes(8, "big")
    path = tmp_path / "lying.flac"
    path.write_bytes(lying)

    windows = read_windows(str(path), rate=RATE, seconds=1.0, count=6)

    assert 1 <= len(windows) <= 6
    assert np.sqrt(np.mean(windows**2)) > 0.1


def test_a_clipped_track_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "clipped.wav", (wild(0) * 20).clip(-1, 1), subtype="PCM_16")

    windows = read_windows(path, rate=RATE, seconds=2.0, count=3)

    assert np.mean(np.abs(windows) > 0.99) > 0.5


def test_chained_ogg_is_read_across_its_links(tmp_path: Path) -> None:
    path = tmp_path / "chain.opus"
    path.write_bytes(b"".join(encoded("opus", seed=seed, seconds=3.0) for seed in (1, 2)))

    assert len(read_windows(str(path), rate=RATE, seconds=1.0, count=8)) >= 3


def test_an_hour_is_read_in_little_memory_and_time(tmp_path: Path) -> None:
    path = tmp_path / "hour.mp3"
    path.write_bytes(encoded("mp3", seconds=20.0) * 180)
    before = time.process_time()
    tracemalloc.start()

    windows = read_windows(str(path), rate=RATE, seconds=5.0, count=12)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows.shape == (12, 5 * RATE)
    assert peak < 100_000_000
    assert time.process_time() - before < 10


def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9: http\nsong\xff.wav"
    Path(os.fsdecode(path)).write_bytes(encoded("wav", seconds=2.0))

    assert len(read_windows(os.fsdecode(path), rate=RATE, seconds=1.0, count=1)) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"just text, no music", b"\0" * 100_000, b"ID3\x04\0\0\0\0\x7f\x7f", b"OggS" * 5_000],
    ids=["empty", "text", "zeros", "tag only", "magic only"],
)
def test_file_without_audio_fails_permanently(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no-music.mp3"
    path.write_bytes(content)

    with pytest.raises(EmbeddingFailed) as caught:
        read_windows(str(path), rate=RATE, seconds=1.0, count=4)

    assert caught.value.permanent


def test_a_playlist_cannot_make_other_files_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(encoded("wav", seconds=2.0))
    path = tmp_path / "song.m3u8"
    path.write_text(f"#EXTM3U\n#EXTINF:2,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n")

    with pytest.raises(EmbeddingFailed):
        read_windows(str(path), rate=RATE, seconds=1.0, count=1)


def test_pictures_without_sound_fail(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    with pytest.raises(EmbeddingFailed, match="has no audio stream"):
        read_windows(str(path), rate=RATE, seconds=1.0, count=1)


def test_vanished_file_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_windows(str(tmp_path / "gone.mp3"), rate=RATE, seconds=1.0, count=1)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingFailed):
        read_windows(str(tmp_path), rate=RATE, seconds=1.0, count=1)
