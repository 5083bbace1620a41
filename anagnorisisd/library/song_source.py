"""Where the library has its songs from: a music directory, or the player's database."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

from anagnorisisd.domain.track import ScannedFile, SeenFile, Uri
from anagnorisisd.library.directory_walker import Differences


class SongSource(Protocol):
    """Songs that are compared with the library, and read where they differ."""

    @property
    def name(self) -> str:
        """What it is, in messages."""
        ...

    def path(self, uri: Uri) -> Path:
        """Return the absolute path of a song; where there are no files, one that cannot exist."""
        ...

    async def inode(self) -> tuple[int, int] | None:
        """Return numbers that change when all songs may have changed; `None` if there are none."""
        ...

    async def compare(self, stored: AbstractSet[SeenFile], below: Uri) -> Differences:
        """Compare the stored songs of `below`, a song or a directory, with those that are there."""
        ...

    def read(
        self, uris: Sequence[Uri], suspected: AbstractSet[Uri]
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read songs, and yield them in batches; one that is gone is left out.

        The `suspected` ones made their reader fail before.
        """
        ...
