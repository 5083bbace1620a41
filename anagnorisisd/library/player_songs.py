"""The songs of a player whose music is not on this computer, as the library.

All that is known of them is what the player's database tells, so they are identified by URI and
duration (`storage.uri_identities`). They are read again after each change of the database.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from anagnorisisd.config.schema import Music
from anagnorisisd.domain.player import Player, PlayerSong
from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, TrackId, Uri
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable, PlayerUpdating
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY, Differences, ExclusionRules
from anagnorisisd.storage.uri_identities import (
    UriIdentityStore,
    recording,
    same_track,
    uri_track_id,
)

NO_FILES = "music.source is mpd: the track's file is not on this computer"

NOWHERE = Path(os.devnull)
"""Below it there are no files."""


class PlayerSongs:
    """The songs in the player's database, and hints when they change.

    What `music.exclude` names is left out.
    """

    name = "MPD's database"

    def __init__(self, player: Player, identities: UriIdentityStore, config: Music) -> None:
        self._player = player
        self._identities = identities
        self._rules = ExclusionRules((), config.exclude)
        self._tried_to_connect = asyncio.Event()
        self._hinted = asyncio.Event()
        self._changed = asyncio.Event()

    def notice(self, changed: frozenset[str]) -> None:
        """Take note of changes of the player, by the names of its subsystems, without waiting."""
        self._tried_to_connect.set()
        if changed & {"connected", "database"}:
            self._hinted.set()
        if changed & {"connected", "lost", "update"}:
            self._changed.set()

    async def watch(self, linked: Mapping[Uri, str]) -> None:
        """Do nothing: the player tells its changes anyway."""

    async def hints(self) -> frozenset[Uri]:
        """Wait until the database may have changed."""
        await self._hinted.wait()
        self._hinted.clear()
        return frozenset({WHOLE_DIRECTORY})

    async def close(self) -> None:
        """Do nothing."""

    def path(self, uri: Uri) -> Path:
        """Return a path at which there is no file."""
        return NOWHERE / uri

    async def inode(self) -> tuple[int, int] | None:
        """Return the number of the connection, `None` without one."""
        link = self._player.link()
        return (link.session, 0) if link.connected else None

    async def compare(
        self, stored: AbstractSet[SeenFile], below: Uri = WHOLE_DIRECTORY
    ) -> Differences:
        """Compare the stored songs with those in the player's database.

        Waits while the player updates its database: of a song that is being moved it may have
        neither or both. Without a connection, nothing has changed; the result has the problem.
        """
        await self._tried_to_connect.wait()
        while True:
            self._changed.clear()
            found: dict[Uri, FileStamp] = {}
            try:
                async for page in self._player.stamps():
                    found.update(page)
                return await asyncio.to_thread(self._differences, stored, found, below)
            except PlayerUpdating:
                await self._changed.wait()
            except (PlayerUnavailable, PlayerRefused) as error:
                return Differences(problem=f"{self.name} cannot be read: {error}")

    def _differences(
        self, stored: AbstractSet[SeenFile], found: Mapping[Uri, FileStamp], below: Uri
    ) -> Differences:
        seen = {
            (os.fsencode(uri), *stamp): uri
            for uri, stamp in found.items()
            if _is_below(uri, below) and not self._rules.excludes_path(os.fsencode(uri))
        }
        changed = seen.keys() - stored
        paths = {path for path, _, _ in seen}
        gone = [path for path, _, _ in stored if path not in paths]
        return Differences(
            found=len(seen),
            unchanged=len(seen) - len(changed),
            changed={seen[file]: FileStamp(*file[1:]) for file in changed},
            gone=[Uri(os.fsdecode(path)) for path in gone],
        )

    async def read(
        self, uris: Sequence[Uri], suspected: AbstractSet[Uri] = frozenset()
    ) -> AsyncIterator[Sequence[ScannedFile]]:
        """Read the metadata of songs, and find their tracks.

        Those that may have been moved come last, when all new songs are known. If the connection
        is lost or the database changes, the others are left out: they are read again afterwards.
        """
        if not uris:
            return
        missing = await self._identities.missing()
        moved: dict[Uri, tuple[PlayerSong, int]] = {}
        try:
            async for songs in self._player.metadata(uris):
                known = await self._identities.last_tracks([song.uri for song in songs])
                batch: list[ScannedFile] = []
                for song in songs:
                    last = known.get(song.uri)
                    number = 0 if last is None else last.number
                    if last is not None and same_track(last, song.duration_seconds):
                        batch.append(_scanned(song, last.track_id))
                    elif recording(song.tags, song.duration_seconds) in missing:
                        moved[song.uri] = (song, number)
                    else:
                        batch.append(_new(song, number))
                yield batch
        except (PlayerUnavailable, PlayerRefused):
            return
        keys = {
            uri: recording(song.tags, song.duration_seconds) for uri, (song, _) in moved.items()
        }
        counts = Counter(keys.values())
        yield [
            _scanned(song, tracks[0])
            if counts[keys[uri]] == len(tracks := missing[keys[uri]]) == 1
            else _new(song, number)
            for uri, (song, number) in moved.items()
        ]


def _is_below(uri: Uri, below: Uri) -> bool:
    return below in {WHOLE_DIRECTORY, uri} or uri.startswith(f"{below}/")


def _new(song: PlayerSong, number: int) -> ScannedFile:
    return _scanned(song, uri_track_id(song.uri, song.duration_seconds, number))


def _scanned(song: PlayerSong, track_id: TrackId) -> ScannedFile:
    return ScannedFile(
        song.uri,
        song.stamp,
        track_id,
        song.tags,
        song.duration_seconds,
        identified_by_uri=True,
    )
