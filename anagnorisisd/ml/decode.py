"""From a file to a few evenly spread windows of its sound: mono, at one rate, always the same.

PyAV reads every format that FFmpeg knows and seeks in all of them, so a window costs the same in
a song and in an hour-long mix. The plan, for `count` windows of `seconds`:

| the track                        | what is read                                             |
|----------------------------------|----------------------------------------------------------|
| longer than all windows together | a seek to each; they are centred in equal parts of it    |
| shorter, or of unknown duration  | everything; then as many whole windows as fit            |
| shorter than one window          | everything, as one short window                          |
| shorter than its header promised | as if its duration were unknown                          |

Silent windows are left out. Of a file with many channels at a high rate `LONGEST_READ_SECONDS` can
be gigabytes; the limit of the worker's memory ends that.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import av
import av.error
import numpy as np
import soxr

from anagnorisisd.errors import EmbeddingFailed
from anagnorisisd.ml.arrays import Samples

SHORTEST_SECONDS = 0.1
LONGEST_READ_SECONDS = 600.0
"""How much is read of a track whose header cannot be trusted."""

PREROLL_SECONDS = 0.25
"""Decoding starts this much early: after a seek most codecs need a few packets to settle."""

SILENCE = 1e-4
"""Root mean square below which a window is silent; -80 dB of full scale."""

BAD_PACKETS = 200
"""So many undecodable packets in a row end a read."""

CONTAINERS = (
    "aac,ac3,aiff,ape,asf,au,caf,dff,dsf,dts,eac3,flac,iff,matroska,mov,mp3,mpc,mpc8,ogg,"
    "tak,tta,w64,wav,wv"
)
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
"""A playlist that poses as music must not make FFmpeg read other files or the network."""

Piece = tuple[int, Samples]
"""A sample rate in hertz and mono samples at that rate."""


def read_windows(path: str, *, rate: int, seconds: float, count: int) -> Samples:
    """Return the audible windows of the file at `path`, `[windows, rate * seconds]`.

    There are `count` of them at most, in the order of time. A track shorter than one window
    gives `[1, n]` with the samples that there are.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
    """
    try:
        with closing(_open(path)) as container:
            windows = _spread(container, rate, seconds, count)
    except FileNotFoundError:
        raise
    except av.error.FFmpegError as error:
        raise EmbeddingFailed(
            f"cannot be read as audio: {error.strerror}", permanent=not isinstance(error, OSError)
        ) from None
    return _audible(windows)


def _open(path: str) -> Any:
    container = av.open(path, options=OPEN_OPTIONS, metadata_errors="replace")
    if not container.streams.audio:
        container.close()
        raise EmbeddingFailed("has no audio stream", permanent=True)
    container.streams.audio[0].codec_context.thread_count = 1
    return container


def _spread(container: Any, rate: int, seconds: float, count: int) -> Samples:
    size = round(rate * seconds)
    duration = _duration_seconds(container)
    if duration is not None and duration > count * seconds:
        windows = [
            _resampled(_read(container, start, seconds), rate)[:size]
            for start in _starts(duration, seconds, count)
        ]
        if all(len(window) == size for window in windows):
            return np.stack(windows)
    whole = _resampled(_read(container, 0.0, LONGEST_READ_SECONDS), rate)
    return _cut(whole, rate, seconds, count)


def _duration_seconds(container: Any) -> float | None:
    stream = container.streams.audio[0]
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _starts(duration: float, seconds: float, count: int) -> list[float]:
    """Return the starts of `count` windows, each centred in its share of `duration`."""
    return [(index + 0.5) * duration / count - seconds / 2 for index in range(count)]


def _cut(whole: Samples, rate: int, seconds: float, count: int) -> Samples:
    size = round(rate * seconds)
    if len(whole) < SHORTEST_SECONDS * rate:
        raise EmbeddingFailed("holds less than a tenth of a second of sound", permanent=True)
    if len(whole) < size:
        return whole[np.newaxis]
    fitting = min(count, len(whole) // size)
    starts = _starts(len(whole) / rate, seconds, fitting)
    # Rounding may put the last window a sample beyond the end.
    firsts = [min(max(0, round(start * rate)), len(whole) - size) for start in starts]
    return np.stack([whole[first : first + size] for first in firsts])


def _read(container: Any, start: float, seconds: float) -> list[Piece]:
    """Return the sound from `start` on, a little more than `seconds` of it if there is more."""
    stream = container.streams.audio[0]
    offset = (stream.start_time or 0) * float(stream.time_base)
    _seek(container, stream, max(0.0, start - PREROLL_SECONDS) + offset)
    # FFmpeg puts the frames together: thousands of small arrays would cost as much as decoding.
    queues: list[Any] = []
    early, missing = 0, seconds + 0.01  # a little more, which the resampler wants
    for frame in _frames(container, stream):
        if not queues:
            early = _early(frame, start + offset)
            if early >= frame.samples:
                continue
            missing += early / frame.sample_rate
        missing -= frame.samples / frame.sample_rate
        _put(queues, frame)
        if missing <= 0:
            break
    pieces = [_piece(queue.read()) for queue in queues]
    return [(rate, mono[early:] if not at else mono) for at, (rate, mono) in enumerate(pieces)]


def _early(frame: Any, start: float) -> int:
    """Return how many samples of the frame lie before `start`, in the stream's own time."""
    if frame.pts is None:
        return 0
    ahead = start - float(frame.pts * frame.time_base)
    return max(0, round(ahead * int(frame.sample_rate)))


