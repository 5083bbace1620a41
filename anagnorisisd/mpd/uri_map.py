"""Maps the library's URIs to MPD's, where their music directories differ.

| MPD's music directory | the library's URI | MPD's URI |
|---|---|---|
| the same directory | `a.ogg` | `a.ogg` |
| above the library, which is its `rock/` | `a.ogg` | `rock/a.ogg` |
| below the library, as its `rock/` | `rock/a.ogg` | `a.ogg` |
| elsewhere | none | none |
"""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from anagnorisisd.domain.track import Uri
from anagnorisisd.library.file_access import real_path

UNRELATED = (
    "MPD's music directory {mpd!r} does not overlap with the library in {library!r}: "
    "set music.directory to a directory that MPD sees, or mpd.music_directory to the library "
    "as MPD sees it"
)


@dataclass(frozen=True, slots=True)
class UriMap:
    """Adds a prefix to the library's URIs or strips one; never both.

    `related` is false where MPD cannot see any file of the library.
    """

    prefix: str = ""
    stripped: str = ""
    related: bool = True

    @classmethod
    def between(cls, library: PurePath, music_directory: PurePath) -> Self:
        """Return the mapping between a library and MPD's music directory.

        Both paths must be those of the same computer.
        """
        if library.is_relative_to(music_directory):
            return cls(prefix=_prefix(library.relative_to(music_directory)))
        if music_directory.is_relative_to(library):
            return cls(stripped=_prefix(music_directory.relative_to(library)))
        return cls(related=False)

    def to_mpd(self, uri: Uri) -> str | None:
        """Return MPD's URI of a file of the library; `None` where MPD cannot see it."""
        if not (self.related and uri.startswith(self.stripped)):
            return None
        return self.prefix + uri[len(self.stripped) :]

    def to_library(self, name: str) -> Uri:
        """Return the library's URI of MPD's URI `name`.

        Streams and files outside the library get a URI that no file of the library can have.
        """
        if not (self.related and name.startswith(self.prefix)) or "://" in name:
            return Uri(name if "://" in name else f"mpd://{name}")
        return Uri(self.stripped + name[len(self.prefix) :])


def _prefix(path: PurePath) -> str:
    return "" if path == PurePath() else f"{path.as_posix()}/"


def make_uri_map(
    mpd_music_directory: str | None, library: Path | None, library_seen_by_mpd: Path | None
) -> UriMap:
    """Return the mapping for a library at `library`; `None` is one that has MPD's URIs.

    `mpd_music_directory` is what MPD tells, `library_seen_by_mpd` the configured path of the
    library on MPD's computer; either may be unknown.
    """
    if library is None:
        return UriMap()
    seen_by_mpd = library_seen_by_mpd or library
    if mpd_music_directory is not None:
        return UriMap.between(_resolve(seen_by_mpd), _resolve(PurePath(mpd_music_directory)))
    # MPD does not tell its music directory. If one of the paths contains the other, they are taken
    # for paths of this computer, else for the same directory on two.
    nested = UriMap.between(_resolve(library), _resolve(seen_by_mpd))
    return nested if nested.related else UriMap()


def _resolve(path: PurePath) -> PurePath:
    return PurePath(real_path(path))
