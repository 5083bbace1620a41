"""What is remembered about the player: our queue entries, switches, and stickers."""

from collections.abc import Iterable, Mapping
from typing import Protocol

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

    async def seen(self, name: str) -> Mapping[Uri, str]:
        """Return the values of one name."""
        ...

    async def remember(self, name: str, values: Mapping[Uri, str | None]) -> None:
        """Note values that were seen or written; `None` says that there is none any more."""
        ...
