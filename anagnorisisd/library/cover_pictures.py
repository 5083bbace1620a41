"""Finds the pictures that may be the cover of a file: those in its tags and those in its folder.

Runs in a worker process, but for `folder_pictures`, which opens no file.
"""

import base64
import binascii
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import mutagen
from mutagen.apev2 import APEv2
from mutagen.asf import ASFTags
from mutagen.flac import Picture
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

from anagnorisisd.library.file_access import BoundedFile, open_regular
from anagnorisisd.library.tags import MUTAGEN_TYPES, open_or_none

MAX_PICTURE_BYTES = 32 << 20
"""A scan of a cover may be a PNG of twenty megabytes."""

FRONT_COVER = 3
"""The type of a picture in ID3, FLAC and ASF."""

FOLDER_NAMES = ("cover", "folder", "front", "album")
EXTENSIONS = ("jpg", "jpeg", "png", "webp")


class FolderPicture(NamedTuple):
    """A picture in the folder of a file; size and time tell whether it is still the same.

    The time is that of the last change of content or permissions.
    """

    path: str
    size_bytes: int
    ctime_ns: int


def folder_pictures(folder: str) -> list[FolderPicture]:
    """Return the pictures in a folder that are named as a cover, the most likely one first.

    Links to files in other folders are left out: they may lead to private pictures.

    Raises:
        OSError: the folder cannot be listed.
    """
    found: list[tuple[int, int, FolderPicture]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name, _, extension = entry.name.lower().rpartition(".")
            if name not in FOLDER_NAMES or extension not in EXTENSIONS or _leads_away(entry):
                continue
            with suppress(OSError):  # a link to nothing
                status = entry.stat()
                picture = FolderPicture(entry.path, status.st_size, status.st_ctime_ns)
                found.append((FOLDER_NAMES.index(name), EXTENSIONS.index(extension), picture))
    return [picture for *_, picture in sorted(found)]


def _leads_away(entry: "os.DirEntry[str]") -> bool:
    if not entry.is_symlink():
        return False
    folder = os.path.realpath(os.path.dirname(entry.path))  # noqa: PTH120
    return os.path.dirname(os.path.realpath(entry.path)) != folder  # noqa: PTH120


def read_picture(path: str) -> bytes | None:
    """Return the content of a picture file, `None` if it is too large.

    Raises:
        MediaError: it is not a regular file.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(MAX_PICTURE_BYTES + 1)
    return content if len(content) <= MAX_PICTURE_BYTES else None


def embedded_pictures(file: BinaryIO) -> list[bytes]:
    """Return the pictures in the tags of a file, the front cover first.

    Raises:
        Exception: a picture is damaged; mutagen raises more than `MutagenError`.
    """
    bounded = BoundedFile(file)
    opened = open_or_none(_open_any, bounded)
    found = list(_pictures(opened)) if opened is not None else []
    if not found and (opened is None or isinstance(opened.tags, ID3 | None)):
        # As for the other tags of MPEG files: ID3, which mutagen does not read of AAC, or APEv2.
        for kind in (ID3, APEv2):
            tags = open_or_none(kind, bounded)
            found += _READERS[kind](tags) if tags else ()
    found = [each for each in found if 0 < len(each[1]) <= MAX_PICTURE_BYTES]
    return [content for _, content in sorted(found, key=lambda each: each[0] != FRONT_COVER)]


def _open_any(file: BoundedFile) -> Any:
    return mutagen.File(file, options=list(MUTAGEN_TYPES.values()))


def _pictures(opened: Any) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each picture."""
    for picture in getattr(opened, "pictures", ()):  # of FLAC
        yield picture.type, picture.data
    if opened.tags is None:
        return
    readers = (read for kind, read in _READERS.items() if isinstance(opened.tags, kind))
    yield from next(readers, _vorbis_pictures)(opened.tags)


def _id3_pictures(tags: Any) -> Iterator[tuple[int, bytes]]:
    for frame in tags.getall("APIC"):
        yield int(frame.type), frame.data


def _mp4_pictures(tags: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    for cover in tags.get("covr", ()):
        yield FRONT_COVER, bytes(cover)


def _vorbis_pictures(tags: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    for text in tags.get("metadata_block_picture", ()):
        with suppress(binascii.Error, ValueError, mutagen.MutagenError):
            picture = _parse_flac_picture(base64.b64decode(text))
            yield picture.type, picture.data
    for text in tags.get("coverart", ()):  # before METADATA_BLOCK_PICTURE was agreed on
        with suppress(binascii.Error, ValueError):
            yield FRONT_COVER, base64.b64decode(text)


def _ape_pictures(tags: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    for key in tags:
        if key.lower().startswith("cover art"):
            # The value is a file name, a NUL and the picture.
            _, _, content = bytes(tags[key].value).partition(b"\0")
            yield FRONT_COVER if "front" in key.lower() else 0, content


def _asf_pictures(tags: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    for attribute in tags.get("WM/Picture", ()):
        # A WM_PICTURE structure: type, size, MIME type, description, picture.
        value = bytes(attribute.value)
        with suppress(struct.error):
            kind, size = struct.unpack_from("<BI", value)
            yield kind, value[len(value) - size :] if size <= len(value) else b""


_parse_flac_picture: Callable[[bytes], Any] = Picture

_READERS: Mapping[type, Callable[[Any], Iterator[tuple[int, bytes]]]] = {
    ID3: _id3_pictures,
    MP4Tags: _mp4_pictures,
    ASFTags: _asf_pictures,
    APEv2: _ape_pictures,
}