def _put(queues: list[Any], frame: Any) -> None:
    """Append a frame to the last queue, or to a new one: a chained file may change what it is."""
    frame.pts = None  # after a seek or a damaged packet they need not follow each other
    if queues:
        with suppress(ValueError):  # of another rate, layout or type
            queues[-1].write(frame)
            return
    queues.append(av.AudioFifo())
    queues[-1].write(frame)


def _seek(container: Any, stream: Any, seconds: float) -> None:
    # What cannot be sought in is read on from where it is, which is never beyond the window.
    with suppress(av.error.FFmpegError):
        container.seek(int(seconds / stream.time_base), stream=stream)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield what can be decoded; damaged packets are passed over."""
    bad = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                bad += 1
                if bad > BAD_PACKETS:
                    return
                continue
            if frames:
                bad = 0
            yield from frames
    except (av.error.EOFError, av.error.InvalidDataError):
        return  # cut off, or damaged beyond here: what came before is used


def _piece(frame: Any) -> Piece:
    """Return the mean of a frame's channels, as samples within -1 and 1."""
    samples = frame.to_ndarray()
    channels = frame.layout.nb_channels
    share = np.full(channels, 1 / channels, np.float32)
    if frame.format.is_planar:
        mono: Samples = share @ samples.astype(np.float32)
    else:
        mono = samples.astype(np.float32).reshape(-1, channels) @ share
    if samples.dtype == np.uint8:
        mono = (mono - np.float32(128)) / np.float32(128)
    elif samples.dtype.kind == "i":
        mono /= np.float32(2.0 ** (8 * samples.dtype.itemsize - 1))
    np.nan_to_num(mono, copy=False, posinf=0.0, neginf=0.0)
    return frame.sample_rate, mono.clip(-1.0, 1.0)


def _resampled(pieces: list[Piece], rate: int) -> Samples:
    """Return the pieces in one array at `rate`."""
    parts = [soxr.resample(mono, own_rate, rate) for own_rate, mono in pieces]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _audible(windows: Samples) -> Samples:
    """Leave silent windows out."""
    loud = np.sqrt(np.mean(np.square(windows), axis=1)) > SILENCE
    if not loud.any():
        raise EmbeddingFailed("is silent", permanent=True)
    audible: Samples = windows[loud]
    return audible
