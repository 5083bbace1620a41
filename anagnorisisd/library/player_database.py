"""Compares the library with the player's database: what the player does not list is not picked.

The player's songs are read after each connection and each change of its database. When the library
changes, only its own files are read again and compared with the songs that are remembered, as a
hash of each URI: 8 bytes a song.
"""

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.tunes import Tunes, is_tune
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.listed_files import UnlistedFiles

log = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS = 1.0
"""A scan reports many changes: they are compared together."""

MAX_REST_SECONDS = 60.0
REST_FACTOR = 20
"""After a comparison, rest so many times as long as it took."""

MAX_UPDATED_DIRECTORIES = 20
"""Of more directories with unlisted files, the player updates its whole database."""

EMPTY = "MPD's database is empty; run `mpc update`"
UPDATING = "MPD is updating its database"
ELSEWHERE = (
    "MPD lists none of them, so its music directory is probably another one; set "
    "music.directory to MPD's music_directory, or mpd.music_directory to the library as MPD sees it"
)
ROOT_SHEET = (
    "MPD cannot play the tracks of a cue sheet in its music directory itself; move {!r} and its "
    "audio into a folder"
)
NO_DECODER = "MPD has no decoder for {} files; install or enable one"
LINK = (
    "MPD does not follow the symbolic link {!r}; set follow_outside_symlinks and "
    "follow_inside_symlinks in mpd.conf"
)
NOT_READ = (
    "MPD has not read them yet, or cannot; run `mpc update`; see MPD's log, and whether its user "
    "may read them"
)


ROOT_TRACK = re.compile(r"[^/]+\.cue/track\d{4}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UnlistedTracks:
    """How many of the `present` tracks the player does not list, and why, with a remedy."""

    tracks: int = 0
    present: int = 0
    reason: str = ""


class PlayerDatabase:
    """Marks the files that the player does not list, so that they are not picked.

    Without a connection, what was known last remains. A player that does not tell its songs is
    taken to list all files. `tunes` are told which modules and chiptunes there are.
    """

    def __init__(
        self,
        library: LibraryStore,
        player: Player,
        path: Callable[[Uri], Path],
        events: Events,
        clock: Clock,
        *,
        tunes: Tunes | None = None,
    ) -> None:
        self._library = library
        self._tunes = tunes
        self._listed_tunes: list[Uri] | None = None
        self._player = player
        self._path = path
        self._events = events
        self._clock = clock
        self._changed = asyncio.Event()
        self._songs: NDArray[np.int64] | None = None
        self._formats: Collection[str] = ()
        self.unlisted = UnlistedTracks()
        """The result of the latest comparison."""

    def notice(self, changed: frozenset[str]) -> None:
        """Read the player's songs again if `changed`, as `Player.changes` yields it, says so."""
        if changed & {"connected", "database"}:
            self._songs = None
        if changed & {"connected", "database", "update"}:  # the reason may be another one
            self._changed.set()

    async def run(self) -> None:
        """Compare whenever the player's database or the library has changed, until cancelled."""
        watch = asyncio.create_task(self._watch_library())
        try:
            while True:
                await self._changed.wait()
                await self._clock.sleep(MIN_INTERVAL_SECONDS)
                self._changed.clear()
                started = self._clock.monotonic()
                with suppress(PlayerUnavailable):
                    await self.compare()
                took = self._clock.monotonic() - started
                await self._clock.sleep(min(MAX_REST_SECONDS, took * REST_FACTOR))
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch_library(self) -> None:
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                if announcement.missed or isinstance(announcement.event, LibraryChanged):
                    self._changed.set()

    async def compare(self) -> None:
        """Compare all files with the player's songs, and store which of them it lists.

        Raises:
            PlayerUnavailable: the player is not connected, or the connection was lost.
        """
        if self._songs is None:
            try:
                self._songs = await self._read_songs()
            except PlayerRefused as error:
                log.warning(
                    "MPD does not list its songs, so that all files can be picked: %s", error
                )
        has_changed = await self._compare_tunes()
        songs = self._songs
        changes = await self._library.mark_listed(
            (lambda uri: True) if songs is None else (lambda uri: _contains(songs, hash(uri)))
        )
        if changes.unlisted:
            await self._ask_for_update([uri for _, uri in changes.unlisted])
        self.unlisted = await self._explain(await self._library.unlisted())
        if has_changed or changes.listed or changes.unlisted:
            self._events.publish(LibraryChanged())

    async def _compare_tunes(self) -> bool:
        """Store the modules and chiptunes that the player lists, once they have been read."""
        if self._tunes is None or self._listed_tunes is None:
            return False
        has_changed = await self._tunes.compare(self._listed_tunes)
        self._listed_tunes = None
        return has_changed

    async def _read_songs(self) -> NDArray[np.int64]:
        """Return the hashes of the URIs of all songs, sorted."""
        parts = [np.empty(0, np.int64)]
        listed_tunes: list[Uri] = []
        async for uris in self._player.songs():
            listed_tunes += filter(is_tune, uris)
            parts.append(np.fromiter(map(hash, uris), np.int64, len(uris)))
        self._formats = await self._player.formats()
        self._listed_tunes = listed_tunes
        return np.sort(np.concatenate(parts))

    async def _ask_for_update(self, uris: Sequence[Uri]) -> None:
        """Ask the player to read what it did not list before; each file leads to one request."""
        directories = {Uri(uri.rpartition("/")[0]) for uri in uris}
        if len(directories) > MAX_UPDATED_DIRECTORIES:
            directories = {Uri("")}
        for directory in directories:
            with suppress(PlayerRefused):
                await self._player.update(directory)

    async def _explain(self, found: UnlistedFiles) -> UnlistedTracks:
        reason = await self._reason(found) if found.tracks else ""
        return UnlistedTracks(found.tracks, found.present, reason)

    async def _reason(self, found: UnlistedFiles) -> str:
        if (await self._player.state()).updating:
            return UPDATING
        if self._songs is not None and not self._songs.size:
            return EMPTY
        sheets = Counter(uri.partition("/")[0] for uri in found.sample if ROOT_TRACK.fullmatch(uri))
        if sheets.total() * 2 > len(found.sample):
            return ROOT_SHEET.format(sheets.most_common(1)[0][0])
        formats = self._formats
        undecodable = Counter(
            extension
            for uri in found.sample
            if formats and (extension := _extension(uri)) not in formats
        )
        if undecodable.total() * 2 > len(found.sample):
            return NO_DECODER.format(" and ".join(sorted(undecodable)))
        links = await asyncio.to_thread(self._links, found.sample)
        if links.total() * 2 > len(found.sample):
            return LINK.format(links.most_common(1)[0][0])
        return ELSEWHERE if found.tracks == found.present else NOT_READ

    def _links(self, uris: Sequence[Uri]) -> Counter[str]:
        """Return the symbolic links through which the paths of files lead."""
        found: Counter[str] = Counter()
        for uri in uris:
            parts = uri.split("/")
            names = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
            link = next((name for name in names if os.path.islink(self._path(Uri(name)))), None)  # noqa: PTH114
            found.update([link] if link else [])
        return found


def _extension(uri: Uri) -> str:
    return uri.rpartition(".")[2].lower()


def _contains(hashes: NDArray[np.int64], value: int) -> bool:
    at = int(np.searchsorted(hashes, value))
    return at < len(hashes) and int(hashes[at]) == value
