"""Title, artist and other tags of a file, and its duration, read by mutagen.

Nothing here raises: a file with damaged tags is a track all the same.
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
from anagnorisisd.library.audio_hash import Kind, demuxed
from anagnorisisd.library.file_access import TAG_SECONDS, BoundedFile
from anagnorisisd.workers.resource_limits import CpuTimeExceeded, limit_cpu_time

log = logging.getLogger(__name__)

MAX_TAG_CHARACTERS = 1024
"""Longer tags are cut off."""

MUTAGEN_TYPES: Mapping[Kind, type] = {
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

_TagNames = Mapping[str, Sequence[str]]
_ID3_FRAMES: _TagNames = {
    "title": ("TIT2",),
    "artist": ("TPE1",),
    "album": ("TALB",),
    "album_artist": ("TPE2",),
    "genre": ("TCON",),
    "year": ("TDRC", "TDOR", "TYER"),
}
_MP4_ATOMS: _TagNames = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART",),
    "album": ("\xa9alb",),
    "album_artist": ("aART",),
    "genre": ("\xa9gen",),
    "year": ("\xa9day",),
}
_ASF_ATTRIBUTES: _TagNames = {
    "title": ("Title",),
    "artist": ("Author",),
    "album": ("WM/AlbumTitle",),
    "album_artist": ("WM/AlbumArtist",),
    "genre": ("WM/Genre",),
    "year": ("WM/Year", "WM/OriginalReleaseYear"),
}
_COMMENT_NAMES: _TagNames = {
    "title": ("title",),
    "artist": ("artist",),
    "album": ("album",),
    "album_artist": ("albumartist", "album artist"),
    "genre": ("genre",),
    "year": ("date", "year", "originaldate"),
}
"""Of Vorbis comments and APEv2; mutagen ignores their case."""


def read_tags(file: BinaryIO, kind: Kind) -> tuple[Tags, float | None]:
    """Return the tags and the duration in seconds, each `None` where unknown."""
    try:
        with limit_cpu_time(TAG_SECONDS):
            if kind is Kind.OTHER:
                return demuxed.read_tags(file)
            return _read(BoundedFile(file), kind)
    except CpuTimeExceeded:
        failure = "they take too much CPU time"
    except MemoryError:
        # No logging in here: the exception keeps the memory allocated until the clause ends.
        failure = "they take too much memory"
    except Exception as error:  # On damaged files, mutagen raises more than MutagenError.
        failure = f"{type(error).__name__}: {error}"
    log.debug("cannot read tags: %s", failure)
    return Tags(), None


def _read(file: BoundedFile, kind: Kind) -> tuple[Tags, float | None]:
    opened = MUTAGEN_TYPES[kind](file)
    is_mpeg = kind in {Kind.AAC, Kind.MP3}
    tags = _mpeg_tags(file, opened.tags) if is_mpeg else _tags(opened.tags)
    return tags, _duration(getattr(opened.info, "length", None))


def _mpeg_tags(file: BoundedFile, id3: Any) -> Tags:
    """Return the ID3v2 tag, else the APEv2 tag, of a format without tags of its own.

    ID3v1, which cuts off text after 30 characters, is used only for fields that the APEv2 tag
    lacks: mp3gain, for example, writes an APEv2 tag without names.
    """
    id3 = id3 if id3 is not None else open_or_none(ID3, file)
    if id3 and not is_id3v1(id3):
        return _tags(id3)
    ape, id3v1 = _tags(open_or_none(APEv2, file)), _tags(id3)
    known = {name: value for name, value in asdict(ape).items() if value is not None}
    return replace(id3v1, **known)


def open_or_none(mutagen_type: Callable[[BoundedFile], Any], file: BoundedFile) -> Any:
    """Return tags that mutagen reads from a file; `None` if they are absent or damaged."""
    try:
        file.seek(0)
        return mutagen_type(file)
    except Exception:
        return None


def is_id3v1(tags: Any) -> bool:
    """Return whether mutagen found an ID3v1 tag only."""
    return isinstance(tags, ID3) and tags.version < (2, 0)


def _tags(tags: Any) -> Tags:
    if not tags:
        return Tags()
    names = _COMMENT_NAMES
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
    """Return the values of the first of the `keys` that the tags have, joined."""
    for key in keys:
        value = tags.get(key)
        if value is None:
            continue
        values = getattr(value, "genres", None) or getattr(value, "text", None) or value
        text = "; ".join(filter(None, map(_clean, [values] if isinstance(values, str) else values)))
        if text:
            return text[:MAX_TAG_CHARACTERS]
    return None


def _clean(value: object) -> str:
    """Return a value without NULs, lone surrogates and surrounding space."""
    text = str(value).replace("\0", " ").strip()
    return text.encode("utf-8", "replace").decode("utf-8")


def _year(text: str | None) -> int | None:
    found = re.search(r"\d{4}", text or "", re.ASCII)
    return int(found[0]) if found and int(found[0]) > 0 else None


def _duration(seconds: Any) -> float | None:
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds <= 0:
        return None
    return float(seconds)
