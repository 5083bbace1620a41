"""Walking the music folder: which files are there, and how that differs from what is known.

All of it works on the bytes of names and runs in one call: a rescan of a hundred thousand
unchanged files is a matter of little more than asking the kernel about each. What was found is
compared folder by folder, so that nothing but the differences is ever held beside what is known.

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
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate

from anagnorisisd.domain.track import LATEST_NS, NOT_READ, FileStamp, ScannedFile, SeenFile, Uri
from anagnorisisd.library.interfaces import Differences
from anagnorisisd.library.os_error_text import reason_of

DOT = ord(".")


class ExclusionRules:
    """Which names are music: by extension, and by globs over the name or the whole uri."""

    def __init__(self, formats: Sequence[str], exclude: Sequence[str]) -> None:
        self._endings = frozenset(f".{ending}".lower().encode() for ending in formats)
        self._musical: dict[bytes, bool] = {}
        globs = "|".join(fnmatch.translate(glob) for glob in exclude)
        self._excluded = re.compile(globs) if globs else None

    def skips(self, name: bytes, prefix: bytes) -> bool:
        """Return whether a file or folder in the folder `prefix` is none of our business."""
        if name[0] == DOT:
            return True
        excluded = self._excluded
        if excluded is None:
            return False
        text = os.fsdecode(name)
        return bool(excluded.match(text) or excluded.match(os.fsdecode(prefix) + text))

    def skips_any(self, path: bytes) -> bool:
        """Return whether `path` or one of the folders above it is skipped."""
        parts = path.split(b"/")
        prefixes = accumulate(parts, lambda above, part: above + part + b"/", initial=b"")
        return any(self.skips(part, prefix) for part, prefix in zip(parts, prefixes, strict=False))

    def has_music_ending(self, name: bytes) -> bool:
        """Return whether the extension is that of a format."""
        ending = name[name.rfind(b".") :]
        known = self._musical.get(ending)
        if known is None:
            known = self._musical[ending] = ending.lower() in self._endings
        return known


class DirectoryWalker:
    """One walk over the folder or a part of it; `known` is what is known of that part."""

    def __init__(self, root: str, rules: ExclusionRules, known: AbstractSet[SeenFile]) -> None:
        self._root = os.fsencode(root)
        self._rules = rules
        self._found = 0
        self._changed: set[SeenFile] = set()
        self._left = set(known)  # of what is known, what was not found as it was
        self._unusable: dict[bytes, str] = {}
        self._unknown: list[bytes] = []
        self._linked: dict[bytes, bytes] = {}
        self._folders: list[bytes] = []  # visited, and not among `_met` yet
        self._met: set[tuple[int, int] | None] = {None}
        self._problem: str | None = None

    def whole(self) -> None:
        """Walk the whole folder, links included."""
        try:
            os.scandir(self._root).close()
        except OSError as error:
            self._without_root(error)
            return
        self._descend(b"")
        followed: dict[bytes, bytes] = {}
        while self._linked:
            links, self._linked = sorted(self._linked.items()), {}
            followed.update(link for link in links if self._follow(link[0]))
        self._linked = followed

    def part(self, uri: Uri) -> None:
        """Walk one file or folder; links to folders are left as they are."""
        path = os.fsencode(uri)
        if self._rules.skips_any(path):
            return
        if self._is_another_way_in(path):
            self._unknown.append(path)
            return
        try:
            status = os.stat(self._at(path))  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._unusable[path] = reason_of(error)
            self._unknown.append(path + b"/")
            return
        if not stat.S_ISDIR(status.st_mode):
            if self._rules.has_music_ending(path):
                self._compare({(path, status.st_size, min(status.st_mtime_ns, LATEST_NS))})
        elif os.path.islink(self._at(path)):  # noqa: PTH114
            self._leave_link(path)
        else:
            self._descend(path + b"/")
        for link in self._linked:
            self._unknown.append(link + b"/")

    def differences(self) -> Differences:
        """Return how what was found differs from what is known."""
        return Differences(
            found=self._found,
            unchanged=self._found - len(self._changed),
            changed={_uri(path): FileStamp(size, mtime) for path, size, mtime in self._changed},
            gone=[_uri(path) for path in self._gone()],
            unusable=[
                ScannedFile(_uri(path), NOT_READ, None, problem=reason)
                for path, reason in self._unusable.items()
            ],
            linked={_uri(path): os.fsdecode(real) for path, real in self._linked.items()},
            problem=self._problem,
        )

    def _gone(self) -> Iterator[bytes]:
        unknown = tuple(self._unknown)
        still_there = self._unusable.keys() | {path for path, _, _ in self._changed}
        for path, _, _ in self._left:
            if path not in still_there and not path.startswith(unknown):
                yield path

    def _compare(self, found: set[SeenFile]) -> None:
        """Compare the files of a folder with what is known."""
        self._found += len(found)
        self._changed |= found - self._left
        self._left -= found

    def _at(self, path: bytes) -> bytes:
        return b"%b/%b" % (self._root, path)

    def _without_root(self, error: OSError) -> None:
        """A folder we may not look into still has its music; one that is away has none."""
        if isinstance(error, PermissionError):
            self._unknown.append(b"")
        self._problem = f"the music folder {os.fsdecode(self._root)!r}: {reason_of(error)}"

    def _descend(self, prefix: bytes, *, linked: bool = False) -> None:
        """Take in everything below `prefix`, which is empty or ends with a slash."""
        pending = [prefix]
        while pending:
            prefix = pending.pop()
            if linked and not self._first_time(prefix):
                continue
            self._folders.append(prefix)
            try:
                with os.scandir(self._at(prefix)) as entries:
                    pending.extend(self._take_in(entries, prefix))
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unusable[prefix[:-1]] = f"folder: {reason_of(error)}"
                self._unknown.append(prefix)

    def _take_in(self, entries: Iterable[os.DirEntry[bytes]], prefix: bytes) -> list[bytes]:
        """Take in the files of a folder, and return the folders in it, each with a slash."""
        rules = self._rules
        files: set[SeenFile] = set()
        folders: list[bytes] = []
        for entry in entries:
            name = entry.name
            if rules.skips(name, prefix):
                continue
            musical = rules.has_music_ending(name)
            # What is music and no link is by far the most frequent, so it is asked for first.
            if musical and entry.is_file(follow_symlinks=False):
                self._take_in_file(entry, prefix + name, files)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(prefix + name + b"/")
            elif entry.is_symlink() and _is_folder(entry):
                self._leave_link(prefix + name)
            elif musical:
                self._take_in_file(entry, prefix + name, files)
        self._compare(files)
        return folders

    def _take_in_file(self, entry: os.DirEntry[bytes], path: bytes, files: set[SeenFile]) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._unusable[path] = reason_of(error)
        else:
            files.add((path, status.st_size, min(status.st_mtime_ns, LATEST_NS)))

    def _is_another_way_in(self, path: bytes) -> bool:
        """Return whether `path` leads through a link back into the folder."""
        folder = os.path.dirname(self._at(path))  # noqa: PTH120
        real = os.path.realpath(folder)
        return real != folder and (real + b"/").startswith(self._root + b"/")

    def _leave_link(self, path: bytes) -> None:
        self._linked[path] = os.path.realpath(self._at(path))

    def _follow(self, path: bytes) -> bool:
        """Take in a linked folder unless it was met before; return whether it was not."""
        self._met.update(_place(self._at(prefix)) for prefix in self._folders)
        self._folders.clear()
        if _place(self._at(path)) in self._met:
            return False
        self._descend(path + b"/", linked=True)
        return True

    def _first_time(self, prefix: bytes) -> bool:
        """Return whether a folder is met for the first time; links may lead back to any."""
        place = _place(self._at(prefix))
        if place in self._met:
            return False
        self._met.add(place)
        return True


def _uri(path: bytes) -> Uri:
    return Uri(os.fsdecode(path))


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _place(path: bytes) -> tuple[int, int] | None:
    """Return what tells a folder from all others, whichever way leads there."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
