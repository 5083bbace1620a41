"""Small real audio files of every format, encoded on the spot; tests never need a listener's."""

# mypy: disable-error-code="no-untyped-call"

import base64
import io
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TALB, TDRC, TIT2, TPE1
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp4 import MP4, MP4Cover
from mutagen.musepack import Musepack
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

RATE = 48_000


@dataclass(frozen=True)
class Encoding:
    """How PyAV writes one format."""

    container: str
    codec: str
    sample_format: str
    layout: str = "mono"
    bit_rate: int | None = None


ENCODINGS: Mapping[str, Encoding] = {
    "mp3": Encoding("mp3", "libmp3lame", "s16p"),
    "flac": Encoding("flac", "flac", "s16"),
    "ogg": Encoding("ogg", "vorbis", "fltp", "stereo"),
    "opus": Encoding("ogg", "libopus", "s16"),
    "m4a": Encoding("ipod", "aac", "fltp"),
    "aac": Encoding("adts", "aac", "fltp"),
    "wav": Encoding("wav", "pcm_s16le", "s16"),
    "aiff": Encoding("aiff", "pcm_s16be", "s16"),
    "wv": Encoding("wv", "wavpack", "s16p"),
    "wma": Encoding("asf", "wmav2", "fltp", bit_rate=128_000),
}
"""By extension; every format that the daemon reads and PyAV writes is here."""

FORMATS = tuple(ENCODINGS)
SAMPLES = Path(__file__).parents[1] / "fixtures" / "audio"
READ_ONLY = ("tone.ape", "version-7.mpc", "version-8.mpc", "tone.wma")
"""Songs in `SAMPLES` of formats that PyAV does not write."""


