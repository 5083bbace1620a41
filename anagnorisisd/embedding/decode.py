"""From a file to a few evenly spread windows of its sound: mono, at one rate, always the same.

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

A file may hold anything. Only audio is decoded, pictures and films are not even opened. Each frame
may have another sample format, number of channels and rate than the one before, as in files that
were joined.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import soxr

from anagnorisisd.embedding.embedder import Samples
from anagnorisisd.errors import EmbeddingFailed, MediaError
from anagnorisisd.library.audio_hash.byte_reader import ByteReader
from anagnorisisd.library.audio_hash.mp4_wma_wav_aiff import chunks

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

CONTAINERS = (
    "aac,ac3,aiff,ape,asf,au,caf,dff,dsf,dts,eac3,flac,iff,matroska,mov,mp3,mpc,mpc8,ogg,"
    "tak,tta,w64,wav,wv"
)
WAV_MAGICS = (b"RIFF", b"RF64")

OPEN_OPTIONS = {"protocol_whitelist": "file,subfile", "format_whitelist": CONTAINERS}
"""A playlist that poses as music must not make FFmpeg read other files or the network."""

FIRST_WITHOUT_METADATA_ERRORS = 19
"""From this version of PyAV on undecodable tags are never an error, and there is no argument."""

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
    except av.error.MemoryError:
        raise MemoryError from None  # it says more of this process than of the file
    except av.error.FFmpegError as error:
        raise EmbeddingFailed(
            f"cannot be read as audio: {error.strerror}", permanent=not isinstance(error, OSError)
        ) from None
    return _audible(windows)


def _open(path: str) -> Any:
    _require_file(path)
    options = {**OPEN_OPTIONS, "codec_whitelist": _audio_decoders()}
    container = av.open(_url(path), options=options, **_lenient())
    try:
        _stream(container).codec_context.thread_count = 1
    except BaseException:
        container.close()
        raise
    return container


def _url(path: str) -> str:
    """Return what FFmpeg is to open: of a WAV file no more than up to the end of its sound.

    FFmpeg looks for further chunks behind it. In a file of which a program has reserved gigabytes
    and filled a few, that takes minutes, as each chunk of zeros has eight bytes.
    """
    with suppress(OSError, MediaError), Path(path).open("rb") as file:
        head = file.read(12)
        if head[:4] in WAV_MAGICS and head[8:] == b"WAVE":
            reader = ByteReader(file)
            for name, _, end in chunks(reader, "little"):
                if name == b"data" and end < reader.size:
                    return f"subfile,,start,0,end,{end},,:{path}"
    return path


def _require_file(path: str) -> None:
    """Refuse pipes and devices, on which FFmpeg would wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise EmbeddingFailed(reason, permanent=False) from None
    try:
        mode = os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(mode):
        raise EmbeddingFailed("is not a regular file", permanent=True)


@cache
def _audio_decoders() -> str:
    """Return the names of all decoders of audio.

    FFmpeg may use no others when it looks what a file holds: a cover of a few hundred kilobytes
    can take half a gigabyte to decode.
    """
    names = (name for name in av.codecs_available if _decodes_audio(name))
    return ",".join(sorted(names))


def _decodes_audio(name: str) -> bool:
    try:
        return bool(av.Codec(name, "r").type == "audio")
    except ValueError:  # it only encodes
        return False


def _lenient() -> dict[str, Any]:
    """Return what lets `av.open` take tags of any bytes."""
    major = int(av.__version__.partition(".")[0])
    return {} if major >= FIRST_WITHOUT_METADATA_ERRORS else {"metadata_errors": "replace"}


def _stream(container: Any) -> Any:
    """Return the first audio stream that can be decoded."""
    streams = container.streams.audio
    if not streams:
        raise EmbeddingFailed("has no audio stream", permanent=True)
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    raise EmbeddingFailed("has audio that FFmpeg has no decoder for", permanent=True)


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
    whole = _resampled(_read(container, 0.0, MAX_READ_SECONDS), rate)
    return _cut(whole, rate, seconds, count)


def _duration_seconds(container: Any) -> float | None:
    stream = _stream(container)
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


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


def _read(container: Any, start: float, seconds: float) -> list[Piece]:
    """Return the sound from `start` on, a little more than `seconds` of it if there is more."""
    stream = _stream(container)
    offset = (stream.start_time or 0) * float(stream.time_base)
    _seek(container, stream, max(0.0, start - PREROLL_SECONDS) + offset)
    sound = _Sound()
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
    return sound.pieces(seconds + 1.0)


class _Sound:
    """Puts frames together, of whatever kind each of them is.

    FFmpeg's own queue does it: thousands of small arrays would cost as much as decoding. But it
    takes a frame of other channels without looking, and reads or writes where nothing is.
    """

    def __init__(self) -> None:
        self.begun = False
        self._early = 0
        self._queue: Any = None
        self._kind: Kind | None = None
        self._pieces: list[Piece] = []

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

    def pieces(self, seconds: float) -> list[Piece]:
        """Return the sound in pieces of one rate each, none longer than `seconds`."""
        self._finish()
        joined = (
            (rate, np.concatenate([mono for _, mono in pieces]))
            for rate, pieces in groupby(self._pieces, key=itemgetter(0))
        )
        return [(rate, mono[: round(seconds * rate)]) for rate, mono in joined]

    def _finish(self) -> None:
        if self._queue is None:
            return
        rate, mono = _piece(self._queue.read())
        self._pieces.append((rate, mono if self._pieces else mono[self._early :]))
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
