"""The music folder and what watches it, as the library sees them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, Uri

WHOLE_FOLDER = Uri("")
"""The uri of the music folder itself."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How the folder, or a part of it, differs from what is known.

    `changed` files are to be read; `returned` ones were missing and are as they were then.
    `unusable` are folders that cannot be listed and links that lead nowhere; what is known of
    files below such a folder is neither changed nor gone. `linked` are symbolic links to folders,
    with their real paths: those that were followed when the whole folder was compared, those
    that were met and left alone otherwise. So a folder which can be reached in two ways always
    has the same uri, and a loop has an end.
    """

    found: int = 0
    unchanged: int = 0
    changed: Mapping[Uri, FileStamp] = field(default_factory=dict)
    returned: Sequence[Uri] = ()
    gone: Sequence[Uri] = ()
    unusable: Sequence[ScannedFile] = ()
    suspected: AbstractSet[Uri] = frozenset()
    """Those of `changed` that have cost the process that read them before."""
    linked: Mapping[Uri, str] = field(default_factory=dict)
    problem: str | None = None
    """Why the music folder as a whole cannot be read, if it cannot."""


class MusicDirectoryReader(Protocol):
    """The music folder."""

    def path(self, uri: Uri) -> Path:
        """Return where a file lies."""
        ...

    async def whereabouts(self) -> tuple[int, int] | None:
        """Return device and inode of the folder, `None` when it is not there.

        They change when something is mounted or unmounted there.
        """
        ...

    async def compare(self, known: AbstractSet[SeenFile], below: Uri = WHOLE_FOLDER) -> Differences:
        """Compare what is known of `below`, a file or a folder, with what is there.

        Files are not opened. Never raises: a folder that is gone has lost all of its files.
        """
        ...

    def read(
        self, uris: Sequence[Uri], suspected: AbstractSet[Uri] = frozenset()
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read files, in batches; those that cannot be used come with their problem.

        Files that are gone by now are left out. Those that cost the process that reads them, and
        the `suspected` ones, come after all others; the former come with the stamp `NOT_READ`.
        """
        ...


class Watcher(Protocol):
    """Notices changes in the music folder. It may miss some: it gives hints, no truth."""

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Watch the folder and the folders it links to, by uri and real path.

        Call it again whenever either may have changed; what is watched already stays so. Never
        raises: what cannot be watched is said once.
        """
        ...

    async def hints(self) -> frozenset[Uri]:
        """Wait for changes, let a burst pass, and return the files and folders concerned."""
        ...

    async def close(self) -> None:
        """Stop watching."""
        ...