def song(seed: int = 0, seconds: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return a mono melody of three notes chosen by `seed`, `[samples]` at `RATE`."""
    chance = np.random.default_rng(seed)
    moments = np.arange(int(seconds * RATE)) / RATE
    notes = 110 * 2 ** (chance.integers(0, 36, 3) / 12)
    tone = sum(np.sin(2 * np.pi * note * moments) for note in notes) / 4
    return np.asarray((tone + chance.normal(0, 0.01, moments.size)) * 32_000).astype(np.int16)


def encoded(
    extension: str,
    seed: int = 0,
    seconds: float = 0.5,
    *,
    layout: str | None = None,
    rate: int = RATE,
) -> bytes:
    """Return the song of `seed` as an untagged file of the given format."""
    how = ENCODINGS[extension]
    layout = layout or how.layout
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=how.container) as container:
        stream = container.add_stream(how.codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.options = {"strict": "experimental"}
        stream.codec_context.format = how.sample_format
        if how.bit_rate:
            stream.codec_context.bit_rate = how.bit_rate
        samples = song(seed, seconds)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        resampler = av.AudioResampler(how.sample_format, layout, rate, frame_size(stream))
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def frame_size(stream: av.AudioStream) -> int:
    """Return how many samples the encoder takes at once; 0 when it does not care."""
    stream.codec_context.open()
    return int(stream.codec_context.frame_size or 0)


def write_song(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    """Write a song in the format of the path's extension; its mtime is an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(path.suffix[1:], seed, seconds))
    age(path)
    return path


def copy_sample(name: str, folder: Path) -> Path:
    """Copy one of `READ_ONLY` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes((SAMPLES / name).read_bytes())
    age(path)
    return path


def age(path: Path) -> None:
    """Set the mtime to an hour ago, as that of a file which nobody is writing any more."""
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))


COVER_BYTES = 500_000


def retag(path: Path, title: str, *, cover: bool = False) -> None:
    """Give a file title, artist, album and year, as a tagger does it; with a large cover or not."""
    picture = bytes(np.random.default_rng(1).integers(0, 256, COVER_BYTES, np.uint8))
    _TAGGERS[path.suffix[1:]](path, title, picture if cover else b"")


def add_cover(path: Path, picture: bytes) -> None:
    """Write tags with a front cover."""
    _TAGGERS[path.suffix[1:]](path, "Song", picture)


def untag(path: Path) -> None:
    """Remove every tag."""
    if path.suffix in {".mp3", ".aac"}:
        ID3().delete(path)
        APEv2().delete(path)
        return
    openers = {
        "flac": FLAC, "ogg": OggVorbis, "opus": OggOpus, "m4a": MP4, "wav": WAVE, "aiff": AIFF,
        "wv": WavPack, "ape": MonkeysAudio, "mpc": Musepack, "wma": ASF,
    }  # fmt: skip
    opened = openers[path.suffix[1:]](path)
    if isinstance(opened, FLAC):
        opened.clear_pictures()
    opened.delete()


def _tag_id3(path: Path, title: str, picture: bytes) -> None:
    ape = APEv2()
    ape["Title"] = title
    ape.save(path)
    tags = ID3()
    _fill_id3(tags, title, picture)
    tags.save(path, v1=2)


def _fill_id3(tags: ID3, title: str, picture: bytes) -> None:
    for frame in (TIT2, TPE1, TALB, TDRC):
        tags.add(frame(text=[_values(title)[frame.__name__]]))
    if picture:
        tags.add(APIC(mime="image/jpeg", type=3, data=picture))


def _values(title: str) -> dict[str, str]:
    return {"TIT2": title, "TPE1": "The Artist", "TALB": "The Album", "TDRC": "1999-05-01"}


def _fill_names(tags: "FLAC | OggVorbis | OggOpus | APEv2", title: str) -> None:
    tags.update({"title": title, "artist": "The Artist", "album": "The Album"})


def _tag_flac(path: Path, title: str, picture: bytes) -> None:
    opened = FLAC(path)
    _fill_names(opened, title)
    opened["date"] = "1999-05-01"
    if picture:
        image = Picture()
        image.data, image.type = picture, 3
        opened.add_picture(image)
    opened.save()


def _tag_ogg(path: Path, title: str, picture: bytes) -> None:
    opened = (OggOpus if path.suffix == ".opus" else OggVorbis)(path)
    _fill_names(opened, title)
    opened["date"] = "1999-05-01"
    if picture:
        image = Picture()
        image.data, image.type = picture, 3
        opened["metadata_block_picture"] = base64.b64encode(image.write()).decode("ascii")
    opened.save()


def _tag_mp4(path: Path, title: str, picture: bytes) -> None:
    opened = MP4(path)
    opened.update({"\xa9nam": title, "\xa9ART": "The Artist", "\xa9alb": "The Album"})
    opened["\xa9day"] = "1999-05-01"
    if picture:
        opened["covr"] = [MP4Cover(picture)]
    opened.save()


def _tag_chunks(path: Path, title: str, picture: bytes) -> None:
    opened = (WAVE if path.suffix == ".wav" else AIFF)(path)
    if opened.tags is None:
        opened.add_tags()
    assert isinstance(opened.tags, ID3)
    _fill_id3(opened.tags, title, picture)
    opened.save()


def _tag_asf(path: Path, title: str, picture: bytes) -> None:
    opened = ASF(path)
    names = ("Title", "Author", "WM/AlbumTitle", "WM/Year")
    opened.update(zip(names, _values(title).values(), strict=True))
    if picture:
        head = struct.pack("<BI", 3, len(picture)) + "image/jpeg\0\0".encode("utf-16-le")
        opened["WM/Picture"] = [head + picture]
    opened.save()


def _tag_ape(path: Path, title: str, picture: bytes) -> None:
    tags = APEv2()
    _fill_names(tags, title)
    tags["Year"] = "1999-05-01"
    if picture:
        tags["Cover Art (Front)"] = b"front.jpg\0" + picture
    tags.save(path)


_TAGGERS = {
    "mp3": _tag_id3, "aac": _tag_id3, "flac": _tag_flac, "ogg": _tag_ogg, "opus": _tag_ogg,
    "m4a": _tag_mp4, "wav": _tag_chunks, "aiff": _tag_chunks, "wv": _tag_ape,
    "ape": _tag_ape, "mpc": _tag_ape, "wma": _tag_asf,
}  # fmt: skip
