"""Walking the music folder: which files are there, and how that differs from what is known.

All of it works on plain strings and runs in one call: a rescan of a hundred thousand unchanged
files is a matter of little more than asking the kernel about each.

| what is met                          | what follows                                       |
|--------------------------------------|----------------------------------------------------|
| a name that begins with a dot, or is excluded | skipped, with everything below            |
| a folder that cannot be listed       | recorded with the reason; files below stay as known |
| a link to a folder                   | followed after all real folders, unless seen before |
| a link that leads nowhere            | recorded with the reason                           |
| a file of another extension          | skipped                                            |
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from anagnorisisd.adapters.reasons import reason_of
from anagnorisisd.domain.track import NOT_READ, FileStamp, ScannedFile, Uri
from anagnorisisd.ports.library import Differences


class Rules:
    """Which names are music: by extension, and by globs over the name or the whole uri."""

    def __init__(self, formats: Sequence[str], exclude: Sequence[str]) -> None:
        self._endings = frozenset(ending.lower() for ending in formats)
        globs = "|".join(fnmatch.translate(glob) for glob in exclude)
        self._excluded = re.compile(globs) if globs else None

    def skips(self, name: str, prefix: str) -> bool:
        """Return whether a file or folder in the folder `prefix` is none of our business."""
        if name[0] == ".":
            return True
        excluded = self._excluded
        return excluded is not None and bool(excluded.match(name) or excluded.match(prefix + name))

    def skips_any(self, uri: str) -> bool:
        """Return whether `uri` or one of the folders above it is skipped."""
        parts = uri.split("/")
        prefixes = accumulate(parts, "{}{}/".format, initial="")
        return any(self.skips(part, prefix) for part, prefix in zip(parts, prefixes, strict=False))

    def has_music_ending(self, name: str) -> bool:
        """Return whether the extension is that of a format."""
        _, dot, ending = name.rpartition(".")
        return bool(dot) and ending.lower() in self._endings


class Walk:
    """One walk over the folder or a part of it."""

    def __init__(self, root: str, rules: Rules) -> None:
        self._root = root
        self._rules = rules
        self._files: dict[Uri, FileStamp] = {}
        self._unusable: dict[Uri, str] = {}
        self._unknown: list[str] = []
        self._linked: dict[Uri, str] = {}
        self._folders: list[str] = []  # visited, and not among `_met` yet
        self._met: set[tuple[int, int] | None] = {None}
        self._problem: str | None = None

    def whole(self) -> None:
        """Walk the whole folder, links included."""
        try:
            os.scandir(self._root).close()
        except OSError as error:
            self._without_root(error)
            return
        self._descend("")
        followed: dict[Uri, str] = {}
        while self._linked:
            links, self._linked = sorted(self._linked.items()), {}
            followed.update(link for link in links if self._follow(link[0]))
        self._linked = followed

    def part(self, uri: Uri) -> None:
        """Walk one file or folder; links to folders are left as they are."""
        if self._rules.skips_any(uri):
            return
        if self._is_another_way_in(uri):
            self._unknown.append(uri)
            return
        try:
            status = os.stat(f"{self._root}/{uri}")  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._unusable[uri] = reason_of(error)
            self._unknown.append(uri + "/")
            return
        if not stat.S_ISDIR(status.st_mode):
            if self._rules.has_music_ending(uri):
                self._files[uri] = FileStamp(status.st_size, status.st_mtime_ns)
        elif os.path.islink(f"{self._root}/{uri}"):  # noqa: PTH114
            self._leave_link(uri)
        else:
            self._descend(uri + "/")
        for link in self._linked:
            self._unknown.append(link + "/")

    def differences(self, known: Mapping[Uri, FileStamp]) -> Differences:
        """Compare what was found with what is known of the same part."""
        changed = {uri: stamp for uri, stamp in self._files.items() if known.get(uri) != stamp}
        return Differences(
            found=len(self._files),
            unchanged=len(self._files) - len(changed),
            changed=changed,
            gone=list(self._gone(known)),
            unusable=[
                ScannedFile(uri, NOT_READ, None, problem=reason)
                for uri, reason in self._unusable.items()
            ],
            linked=self._linked,
            problem=self._problem,
        )

    def _gone(self, known: Mapping[Uri, FileStamp]) -> Iterator[Uri]:
        unknown = tuple(self._unknown)
        for uri in known.keys() - self._files.keys() - self._unusable.keys():
            if not uri.startswith(unknown):
                yield uri

    def _without_root(self, error: OSError) -> None:
        """A folder we may not look into still has its music; one that is away has none."""
        if isinstance(error, PermissionError):
            self._unknown.append("")
        self._problem = f"the music folder {self._root!r}: {reason_of(error)}"

    def _descend(self, prefix: str, *, linked: bool = False) -> None:
        """Take in everything below `prefix`, which is empty or ends with a slash."""
        pending = [prefix]
        while pending:
            prefix = pending.pop()
            if linked and not self._first_time(prefix):
                continue
            self._folders.append(prefix)
            try:
                with os.scandir(f"{self._root}/{prefix}") as entries:
                    pending.extend(self._take_in(entries, prefix))
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unusable[Uri(prefix[:-1])] = f"folder: {reason_of(error)}"
                self._unknown.append(prefix)

    def _take_in(self, entries: Iterable[os.DirEntry[str]], prefix: str) -> Iterator[str]:
        """Take in the files of a folder, and yield the folders in it, each with a slash."""
        rules = self._rules
        for entry in entries:
            name = entry.name
            if rules.skips(name, prefix):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield f"{prefix}{name}/"
            elif entry.is_symlink() and _is_folder(entry):
                self._leave_link(Uri(prefix + name))
            elif rules.has_music_ending(name):
                self._take_in_file(entry, Uri(prefix + name))

    def _take_in_file(self, entry: os.DirEntry[str], uri: Uri) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._unusable[uri] = reason_of(error)
        else:
            self._files[uri] = FileStamp(status.st_size, status.st_mtime_ns)

    def _is_another_way_in(self, uri: Uri) -> bool:
        """Return whether `uri` leads through a link back into the folder."""
        folder = os.path.dirname(f"{self._root}/{uri}")  # noqa: PTH120
        real = os.path.realpath(folder)
        return real != folder and f"{real}/".startswith(f"{self._root}/")

    def _leave_link(self, uri: Uri) -> None:
        self._linked[uri] = os.path.realpath(f"{self._root}/{uri}")

    def _follow(self, uri: Uri) -> bool:
        """Take in a linked folder unless it was met before; return whether it was not."""
        self._met.update(_place(f"{self._root}/{prefix}") for prefix in self._folders)
        self._folders.clear()
        if _place(f"{self._root}/{uri}") in self._met:
            return False
        self._descend(uri + "/", linked=True)
        return True

    def _first_time(self, prefix: str) -> bool:
        """Return whether a folder is met for the first time; links may lead back to any."""
        place = _place(f"{self._root}/{prefix}")
        if place in self._met:
            return False
        self._met.add(place)
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _place(path: str) -> tuple[int, int] | None:
    """Return what tells a folder from all others, whichever way leads there."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
