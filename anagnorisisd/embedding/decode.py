"""Decoding: reads a few evenly spaced windows of a file as mono samples at one rate.

PyAV reads every format that FFmpeg knows and seeks in all of them, so a window costs the same in
a song and in an hour-long mix. The plan, for `count` windows of `seconds`:

| the track                        | what is read                                             |
|----------------------------------|----------------------------------------------------------|
| longer than all windows together | a seek to each; they are centred in equal parts of it    |
| shorter, or of unknown duration  | everything; then as many whole windows as fit            |
| shorter than one window          | everything, as one short window                          |
| shorter than its header promised | as if its duration were unknown                          |

Silent windows are left out. Of a file with many channels at a high rate `MAX_READ_SECONDS` can
be gigabytes; the limit of the worker's memory ends that.

Each frame may have another sample format, number of channels and rate than the one before, as in
files that were joined.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

import av
import av.error
import numpy as np
import soxr

from anagnorisisd.domain.embedding import FilePart
from anagnorisisd.embedding.audio_file import audio_stream, open_audio
from anagnorisisd.embedding.embedder import Samples
from anagnorisisd.errors import EmbeddingFailed

MIN_SECONDS = 0.1
MAX_READ_SECONDS = 600.0
"""How much is read of a track whose header cannot be trusted."""

PREROLL_SECONDS = 0.25
"""Decoding starts this much early: after a seek most codecs need a few packets to settle."""

SILENCE = 1e-4
"""Root mean square below which a window is silent; -80 dB of full scale."""

BAD_PACKETS = 200
"""So many packets in a row that hold no sound end a read."""

PACKETS_PER_SECOND = 500
"""No codec makes more: the shortest frames in use are Opus' of 2.5 ms."""

MAX_PACKETS = 1_000_000
"""However late in a file a window is, so many packets end the search for it."""

MIN_RATE, MAX_RATE = 1_000, 6_000_000
"""Frames of other rates, in hertz, are damaged; DSD512 is decoded at 2.8 MHz."""

Chunk = tuple[int, Samples]
"""A sample rate in hertz and mono samples at that rate."""


def read_windows(file: str | FilePart, *, rate: int, seconds: float, count: int) -> Samples:
    """Return the audible windows of a file or a part of one, `[windows, rate * seconds]`.

    There are `count` of them at most, in the order of time. A track shorter than one window
    gives `[1, n]` with the samples that there are.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingFailed: the file holds no sound that can be read.
    """
    part = FilePart(file, 0.0, None) if isinstance(file, str) else file
    try:
        with closing(open_audio(part.path)) as container:
            windows = _spread(container, part, rate, seconds, count)
    except FileNotFoundError:
        raise
    except av.error.MemoryError:
        raise MemoryError from None  # it says more of this process than of the file
    except av.error.FFmpegError as error:
        raise EmbeddingFailed(
            f"cannot be read as audio: {error.strerror}", permanent=not isinstance(error, OSError)
        ) from None
    return _audible(windows)


def _spread(container: Any, part: FilePart, rate: int, seconds: float, count: int) -> Samples:
    size = round(rate * seconds)
    duration = _part_seconds(part, _duration_seconds(container))
    if duration is not None and duration > count * seconds:
        windows = [
            _resampled(_read(container, part.start_seconds + start, seconds), rate)[:size]
            for start in _starts(duration, seconds, count)
        ]
        if all(len(window) == size for window in windows):
            return np.stack(windows)
    longest = MAX_READ_SECONDS
    if part.end_seconds is not None:
        longest = min(longest, max(0.0, part.end_seconds - part.start_seconds))
    whole = _resampled(_read(container, part.start_seconds, longest), rate)
    if part.end_seconds is not None:
        whole = whole[: round(longest * rate)]
    return _cut(whole, rate, seconds, count)


def _duration_seconds(container: Any) -> float | None:
    stream = audio_stream(container)
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _part_seconds(part: FilePart, duration: float | None) -> float | None:
    """Return the duration of a part of a file of `duration` seconds; `None` if not known."""
    ends = [end for end in (part.end_seconds, duration) if end is not None]
    return min(ends) - part.start_seconds if ends else None


def _starts(duration: float, seconds: float, count: int) -> list[float]:
    """Return the starts of `count` windows, each centred in its share of `duration`."""
    return [(index + 0.5) * duration / count - seconds / 2 for index in range(count)]


