"""The queue of MPD, read anew only where it has changed.

MPD numbers the versions of its queue. `plchangesposid` tells which entries are at other positions
than in an earlier version, or have changed themselves; only those that are new are asked for. So
one change in a queue of thousands costs as little as in a queue of a few. An entry that goes moves
all those behind it: then their positions are read, which is a tenth of the work.

Of entries that moved together in their dozens nothing but the position is read: a priority that
was given to one of them in the same moment is seen when that entry changes again.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from anagnorisisd.domain.player import QueueEntries, QueueEntry, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import translate
from anagnorisisd.mpd.connection import Connection, Refused

PAGE = 1000
"""Entries asked for at once: a whole queue could overflow MPD's output buffer."""

PLACES_PAGE = 50_000
"""The same where only positions and ids are asked for."""

LONGEST_QUEUE = 250_000
"""Entries of a queue that is still read. MPD holds 16,384 unless it is told otherwise."""

TRIES = 5
"""How often a reading is repeated in which the queue changed."""

FEW = 64
"""So many changed entries are asked for in any case; of more only those that did not just move."""

GAP = 16
"""Entries between two that are asked for, up to which both are asked for together."""


class QueueReader:
    """Keeps what was read last of the queue of one connection."""

    def __init__(self, commands: Connection, to_library: Callable[[str], Uri]) -> None:
        self._commands = commands
        self._to_library = to_library
        self._version: int | None = None
        self._entries: list[QueueEntry | None] = []
        self._by_id: dict[SongId, QueueEntry] = {}
        self._shown: QueueEntries | None = None
        self._tells_changes = True
        self._reading = asyncio.Lock()

    async def read(self) -> Sequence[QueueEntry]:
        """Return the whole queue in order: the same object as before where nothing changed.

        Raises:
            PlayerUnavailable: the link is gone, or the queue changes faster than it can be read.
        """
        async with self._reading:
            return await self._read()

    async def _read(self) -> Sequence[QueueEntry]:
        for _ in range(TRIES):
            status = await self._commands.call("status")
            version, length = translate.queue_version(status), translate.queue_length(status)
            if length > LONGEST_QUEUE:
                raise PlayerUnavailable(
                    f"MPD's queue of {length} entries is longer than the {LONGEST_QUEUE} "
                    "that can be followed"
                )
            if version == self._version and (shown := self._show(length)) is not None:
                return shown
            await self._follow(version, length)
        # It changes all the time. What was read fits together, and the next reading follows.
        shown = self._show(len(self._entries))
        if shown is None:
            self._version = None
            raise PlayerUnavailable("MPD's queue changes faster than it can be read")
        return shown

    def _show(self, length: int) -> QueueEntries | None:
        """Return the entries, if there are as many different ones as there should be."""
        if not len(self._by_id) == len(self._entries) == length:
            self._version = None
            return None
        if self._shown is None:
            # There are as many different ids as places, so that every place has its entry.
            self._shown = QueueEntries(cast("list[QueueEntry]", self._entries))
        return self._shown

    async def _follow(self, version: int, length: int) -> None:
        """Take over what has changed since the version that is known, or else everything."""
        known, self._version = self._version, None  # unless all goes well
        places = None if known is None else await self._changed_places(known, length)
        self._resize(length)
        if known is None or places is None:
            self._put(await self._songs("playlistinfo", range(length)), range(length))
        else:
            moved, wanted = self._moved(places)
            self._put(moved, [entry.position for entry in moved])
            for run in _runs(wanted):
                songs = await self._songs("plchanges", range(run[0], run[-1] + 1), known)
                self._put(songs, run)
        self._version = version

    async def _changed_places(self, known: int, length: int) -> list[tuple[int, int]] | None:
        """Return positions and the ids that are there now; `None` where MPD does not tell them."""
        places: list[tuple[int, int]] = []
        for start in range(0, length, PLACES_PAGE) if self._tells_changes else ():
            window = f"{start}:{start + PLACES_PAGE}"
            try:
                places += await self._commands.call("plchangesposid", known, window)
            except Refused:
                self._tells_changes = False
        return [place for place in places if place[0] < length] if self._tells_changes else None

    def _moved(self, places: Sequence[tuple[int, int]]) -> tuple[list[QueueEntry], list[int]]:
        """Return the entries that only moved, where they are now, and the positions of the rest."""
        if len(places) <= FEW:
            return [], [position for position, _ in places]
        moved: list[QueueEntry] = []
        wanted: list[int] = []
        for position, number in places:
            entry = self._by_id.get(SongId(number))
            if entry is None or entry.position == position:
                wanted.append(position)
            else:
                moved.append(QueueEntry(entry.song_id, entry.uri, position, entry.priority))
        return moved, wanted

    async def _songs(self, command: str, run: range, *versions: int) -> list[QueueEntry]:
        """Return the entries at the positions of a run; some may be gone meanwhile."""
        found: list[QueueEntry] = []
        for start in range(run.start, run.stop, PAGE):
            window = f"{start}:{min(start + PAGE, run.stop)}"
            try:
                rows = await self._commands.rows(command, *versions, window)
            except Refused:  # the queue shrank meanwhile
                break
            found += (translate.queue_entry(row, self._to_library) for row in rows)
        return [entry for entry in found if 0 <= entry.position < len(self._entries)]

    def _resize(self, length: int) -> None:
        self._clear(range(length, len(self._entries)))
        del self._entries[length:]
        self._entries += [None] * (length - len(self._entries))
        self._shown = None

    def _put(self, entries: Sequence[QueueEntry], places: Iterable[int]) -> None:
        """Put entries at their positions; those of `places` that get none are unknown then."""
        self._clear(places)
        self._clear(entry.position for entry in entries)
        for entry in entries:
            self._entries[entry.position] = self._by_id[entry.song_id] = entry

    def _clear(self, places: Iterable[int]) -> None:
        for position in places:
            entry, self._entries[position] = self._entries[position], None
            if entry is not None and self._by_id.get(entry.song_id) is entry:
                del self._by_id[entry.song_id]


def _runs(positions: Sequence[int]) -> Iterator[list[int]]:
    """Yield the positions, which are in order, in groups of those that are near each other."""
    run: list[int] = []
    for position in positions:
        if run and position - run[-1] > GAP:
            yield run
            run = []
        run.append(position)
    if run:
        yield run
