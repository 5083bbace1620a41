"""What a file says about itself, read by mutagen.

Tags are a courtesy: whatever is wrong with them, the audio still counts, so that nothing here
ever raises.
"""

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, BinaryIO

from mutagen.aac import AAC
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.asf import ASF, ASFTags
from mutagen.flac import FLAC
from mutagen.id3 import ID3
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, MP4Tags
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from anagnorisisd.domain.track import Tags
from anagnorisisd.library.audio_hash import Kind
from anagnorisisd.library.bounded_file import BoundedFile
from anagnorisisd.workers.processor_time import OutOfProcessorTime, limited

log = logging.getLogger(__name__)

READ_SECONDS = 5.0
"""Processor time; usual tags take some thousandths of a second."""

LONGEST_TAG = 1024
"""Characters kept of one tag; more is damage or a joke."""

_OPENERS: Mapping[Kind, type] = {
    Kind.MP3: MP3,
    Kind.AAC: AAC,
    Kind.FLAC: FLAC,
    Kind.OGG_VORBIS: OggVorbis,
    Kind.OGG_OPUS: OggOpus,
    Kind.OGG_FLAC: OggFLAC,
    Kind.OGG_SPEEX: OggSpeex,
    Kind.MP4: MP4,
    Kind.WAV: WAVE,
    Kind.AIFF: AIFF,
    Kind.WAVPACK: WavPack,
    Kind.MONKEYS: MonkeysAudio,
    Kind.MUSEPACK: Musepack,
    Kind.WMA: ASF,
}

_Names = Mapping[str, Sequence[str]]
_ID3_FRAMES: _Names = {
    "title": ("TIT2",),
    "artist": ("TPE1",),
    "album": ("TALB",),
    "album_artist": ("TPE2",),
    "genre": ("TCON",),
    "year": ("TDRC", "TDOR", "TYER"),
}
_MP4_ATOMS: _Names = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART",),
    "album": ("\xa9alb",),
    "album_artist": ("aART",),
    "genre": ("\xa9gen",),
    "year": ("\xa9day",),
}
_ASF_ATTRIBUTES: _Names = {
    "title": ("Title",),
    "artist": ("Author",),
    "album": ("WM/AlbumTitle",),
    "album_artist": ("WM/AlbumArtist",),
    "genre": ("WM/Genre",),
    "year": ("WM/Year", "WM/OriginalReleaseYear"),
}
_COMMENTS: _Names = {
    "title": ("title",),
    "artist": ("artist",),
    "album": ("album",),
    "album_artist": ("albumartist", "album artist"),
    "genre": ("genre",),
    "year": ("date", "year", "originaldate"),
}
"""Vorbis comments and APEv2; mutagen compares both without case."""


def read_tags(file: BinaryIO, kind: Kind) -> tuple[Tags, float | None]:
    """Return the tags and the duration in seconds, `None` where unknown."""
    try:
        with limited(READ_SECONDS):
            return _read(BoundedFile(file), kind)
    except OutOfProcessorTime:
        failure = "they take too much processor time"
    except MemoryError:
        # Nothing is done about it here: what took the memory is held until this clause ends.
        failure = "they take too much memory"
    except Exception as error:  # mutagen lets more than MutagenError through on damaged files
        failure = f"{type(error).__name__}: {error}"
    log.debug("no tags: %s", failure)
    return Tags(), None


def _read(file: BoundedFile, kind: Kind) -> tuple[Tags, float | None]:
    opened = _OPENERS[kind](file)
    mpeg = kind in {Kind.AAC, Kind.MP3}
    tags = _mpeg_tags(file, opened.tags) if mpeg else _tags(opened.tags)
    return tags, _duration(getattr(opened.info, "length", None))


def _mpeg_tags(file: BoundedFile, found: Any) -> Tags:
    """Return the ID3v2 or else APEv2 tag of a format that has none of its own.

    ID3v1 cuts names to 30 characters: it only says what an APEv2 tag leaves out, as mp3gain's does.
    """
    id3 = found if found is not None else _opened(ID3, file)
    if id3 and not is_short(id3):
        return _tags(id3)
    ape, short = _tags(_opened(APEv2, file)), _tags(id3)
    known = {name: value for name, value in asdict(ape).items() if value is not None}
    return replace(short, **known)


def _opened(opener: Callable[[BoundedFile], Any], file: BoundedFile) -> Any:
    try:
        file.seek(0)
        return opener(file)
    except Exception:  # absent and damaged are the same here
        return None


def is_short(tags: Any) -> bool:
    """Return whether mutagen read ID3v1 alone."""
    return isinstance(tags, ID3) and tags.version < (2, 0)


def _tags(tags: Any) -> Tags:
    if not tags:
        return Tags()
    names = _COMMENTS
    if isinstance(tags, ID3):
        names = _ID3_FRAMES
    elif isinstance(tags, MP4Tags):
        names = _MP4_ATOMS
    elif isinstance(tags, ASFTags):
        names = _ASF_ATTRIBUTES
    found = {field: _text(tags, keys) for field, keys in names.items()}
    return Tags(
        title=found["title"],
        artist=found["artist"],
        album=found["album"],
        album_artist=found["album_artist"],
        genre=found["genre"],
        year=_year(found["year"]),
    )


def _text(tags: Any, keys: Sequence[str]) -> str | None:
    """Return the values of the first key that has any, joined."""
    for key in keys:
        value = tags.get(key)
        if value is None:
            continue
        values = getattr(value, "genres", None) or getattr(value, "text", None) or value
        text = "; ".join(filter(None, map(_clean, [values] if isinstance(values, str) else values)))
        if text:
            return text[:LONGEST_TAG]
    return None


def _clean(value: object) -> str:
    """Return a value without NULs, half characters and surrounding space."""
    text = str(value).replace("\0", " ").strip()
    return text.encode("utf-8", "replace").decode("utf-8")


def _year(text: str | None) -> int | None:
    found = re.search(r"\d{4}", text or "", re.ASCII)
    return int(found[0]) if found and int(found[0]) > 0 else None


def _duration(seconds: Any) -> float | None:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds <= 0:
        return None
    return float(seconds)
