"""Writing ratings into file tags: `FMPS_Rating`, 0 to 1, and nothing else of the file.

The file is copied, the copy is tagged, and takes the file's place only when it holds the very
same audio; whoever plays or reads the file meanwhile goes on with the old one. Mode, owner and
extended attributes stay; the time of modification is new, for backups and MPD go by it. Of a hard
link, the other names keep the old file.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mutagen

from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import MediaError, WorkerLost
from anagnorisisd.library.audio_hash import Kind, identify
from anagnorisisd.library.file_access import open_regular, os_error_reason
from anagnorisisd.library.read_limits import TAG_SECONDS, BoundedFile
from anagnorisisd.ratings import fmps_tag_writer, tag_rating_reader
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.processor_time import OutOfProcessorTime, limited

CHECK = "anagnorisisd.ratings.rating_tag_writer:problem_of_tags"
CHECK_TIMEOUT_SECONDS = 600.0
"""For a share that does not answer; processor time has its own limit."""


class RatingTagWriter:
    """`RatingTags` by mutagen."""

    def __init__(self, path: Callable[[Uri], Path], workers: WorkerPool) -> None:
        self._path = path
        self._workers = workers

    async def write(self, uri: Uri, track_id: TrackId, rating: float | None) -> bool:
        """Make the file at `uri` say `rating`; return whether that took a change.

        Raises:
            MediaError: as for `write`, or its tags are more than a thread of the daemon may read.
        """
        path = self._path(uri)
        try:
            problem = await self._workers.run(
                CHECK,
                str(path),
                timeout_seconds=CHECK_TIMEOUT_SECONDS,
                answer=str | None,
                reads=[str(path)],
            )
        except (WorkerLost, MemoryError) as error:
            raise MediaError(f"its tags cannot be read: {error}") from error
        if problem:
            raise MediaError(str(problem))
        return await asyncio.to_thread(write, path, track_id, rating)


def problem_of_tags(path: str) -> str | None:
    """Say why a file's tags are better left alone; runs in a worker process.

    To write them they are read, without any bounds.
    """
    try:
        with open_regular(path) as file, limited(TAG_SECONDS):
            mutagen.File(BoundedFile(file))
    except OutOfProcessorTime:
        return "its tags take too much processor time"
    except MemoryError:
        return "its tags take too much memory"
    except MediaError as error:
        return str(error)
    except Exception:  # What is merely damaged gets its reason when it is to be written.
        return None
    return None


def write(path: Path, track_id: TrackId, rating: float | None) -> bool:
    """Make the file of a track say `rating`, `None` for none; return whether it was changed.

    A rating in another program's dialect counts as said; only our own is ever taken away.

    Raises:
        MediaError: the file does not hold that track, cannot be written, or knows no tags.
    """
    try:
        # A link stays one: what it leads to is replaced.
        return _write(path.resolve(strict=True), track_id, rating)
    except OSError as error:
        raise MediaError(_reason(error)) from error


def _write(path: Path, track_id: TrackId, rating: float | None) -> bool:
    if rating is not None and tag_rating_reader.read(path) == rating:
        return False
    before = path.stat()
    kind, found = _identity(path)
    if found != track_id:
        raise MediaError("it holds other audio than the track that was rated")
    with _copy(path, before) as copy:
        if not _tag(copy, kind, rating):
            return False
        if _identity(copy) != (kind, track_id):
            raise MediaError("its audio would have changed; it was left as it is")
        _to_disk(copy)
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise MediaError("another program wrote to it meanwhile")
        copy.replace(path)
    _to_disk(path.parent)
    return True


def _identity(path: Path) -> tuple[Kind, TrackId]:
    with open_regular(path) as file:
        return identify(file)


@contextmanager
def _copy(path: Path, status: os.stat_result) -> Iterator[Path]:
    """Lend a copy beside a file that may take its place; else it is removed."""
    # A leading dot hides it from scans, from the watcher and from MPD.
    descriptor, name = tempfile.mkstemp(prefix=".anagnorisis-", dir=path.parent)
    copy = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target, open_regular(path) as source:
            shutil.copyfileobj(source, target, 1 << 20)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(copy, status.st_uid, status.st_gid)
        shutil.copystat(path, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _tag(copy: Path, kind: Kind, rating: float | None) -> bool:
    try:
        return fmps_tag_writer.put(copy, kind, rating)
    except (MediaError, OSError):
        raise
    except Exception as error:  # mutagen lets more than MutagenError through on damaged files
        raise MediaError(f"its tags cannot be written: {error}") from error


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return os_error_reason(error).replace("cannot be read", "cannot be written")
