"""Cue sheets: the tracks that one or several audio files are divided into.

The parser follows MPD's (0.23 and 0.24), because its tracks must have the URIs that MPD lists:
the n-th track of `album.cue` is `album.cue/track000n`, whatever number the sheet gives it. A track
begins at its first index after 00; the first of a file, at its first index, so that a hidden track
before it is part of it. It ends where the next one of the file begins, pregap included.
"""

import posixpath
import re
from dataclasses import dataclass, field, replace

from anagnorisisd.domain.track import CueTrack, Tags, Uri
from anagnorisisd.errors import MediaError

MAX_BYTES = 1 << 20
MAX_TRACKS = 9999
"""MPD's names of tracks have four digits."""

FILE_TYPES = frozenset({b"WAVE", b"FLAC", b"MP3", b"AIFF"})
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF8_MARK = b"\xef\xbb\xbf"
UTF16 = "MPD cannot read cue sheets in UTF-16: convert it to UTF-8"
MARKED = "MPD ignores the first line because of its byte order mark: remove the mark"
NO_TRACKS = "a cue sheet without audio tracks"

POSITION = re.compile(rb"(\d{1,6}):(\d{1,6}):(\d{1,6})")
QUOTED = re.compile(rb'\s*"([^"]*)"?')
WORD = re.compile(rb"\s*(\S+)")
TAG_NAMES = {b"DATE": "year", b"GENRE": "genre"}
HEADER_NAMES = {b"TITLE": "album", b"PERFORMER": "album_artist", **TAG_NAMES}
TRACK_NAMES = {b"TITLE": "title", b"PERFORMER": "artist", **TAG_NAMES}
WORD_WITH_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]+")


@dataclass(slots=True)
class _Track:
    file: bytes
    tags: dict[str, bytes]
    start_ms: int = 0
    end_ms: int | None = None
    has_index: bool = False


@dataclass(slots=True)
class _Parser:
    """Reads a sheet line by line; `tracks` are those read so far."""

    tracks: list[_Track] = field(default_factory=list)
    header: dict[str, bytes] = field(default_factory=dict)
    file: bytes | None = None
    in_header: bool = True
    current: _Track | None = None
    previous: _Track | None = None

    def feed(self, line: bytes) -> None:
        command, rest = _word(line)
        if command == b"REM":
            command, rest = _word(rest)
            if command in TAG_NAMES:
                self._add_tag(command, rest)
        elif command in {b"TITLE", b"PERFORMER"}:
            self._add_tag(command, rest)
        elif command == b"FILE":
            self._begin_file(rest)
        elif command == b"TRACK":
            self._begin_track(rest)
        elif command == b"INDEX" and self.current is not None:
            self._add_index(self.current, rest)

    def _add_tag(self, command: bytes, rest: bytes) -> None:
        names, tags = (
            (HEADER_NAMES, self.header)
            if self.in_header
            else (TRACK_NAMES, self.current.tags if self.current is not None else {})
        )
        if value := _value(rest)[0]:
            tags.setdefault(names[command], value)

    def _begin_file(self, rest: bytes) -> None:
        self._end_track()
        name, rest = _value(rest)
        kind, _ = _word(rest)
        if name and kind:
            self.in_header = False
            self.file = name if kind in FILE_TYPES else None

    def _begin_track(self, rest: bytes) -> None:
        self._end_track()
        _, rest = _word(rest)
        kind, _ = _word(rest)
        if self.file is not None and kind == b"AUDIO" and len(self.tracks) < MAX_TRACKS:
            self.current = _Track(self.file, {})
            self.tracks.append(self.current)

    def _end_track(self) -> None:
        if self.current is not None:
            self.previous, self.current = self.current, None

    def _add_index(self, track: _Track, rest: bytes) -> None:
        number, rest = _word(rest)
        found = POSITION.fullmatch(_word(rest)[0])
        if track.has_index or not number or found is None:
            return
        minutes, seconds, frames = map(int, found.groups())
        position = minutes * 60_000 + seconds * 1000 + frames * 1000 // 75
        if self.previous is not None and self.previous.start_ms < position:
            self.previous.end_ms = position
        track.start_ms = position
        track.has_index = number != b"00" or self.previous is None


def parse(data: bytes, uri: Uri, root: str) -> list[CueTrack]:
    """Return the tracks of the sheet `uri` in the music directory `root`.

    Raises:
        MediaError: it has no tracks, or MPD cannot read it.
    """
    if data.startswith(UTF16_MARKS):
        raise MediaError(UTF16)
    parser = _Parser()
    text = data.removeprefix(UTF8_MARK)
    # MPD ignores the line with the mark. That matters if it is the one that names the audio file.
    for line in re.split(rb"[\r\n]+", data if text.startswith(b"FILE") else text):
        parser.feed(line)
    if not parser.tracks:
        raise MediaError(NO_TRACKS if text is data else MARKED)
    encoding = _encoding(data)
    return [
        CueTrack(
            uri=Uri(f"{uri}/track{number:04}"),
            source=_source(track.file, uri, root),
            start_ms=track.start_ms,
            end_ms=track.end_ms,
            tags=_tags(parser.header | track.tags, encoding),
            # MPD lists a file as well that a sheet names by its absolute path.
            hides_source=not track.file.startswith(b"/"),
        )
        for number, track in enumerate(parser.tracks, start=1)
    ]


def _source(file: bytes, sheet: Uri, root: str) -> Uri:
    """Return the URI of an audio file that a sheet names."""
    name = file.decode(errors="surrogateescape")
    if name.startswith("/"):
        return Uri(posixpath.normpath(name).removeprefix(f"{root}/"))
    return Uri(posixpath.normpath(posixpath.join(posixpath.dirname(sheet), name)))


def _tags(values: dict[str, bytes], encoding: str) -> Tags:
    texts = {name: value.decode(encoding, "replace") for name, value in values.items()}
    year = re.match(r"\d{4}", texts.pop("year", ""))
    tags = Tags(**texts, year=int(year[0]) if year else None)
    return tags if tags.artist else replace(tags, artist=tags.album_artist)


def _encoding(data: bytes) -> str:
    """Return the encoding of a sheet's texts: UTF-8, or else a code page of Windows.

    Where most letters of the words with letters beyond ASCII are such, they are taken for Cyrillic.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        words = [word for word in WORD_WITH_LETTERS.findall(data) if not word.isascii()]
        letters = b"".join(words)
        beyond_ascii = sum(letter >= 0x80 for letter in letters)
        return "cp1251" if beyond_ascii * 4 > len(letters) * 3 else "cp1252"
    return "utf-8"


def _word(text: bytes) -> tuple[bytes, bytes]:
    """Return the first word of a text, and what follows."""
    found = WORD.match(text)
    return (b"", b"") if found is None else (found[1], text[found.end() :])


def _value(text: bytes) -> tuple[bytes, bytes]:
    """Return the first word or quoted text, and what follows."""
    found = QUOTED.match(text)
    return _word(text) if found is None else (found[1], text[found.end() :])
