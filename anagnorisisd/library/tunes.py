"""Modules and chiptunes: songs that the player can decode, and FFmpeg cannot.

The player's database tells which there are, and their metadata: its decoders number the tunes of a
file (`song.sid/tune_001.sid`) each in its own way, and not every player has them. A tune is
identified by a hash of its file's bytes. It is rated, played and picked without an embedding.
"""

import asyncio
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import Music
from anagnorisisd.domain.player import Player, PlayerSong
from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, Tags, TrackId, Uri
from anagnorisisd.errors import MediaError, WorkerLost
from anagnorisisd.library.directory_walker import ExclusionRules
from anagnorisisd.library.file_access import BATCH_TIMEOUT_SECONDS, open_regular, real_path
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.workers.pool import WorkerPool

MODULES = (
    "669", "amf", "ams", "c67", "dbm", "digi", "dmf", "dsm", "dsym", "dtm", "far", "gdm", "imf",
    "it", "j2b", "m15", "mdl", "med", "mms", "mo3", "mod", "mptm", "mt2", "mtm", "nst", "okt",
    "oxm", "plm", "psm", "pt36", "ptm", "s3m", "sfx", "sfx2", "st26", "stk", "stm", "stp", "stx",
    "ult", "umx", "uni", "wow", "xm",
)  # fmt: skip
"""Extensions of the decoders openmpt, modplug and mikmod of MPD."""

CHIPTUNES = (
    "ay", "gbs", "gym", "hes", "kss", "nsf", "nsfe", "rsn", "sap", "spc", "vgm", "vgz", "sid",
    "amd", "d00", "hsc", "laa", "mid", "midi",
)  # fmt: skip
"""Extensions of the decoders gme, sidplay and adplug, and of MIDI."""

EXTENSIONS = frozenset((*MODULES, *CHIPTUNES))

MAX_BYTES = 64 << 20
BATCH_FILES = 100
READ_FUNCTION = "anagnorisisd.library.tunes:read_many"
PERSON = b"anagnorisis tune"
"""Personalises the hash: no audio has the same id."""

NO_EMBEDDING = "modules and chiptunes are rated and picked without an embedding"


def is_tune(uri: Uri) -> bool:
    """Return whether a URI is that of a module or a chiptune, by its extension."""
    return uri.rpartition(".")[2].lower() in EXTENSIONS


class Tunes:
    """Keeps the tunes of the library equal to those that the player lists and that have a file."""

    def __init__(
        self,
        store: LibraryStore,
        player: Player,
        root: Path,
        *,
        config: Music,
        workers: WorkerPool,
        clock: Clock,
    ) -> None:
        self._store = store
        self._player = player
        self._root = real_path(root)
        self._rules = ExclusionRules((), config.exclude)
        self._workers = workers
        self._clock = clock

    async def compare(self, uris: Collection[Uri]) -> bool:
        """Store which tunes the player lists; return whether that differs from before.

        Raises:
            PlayerUnavailable: the connection was lost.
            PlayerRefused: the player does not tell metadata.
        """
        stored = await self._store.tunes()
        found = await asyncio.to_thread(self._files, uris)
        paths = {path for path, _, _ in found}
        gone = [Uri(os.fsdecode(path)) for path, _, _ in stored if path not in paths]
        changed = [uri for file, uri in found.items() if file not in stored]
        if gone:
            await self._store.mark_missing(gone, self._clock.now())
        for start in range(0, len(changed), BATCH_FILES):
            await self._read(changed[start : start + BATCH_FILES])
        return bool(gone or changed)

    def _files(self, uris: Collection[Uri]) -> dict[SeenFile, Uri]:
        """Return the tunes that have a file and are not excluded."""
        found: dict[SeenFile, Uri] = {}
        for uri in uris:
            path = os.fsencode(uri)
            if not self._rules.excludes_path(path) and (stamp := _stamp(self._root, uri)):
                found[path, *stamp] = uri
        return found

    async def _read(self, uris: Sequence[Uri]) -> None:
        try:
            files: Sequence[ScannedFile] = await self._workers.run(
                READ_FUNCTION,
                self._root,
                list(uris),
                timeout_seconds=BATCH_TIMEOUT_SECONDS,
                result_type=list[ScannedFile],
                reads=[f"{self._root}/{file_of(uri)}" for uri in uris],
            )
        except WorkerLost:  # The disk may have failed: they are read again.
            return
        songs = {song.uri: song async for page in self._player.metadata(uris) for song in page}
        known = [
            replace(file, tags=_titled(song), duration_seconds=song.duration_seconds)
            for file in files
            if (song := songs.get(file.uri)) is not None
        ]
        sources = [file_of(file.uri) for file in known]
        await self._store.store_tunes(list(zip(known, sources, strict=True)), self._clock.now())


def file_of(uri: Uri) -> Uri:
    """Return the URI of the file that has a tune: itself, or what it is one of several in."""
    parent, _, name = uri.rpartition("/")
    return Uri(parent) if is_tune(Uri(parent)) and name.startswith("tune_") else uri


def _titled(song: PlayerSong) -> Tags:
    """Return the tags of a tune; one of several without a title is named by file and number."""
    source = file_of(song.uri)
    number = re.match(r"/tune_0*(\d+)", song.uri.removeprefix(source))
    if song.tags.title or number is None:
        return song.tags
    name = source.rpartition("/")[2].rpartition(".")[0]
    return replace(song.tags, title=f"{name} ({number[1]})")


def read_many(root: str, uris: Sequence[Uri]) -> list[ScannedFile]:
    """Return the tunes with the hashes of their files, without those that cannot be read.

    Runs in a worker process.
    """
    found: list[ScannedFile] = []
    for uri in uris:
        source = file_of(uri)
        try:
            with open_regular(f"{root}/{source}") as file:
                status = os.fstat(file.fileno())
                stamp = FileStamp(status.st_size, status.st_mtime_ns)
                data = file.read(MAX_BYTES + 1)
        except (OSError, MediaError):
            continue
        if 0 < len(data) <= MAX_BYTES:
            tune = uri.removeprefix(source)
            found.append(ScannedFile(uri, stamp, tune_id(data, tune), Tags()))
    return found


def tune_id(data: bytes, tune: str = "") -> TrackId:
    """Return the id of a file with the bytes `data`, or of one of several tunes in it."""
    whole = blake2b(data, digest_size=16, person=PERSON)
    if not tune:
        return TrackId(whole.hexdigest())
    text = whole.digest() + os.fsencode(tune)
    return TrackId(blake2b(text, digest_size=16, person=PERSON).hexdigest())


def _stamp(root: str, uri: Uri) -> FileStamp | None:
    try:
        status = os.stat(f"{root}/{file_of(uri)}")  # noqa: PTH116
    except OSError:
        return None
    return FileStamp(status.st_size, status.st_mtime_ns)
