"""Reads MPD's queue; after the first time, only what has changed.

MPD numbers the versions of its queue. `plchangesposid` tells which entries are at other positions
than in an earlier version, or have changed themselves; only new ones are requested. So one change
in a queue of thousands costs as little as in a queue of a few. When an entry is removed, all later
ones move: then their positions are read, which is a tenth of the work.

Of many entries that moved together only the positions are read: a priority that one of them was
given at the same moment is seen when that entry changes again.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from anagnorisisd.domain.player import QueueEntries, QueueEntry, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import response_parser
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import CommandRefused

PAGE_SIZE = 1000
"""Entries requested at once: a whole queue could overflow MPD's output buffer."""

POSITIONS_PAGE_SIZE = 50_000
"""Positions and ids requested at once."""

MAX_QUEUE_LENGTH = 250_000
"""The longest queue that is read. MPD holds 16,384 entries unless it is configured otherwise."""

MAX_READS = 5
"""How often the queue is read again when it changed while it was read."""

MAX_CHANGES_READ = 64
"""Up to so many changed entries are all requested; of more, only those that did not just move."""

MAX_GAP = 16
"""Two entries with at most so many between them are requested together."""


class QueueReader:
    """Reads the queue of one connection, and remembers what was read last."""

    def __init__(self, commands: Connection, to_library: Callable[[str], Uri]) -> None:
        self._commands = commands
        self._to_library = to_library
        self._version: int | None = None
        self._entries: list[QueueEntry | None] = []
        self._by_id: dict[SongId, QueueEntry] = {}
        self._cached: QueueEntries | None = None
        self._supports_changes = True
        self._lock = asyncio.Lock()

    async def read(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order; the same object as before if nothing changed.

        Raises:
            PlayerUnavailable: the connection is lost, the queue is too long, or it changes faster
                than it can be read.
        """
        async with self._lock:
            return await self._read()

    async def _read(self) -> Sequence[QueueEntry]:
        for _ in range(MAX_READS):
            status = await self._commands.call("status")
            version, length = (
                response_parser.queue_version(status),
                response_parser.queue_length(status),
            )
            if length > MAX_QUEUE_LENGTH:
                raise PlayerUnavailable(
                    f"MPD's queue of {length} entries is longer than the supported "
                    f"{MAX_QUEUE_LENGTH}"
                )
            if version == self._version and (entries := self._snapshot(length)) is not None:
                return entries
            await self._read_changes(version, length)
        # It changes all the time. What was read is consistent, and another read will follow.
        entries = self._snapshot(len(self._entries))
        if entries is None:
            self._version = None
            raise PlayerUnavailable("MPD's queue changes faster than it can be read")
        return entries

    def _snapshot(self, length: int) -> QueueEntries | None:
        """Return the entries if they are complete, else `None`."""
        if not len(self._by_id) == len(self._entries) == length:
            self._version = None
            return None
        if self._cached is None:
            # There are as many different ids as positions, so that each position has its entry.
            self._cached = QueueEntries(cast("list[QueueEntry]", self._entries))
        return self._cached

    async def _read_changes(self, version: int, length: int) -> None:
        """Read what changed since the known version, or everything."""
        known, self._version = self._version, None  # until all is read
        positions = None if known is None else await self._changed_positions(known, length)
        self._resize(length)
        if known is None or positions is None:
            self._put(await self._songs("playlistinfo", range(length)), range(length))
        else:
            moved, wanted = self._moved(positions)
            self._put(moved, [entry.position for entry in moved])
            for run in _runs(wanted):
                songs = await self._songs("plchanges", range(run[0], run[-1] + 1), known)
                self._put(songs, run)
        self._version = version

    async def _changed_positions(self, known: int, length: int) -> list[tuple[int, int]] | None:
        """Return changed positions and their present ids; `None` where MPD does not support it."""
        positions: list[tuple[int, int]] = []
        for start in range(0, length, POSITIONS_PAGE_SIZE) if self._supports_changes else ():
            window = f"{start}:{start + POSITIONS_PAGE_SIZE}"
            try:
                positions += await self._commands.call("plchangesposid", known, window)
            except CommandRefused:
                self._supports_changes = False
        return [pair for pair in positions if pair[0] < length] if self._supports_changes else None

    def _moved(self, positions: Sequence[tuple[int, int]]) -> tuple[list[QueueEntry], list[int]]:
        """Return the entries that only moved, and the positions of those to request."""
        if len(positions) <= MAX_CHANGES_READ:
            return [], [position for position, _ in positions]
        moved: list[QueueEntry] = []
        wanted: list[int] = []
        for position, number in positions:
            entry = self._by_id.get(SongId(number))
            if entry is None or entry.position == position:
                wanted.append(position)
            else:
                moved.append(QueueEntry(entry.song_id, entry.uri, position, entry.priority))
        return moved, wanted

    async def _songs(self, command: str, run: range, *versions: int) -> list[QueueEntry]:
        """Request the entries at the positions of a run; some may be missing by now."""
        found: list[QueueEntry] = []
        for start in range(run.start, run.stop, PAGE_SIZE):
            window = f"{start}:{min(start + PAGE_SIZE, run.stop)}"
            try:
                rows = await self._commands.rows(command, *versions, window)
            except CommandRefused:  # the queue shrank meanwhile
                break
            found += (response_parser.queue_entry(row, self._to_library) for row in rows)
        return [entry for entry in found if 0 <= entry.position < len(self._entries)]

    def _resize(self, length: int) -> None:
        self._clear(range(length, len(self._entries)))
        del self._entries[length:]
        self._entries += [None] * (length - len(self._entries))
        self._cached = None

    def _put(self, entries: Sequence[QueueEntry], positions: Iterable[int]) -> None:
        """Put entries at their positions; other positions among `positions` become unknown."""
        self._clear(positions)
        self._clear(entry.position for entry in entries)
        for entry in entries:
            self._entries[entry.position] = self._by_id[entry.song_id] = entry

    def _clear(self, positions: Iterable[int]) -> None:
        for position in positions:
            entry, self._entries[position] = self._entries[position], None
            if entry is not None and self._by_id.get(entry.song_id) is entry:
                del self._by_id[entry.song_id]


def _runs(positions: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions, which are sorted, in groups of adjacent ones."""
    run: list[int] = []
    for position in positions:
        if run and position - run[-1] > MAX_GAP:
            yield run
            run = []
        run.append(position)
    if run:
        yield run
