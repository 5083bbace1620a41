"""What is remembered about the player: our queue entries, switches, and stickers."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from anagnorisisd.domain.mirror import Seen
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import TrackId, Uri


class QueueStore(Protocol):
    """Which queue entries are ours, and whether picking is on."""

    async def entries(self) -> Mapping[SongId, TrackId]:
        """Return our entries as last known."""
        ...

    async def add_entry(self, song_id: SongId, track_id: TrackId, at: float) -> None:
        """Remember that an entry is ours."""
        ...

    async def forget_entries(self, song_ids: Iterable[SongId]) -> None:
        """Forget entries that are gone."""
        ...

    async def setting(self, name: str) -> str | None:
        """Return a remembered switch."""
        ...

    async def put_setting(self, name: str, value: str) -> None:
        """Remember a switch across restarts."""
        ...


class StickerStore(Protocol):
    """The player's stickers as they were last seen or written, by name and file."""

    async def seen(self, name: str) -> Mapping[Uri, Seen]:
        """Return what was noted of one name."""
        ...

    async def remember(self, name: str, values: Mapping[Uri, Seen]) -> None:
        """Note stickers that were seen or written."""
        ...

    async def expect(self, name: str, uris: Iterable[Uri]) -> None:
        """Note, where nothing is noted yet, that our first sticker is about to be written.

        If the daemon ends before it can note what it wrote, it does not take its own sticker for
        the listener's at the next start.
        """
        ...
