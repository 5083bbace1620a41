"""Writing the tag `FMPS_Rating` in each format: a decimal number from 0 to 1, without rounding.

https://freedesktop.org/wiki/Specifications/free-media-player-specs/ defines it. Unlike POPM, which
has one byte, it can hold any rating; POPM is only read.

| format                                       | tag                                 |
|----------------------------------------------|-------------------------------------|
| flac, ogg (all codecs)                       | Vorbis comment `FMPS_Rating`        |
| mp3, wav, aiff                               | ID3 frame `TXXX:FMPS_Rating`        |
| mp3 with APEv2 but no ID3v2; wavpack, ape,   | APEv2 item `FMPS_Rating`            |
| musepack                                     |                                     |
| m4a, mp4                                     | `----:com.apple.iTunes:FMPS_Rating` |
| wma                                          | ASF attribute `FMPS/Rating`         |
"""

# mypy: disable-error-code="no-untyped-call"

import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from mutagen.aiff import AIFF
from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.asf import ASF
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TXXX, ID3NoHeaderError
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp4 import MP4, MP4FreeForm
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from anagnorisisd.errors import MediaError
from anagnorisisd.library.audio_hash import Kind
from anagnorisisd.library.tags import is_id3v1

NAME = "FMPS_Rating"
ATOM = f"----:com.apple.iTunes:{NAME}"
ATTRIBUTE = "FMPS/Rating"
APE_FOOTER = b"APETAGEX"
APE_FOOTER_BYTES = 32
MAX_TRAILER_BYTES = 1 << 20
"""Lyrics3 has up to 999,999 bytes, ID3v1 with its extension 355."""
SCALE = 10
"""A rating is 0 to 10, the tag 0 to 1."""


def tag_text(rating: float) -> str:
    """Return a rating as the text of the tag, without rounding."""
    return f"{Decimal(repr(rating)) / SCALE:f}"


def write(path: Path, kind: Kind, rating: float | None) -> bool:
    """Write a rating into the tags of a file, or remove it; return whether they changed.

    Raises:
        MediaError: the format has no tags.
        OSError: the file cannot be written.
        Exception: what mutagen raises for damaged tags.
    """
    writer = _WRITERS.get(kind)
    if writer is None:
        raise MediaError(f"{kind} has no tags to write a rating into")
    return writer(path, None if rating is None else tag_text(rating))


def _write_comment(mutagen_type: Callable[[Path], Any], path: Path, text: str | None) -> bool:
    """Write Vorbis comments or APEv2 items: mappings of names, in any case, to texts."""
    file = mutagen_type(path)
    if text is None:
        if not file.tags or NAME not in file.tags:
            return False
        del file.tags[NAME]
    else:
        if file.tags is None:
            file.add_tags()
        file.tags[NAME] = text
    trailer = _trailer(path)
    file.save()
    _restore_trailer(path, trailer)
    return True


def _write_mp4_atom(path: Path, text: str | None) -> bool:
    file: Any = MP4(path)
    known = [name for name in file.tags or () if name.lower() == ATOM.lower()]
    if text is None and not known:
        return False
    for name in known:
        del file.tags[name]
    if text is not None:
        if file.tags is None:
            file.add_tags()
        file.tags[ATOM] = [MP4FreeForm(text.encode())]
    file.save()
    return True


def _write_asf_attribute(path: Path, text: str | None) -> bool:
    file: Any = ASF(path)
    if text is None and ATTRIBUTE not in file.tags:
        return False
    if text is None:
        del file.tags[ATTRIBUTE]
    else:
        file.tags[ATTRIBUTE] = [text]
    file.save()
    return True


def _write_id3_chunk(mutagen_type: Callable[[Path], Any], path: Path, text: str | None) -> bool:
    file = mutagen_type(path)
    if file.tags is None:
        file.add_tags()
    return _write_id3_frame(file.tags, path, text)


def _write_mpeg(path: Path, text: str | None) -> bool:
    try:
        tags = ID3(path)  # reads ID3v1, too
    except ID3NoHeaderError:
        tags = ID3()
    if not is_id3v1(tags) and tags:
        changed = _write_id3_frame(tags, path, text)
        # A rating left in the APEv2 tag would count once that in the ID3v2 tag is removed.
        return (text is None and _remove_ape_item(path)) or changed
    try:
        # A new ID3v2 tag would hide the APEv2 tag from players.
        return _write_ape_item(APEv2(path), path, text)
    except APENoHeaderError:
        return _write_id3_frame(tags, path, text)


def _remove_ape_item(path: Path) -> bool:
    try:
        return _write_ape_item(APEv2(path), path, None)
    except APENoHeaderError:
        return False


def _write_ape_item(tags: Any, path: Path, text: str | None) -> bool:
    if text is None and NAME not in tags:
        return False
    if text is None:
        del tags[NAME]
    else:
        tags[NAME] = text
    trailer = _trailer(path)
    tags.save(path)
    _restore_trailer(path, trailer)
    return True


def _trailer(path: Path) -> bytes:
    """Return the ID3v1 tag and lyrics after an APEv2 tag, which mutagen removes with it."""
    with path.open("rb") as file:
        file.seek(-min(MAX_TRAILER_BYTES, path.stat().st_size), os.SEEK_END)
        _, found, rest = file.read().rpartition(APE_FOOTER)
    trailer = rest[APE_FOOTER_BYTES - len(APE_FOOTER) :] if found else b""
    return trailer if trailer.startswith((b"TAG", b"LYRICSBEGIN")) else b""


def _restore_trailer(path: Path, trailer: bytes) -> None:
    if trailer:
        with path.open("ab") as file:
            file.write(trailer)


def _write_id3_frame(tags: Any, path: Path, text: str | None) -> bool:
    known = [frame for frame in tags.getall("TXXX") if frame.desc.lower() == NAME.lower()]
    if text is None and not known:
        return False
    for frame in known:
        del tags[frame.HashKey]
    if text is not None:
        tags.add(_frame(text))
    # Keep ID3v2.3: some players read no other version.
    if tags.version < (2, 4, 0):
        tags.update_to_v23()
        tags.save(path, v2_version=3)
    else:
        tags.save(path)
    return True


def _frame(text: str) -> Any:
    frame: Any = TXXX
    return frame(encoding=3, desc=NAME, text=[text])


_WRITERS: Mapping[Kind, Callable[[Path, str | None], bool]] = {
    Kind.MP3: _write_mpeg,
    Kind.FLAC: partial(_write_comment, FLAC),
    Kind.OGG_VORBIS: partial(_write_comment, OggVorbis),
    Kind.OGG_OPUS: partial(_write_comment, OggOpus),
    Kind.OGG_FLAC: partial(_write_comment, OggFLAC),
    Kind.OGG_SPEEX: partial(_write_comment, OggSpeex),
    Kind.MP4: _write_mp4_atom,
    Kind.WAV: partial(_write_id3_chunk, WAVE),
    Kind.AIFF: partial(_write_id3_chunk, AIFF),
    Kind.WAVPACK: partial(_write_comment, WavPack),
    Kind.MONKEYS: partial(_write_comment, MonkeysAudio),
    Kind.MUSEPACK: partial(_write_comment, Musepack),
    Kind.WMA: _write_asf_attribute,
}