def _cut(whole: Samples, rate: int, seconds: float, count: int) -> Samples:
    size = round(rate * seconds)
    if len(whole) < MIN_SECONDS * rate:
        raise EmbeddingFailed("holds less than a tenth of a second of sound", permanent=True)
    if len(whole) < size:
        return whole[np.newaxis]
    fitting = min(count, len(whole) // size)
    starts = _starts(len(whole) / rate, seconds, fitting)
    # Rounding may put the last window a sample beyond the end.
    firsts = [min(max(0, round(start * rate)), len(whole) - size) for start in starts]
    return np.stack([whole[first : first + size] for first in firsts])


def _read(container: Any, start: float, seconds: float) -> list[Chunk]:
    """Return the sound from `start` on, a little more than `seconds` of it if there is more."""
    stream = audio_stream(container)
    offset = (stream.start_time or 0) * float(stream.time_base)
    _seek(container, stream, max(0.0, start - PREROLL_SECONDS) + offset)
    sound = _FrameQueue()
    missing = seconds + 0.01  # a little more, which the resampler wants
    for frame in _frames(container, stream, start + seconds):
        if not sound.begun:
            early = _early(frame, start + offset)
            if early >= frame.samples:
                continue
            sound.begin(early)
            missing += early / frame.sample_rate
        missing -= frame.samples / frame.sample_rate
        sound.put(frame)
        if missing <= 0:
            break
    return sound.chunks(seconds + 1.0)


class _FrameQueue:
    """Puts frames together, of whatever kind each of them is.

    FFmpeg's own queue does it: thousands of small arrays would cost as much as decoding. But it
    takes a frame of other channels without looking, and reads or writes where nothing is.
    """

    def __init__(self) -> None:
        self.begun = False
        self._early = 0
        self._queue: Any = None
        self._kind: Kind | None = None
        self._chunks: list[Chunk] = []

    def begin(self, early: int) -> None:
        """Leave out the first `early` samples of the first frame, which is put next."""
        self.begun, self._early = True, early

    def put(self, frame: Any) -> None:
        """Append a frame."""
        kind = _kind(frame)
        if kind != self._kind:
            self._finish()
            self._queue, self._kind = av.AudioFifo(), kind
        frame.pts = None  # after a seek or a damaged packet they need not follow each other
        self._queue.write(frame)

    def chunks(self, seconds: float) -> list[Chunk]:
        """Return the sound in chunks of one rate each, none longer than `seconds`."""
        self._finish()
        merged = (
            (rate, np.concatenate([mono for _, mono in chunks]))
            for rate, chunks in groupby(self._chunks, key=itemgetter(0))
        )
        return [(rate, mono[: round(seconds * rate)]) for rate, mono in merged]

    def _finish(self) -> None:
        if self._queue is None:
            return
        rate, mono = _to_mono(self._queue.read())
        self._chunks.append((rate, mono if self._chunks else mono[self._early :]))
        self._queue = None


Kind = tuple[str, int, int, object]


def _kind(frame: Any) -> Kind:
    """Return all that frames in one queue must have in common."""
    return frame.format.name, frame.layout.nb_channels, frame.sample_rate, frame.time_base


def _early(frame: Any, start: float) -> int:
    """Return how many samples of the frame lie before `start`, in the stream's own time."""
    if frame.pts is None or frame.time_base is None:
        return 0
    ahead = start - float(frame.pts * frame.time_base)
    return max(0, round(ahead * int(frame.sample_rate)))


def _seek(container: Any, stream: Any, seconds: float) -> None:
    # What cannot be sought in is read on from where it is, which is never beyond the window.
    with suppress(av.error.FFmpegError, OverflowError):
        container.seek(int(seconds / stream.time_base), stream=stream)


def _frames(container: Any, stream: Any, seconds: float) -> Iterator[Any]:
    """Yield what can be decoded of about `seconds`; damaged packets are passed over."""
    bad = 0
    left = min(MAX_PACKETS, BAD_PACKETS + PACKETS_PER_SECOND * seconds)
    try:
        for packet in container.demux(stream):
            frames = _decoded(packet)
            bad = 0 if frames else bad + 1
            left -= 1
            yield from frames
            if bad > BAD_PACKETS or left <= 0:
                return
    except av.error.FFmpegError as error:
        if isinstance(error, OSError | MemoryError):  # the disk's fault, or this process'
            raise
        return  # cut off, damaged or unknown beyond here: what came before is used


def _decoded(packet: Any) -> list[Any]:
    """Return the frames of a packet that are fit for use."""
    try:
        return [frame for frame in packet.decode() if _is_usable(frame)]
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return []


def _is_usable(frame: Any) -> bool:
    """Say whether a frame has sound in it, at a rate that there is."""
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    return bool(frame.samples > 0 and channels > 0 and MIN_RATE <= rate <= MAX_RATE)


def _to_mono(frame: Any) -> Chunk:
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


def _resampled(chunks: list[Chunk], rate: int) -> Samples:
    """Return the chunks in one array at `rate`."""
    parts = [soxr.resample(mono, own_rate, rate) for own_rate, mono in chunks]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _audible(windows: Samples) -> Samples:
    """Leave silent windows out."""
    loud = np.sqrt(np.mean(np.square(windows), axis=1)) > SILENCE
    if not loud.any():
        raise EmbeddingFailed("is silent", permanent=True)
    audible: Samples = windows[loud]
    return audible
