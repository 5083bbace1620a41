"""How a file is called here and in MPD, when the two music directories differ.

| MPD's music directory | the library's uri | MPD's uri |
|---|---|---|
| the same folder | `a.ogg` | `a.ogg` |
| above the library, which is its `rock/` | `a.ogg` | `rock/a.ogg` |
| below the library, as its `rock/` | `rock/a.ogg` | `a.ogg` |
| elsewhere | none | none |
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Self

from anagnorisisd.domain.track import Uri


@dataclass(frozen=True, slots=True)
class UriMap:
    """Puts a prefix before the library's uris, or takes one away; never both.

    `related` is false where MPD cannot see any file of the library.
    """

    prefix: str = ""
    stripped: str = ""
    related: bool = True

    @classmethod
    def between(cls, library: PurePath, music_directory: PurePath) -> Self:
        """Return the mapping for a library lying at `library` as MPD's side sees it.

        `music_directory` is MPD's own, seen from the same side.
        """
        if library.is_relative_to(music_directory):
            return cls(prefix=_folder(library.relative_to(music_directory)))
        if music_directory.is_relative_to(library):
            return cls(stripped=_folder(music_directory.relative_to(library)))
        return cls(related=False)

    def to_mpd(self, uri: Uri) -> str | None:
        """Return what MPD calls a file of the library; `None` where MPD cannot see it."""
        if not (self.related and uri.startswith(self.stripped)):
            return None
        return self.prefix + uri[len(self.stripped) :]

    def to_library(self, name: str) -> Uri:
        """Return the library's uri of what MPD calls `name`.

        What lies outside the library, streams included, gets a uri that no file can have.
        """
        if not (self.related and name.startswith(self.prefix)) or "://" in name:
            return Uri(name if "://" in name else f"mpd://{name}")
        return Uri(self.stripped + name[len(self.prefix) :])


def _folder(path: PurePath) -> str:
    return "" if path == PurePath() else f"{path.as_posix()}/"
