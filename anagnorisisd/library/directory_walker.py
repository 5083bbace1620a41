"""Walking the music directory: which files there are, and how they differ from the stored ones.

Names are handled as bytes, and a walk runs in one call: for a hundred thousand unchanged files, a
rescan costs little more than their `stat` calls. Files are compared directory by directory, so that
only the differences are held in memory beside the stored files.

| found                                         | what happens                                     |
|-----------------------------------------------|--------------------------------------------------|
| a name that is excluded                       | skipped, with everything below                   |
| a name that MPD ignores (see `mpdignore`)     | the same; counted for its `.mpdignore` file      |
| a directory that cannot be listed             | recorded with the reason; files below are kept   |
| a link to a directory                         | followed after all others, unless visited before |
| a link to nothing                             | recorded with the reason                         |
| a file of another extension                   | skipped                                          |
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import accumulate

from anagnorisisd.domain.track import (
    LATEST_NS,
    NOT_READ,
    FileStamp,
    ScannedFile,
    SeenFile,
    Uri,
    unicode_forms,
)
from anagnorisisd.errors import MediaError
from anagnorisisd.library import mpdignore
from anagnorisisd.library.file_access import os_error_reason
from anagnorisisd.library.mpdignore import IgnoredCounts, IgnoreRules

WHOLE_DIRECTORY = Uri("")
"""The URI of the music directory itself."""

CUE_EXTENSION = "cue"

IGNORED = IgnoreRules()
"""Stands for the rules of a directory that MPD ignores."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How the music directory, or a part of it, differs from what is stored.

    `changed` files need to be read; `returned` files were missing and are as they were before.
    `unusable` are directories that cannot be listed, links to nothing, and `.mpdignore` files that
    hide music; stored files below an unreadable directory are neither changed nor gone. `linked`
    are symbolic links to directories, with their real paths: those that were followed if the whole
    directory was walked, else those that were found and not followed. So a directory with two paths
    always has the same URI, and a loop ends.
    """

    found: int = 0
    unchanged: int = 0
    changed: Mapping[Uri, FileStamp] = field(default_factory=dict)
    returned: Sequence[Uri] = ()
    gone: Sequence[Uri] = ()
    unusable: Sequence[ScannedFile] = ()
    suspected: AbstractSet[Uri] = frozenset()
    """Those of `changed` on which a reader process crashed or hung before."""
    linked: Mapping[Uri, str] = field(default_factory=dict)
    problem: str | None = None
    """Why the music directory itself cannot be read, if it cannot."""


class ExclusionRules:
    """Which files are music: by extension, and by globs on the name or the whole URI."""

    def __init__(self, formats: Sequence[str], exclude: Sequence[str]) -> None:
        self._extensions = frozenset(
            f".{extension}".lower().encode() for extension in (*formats, CUE_EXTENSION)
        )
        self._extension_cache: dict[bytes, bool] = {}
        forms = sorted(form for glob in exclude for form in unicode_forms(glob))
        globs = "|".join(map(fnmatch.translate, forms))
        self._excluded = re.compile(globs) if globs else None

    def excludes(self, name: bytes, prefix: bytes) -> bool:
        """Return whether a file or directory in the directory `prefix` is skipped."""
        excluded = self._excluded
        if excluded is None:
            return False
        text = os.fsdecode(name)
        return bool(excluded.match(text) or excluded.match(os.fsdecode(prefix) + text))

    def excludes_path(self, path: bytes) -> bool:
        """Return whether `path` or one of its parent directories is skipped."""
        return any(self.excludes(part, prefix) for part, prefix in _parts(path))

    def has_music_extension(self, name: bytes) -> bool:
        """Return whether the extension is that of an enabled format or a cue sheet, in any case."""
        extension = name[name.rfind(b".") :]
        cached = self._extension_cache.get(extension)
        if cached is None:
            cached = self._extension_cache[extension] = extension.lower() in self._extensions
        return cached


class CopyPreference:
    """Which of several copies of a track is picked: by the first glob of a list that matches."""

    def __init__(self, prefer: Sequence[str]) -> None:
        self._globs = [re.compile(fnmatch.translate(glob)) for glob in prefer]

    def rank(self, uri: Uri) -> int:
        """Return the number of the first glob that matches the URI or its file name."""
        name = uri.rpartition("/")[2]
        ranks = (at for at, glob in enumerate(self._globs) if glob.match(uri) or glob.match(name))
        return next(ranks, len(self._globs))


class DirectoryWalker:
    """One walk over the music directory or a part of it; `stored` are the stored files there."""

    def __init__(self, root: str, rules: ExclusionRules, stored: AbstractSet[SeenFile]) -> None:
        self._root = os.fsencode(root)
        self._rules = rules
        self._found = 0
        self._changed: set[SeenFile] = set()
        self._unmatched = set(stored)  # stored files that were not found unchanged
        self._unusable: dict[bytes, str] = {}
        self._ignored = IgnoredCounts()
        self._ignore_problems: dict[bytes, str] = {}
        self._unreadable_prefixes: list[bytes] = []  # nothing is known of the files below
        self._part = b""
        self._links: dict[bytes, bytes] = {}
        self._walked: list[bytes] = []  # not yet among `_visited`, to save `stat` calls
        self._visited: set[tuple[int, int] | None] = {None}
        self._problem: str | None = None

    def walk_all(self) -> None:
        """Walk the whole directory, and the directories that it links to."""
        try:
            os.scandir(self._root).close()
        except OSError as error:
            self._record_root_error(error)
            return
        self._walk_below(b"", None)
        followed: dict[bytes, bytes] = {}
        while self._links:
            links, self._links = sorted(self._links.items()), {}
            followed.update(link for link in links if self._follow_link(link[0]))
        self._links = followed

    def walk_part(self, uri: Uri) -> None:
        """Walk one file or directory, without following links to directories."""
        path = os.fsencode(uri)
        self._part = path + b"/"
        if self._rules.excludes_path(path):
            return
        ignore = self._ignore_rules_of(path)
        if ignore is IGNORED:
            return
        if self._is_alias(path):
            self._unreadable_prefixes.append(path)
            return
        try:
            status = os.stat(self._absolute(path))  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._unusable[path] = os_error_reason(error)
            self._unreadable_prefixes.append(path + b"/")
            return
        if not stat.S_ISDIR(status.st_mode):
            if self._rules.has_music_extension(path):
                self._compare({(path, status.st_size, min(status.st_mtime_ns, LATEST_NS))})
        elif os.path.islink(self._absolute(path)):  # noqa: PTH114
            self._record_link(path)
        else:
            self._walk_below(path + b"/", ignore)
        for link in self._links:
            self._unreadable_prefixes.append(link + b"/")

    def differences(self) -> Differences:
        """Return how the files that were found differ from the stored ones."""
        return Differences(
            found=self._found,
            unchanged=self._found - len(self._changed),
            changed={_uri(path): FileStamp(size, mtime) for path, size, mtime in self._changed},
            gone=[_uri(path) for path in self._gone()],
            unusable=[
                ScannedFile(_uri(path), NOT_READ, None, problem=reason)
                for path, reason in self._problems().items()
            ],
            linked={_uri(path): os.fsdecode(real) for path, real in self._links.items()},
            problem=self._problem,
        )

    def _problems(self) -> dict[bytes, str]:
        # Of a `.mpdignore` file above a part, only some of what it hides was found.
        ignored = {
            path: reason
            for path, reason in (self._ignored.problems() | self._ignore_problems).items()
            if path.startswith(self._part)
        }
        return self._unusable | ignored

    def _gone(self) -> Iterator[bytes]:
        unreadable = tuple(self._unreadable_prefixes)
        existing = self._problems().keys() | {path for path, _, _ in self._changed}
        for path, _, _ in self._unmatched:
            if path not in existing and not path.startswith(unreadable):
                yield path

    def _compare(self, found: set[SeenFile]) -> None:
        """Compare the files of a directory with the stored ones."""
        self._found += len(found)
        self._changed |= found - self._unmatched
        self._unmatched -= found

    def _absolute(self, path: bytes) -> bytes:
        return b"%b/%b" % (self._root, path)

    def _record_root_error(self, error: OSError) -> None:
        # Without permission to list it, its files may all be there; otherwise they are gone.
        if isinstance(error, PermissionError):
            self._unreadable_prefixes.append(b"")
        self._problem = f"music directory {os.fsdecode(self._root)!r}: {os_error_reason(error)}"

    def _ignore_rules_of(self, path: bytes) -> IgnoreRules | None:
        """Return the rules of MPD for what is in the parent directory of `path`.

        Returns `IGNORED` if MPD ignores the path or one of its parent directories.
        """
        ignore: IgnoreRules | None = None
        for part, prefix in _parts(path):
            ignore = self._read_ignore_rules(prefix, ignore)
            if ignore is not None and ignore.file_that_ignores(part):
                return IGNORED
        return ignore

    def _read_ignore_rules(self, prefix: bytes, above: IgnoreRules | None) -> IgnoreRules | None:
        try:
            return mpdignore.read(self._root, prefix, above)
        except OSError as error:
            reason = os_error_reason(error)
        except MediaError as error:
            reason = str(error)
        self._ignore_problems[prefix + mpdignore.FILE_NAME] = reason
        return above

    def _walk_below(
        self, prefix: bytes, ignore: IgnoreRules | None, *, linked: bool = False
    ) -> None:
        """Compare all files below `prefix`, which is empty or ends with a slash.

        `ignore` are the rules of the directories above it.
        """
        pending = [(prefix, ignore)]
        while pending:
            prefix, above = pending.pop()
            if linked and not self._visit(prefix):
                continue
            self._walked.append(prefix)
            try:
                with os.scandir(self._absolute(prefix)) as entries:
                    ignore = self._read_ignore_rules(prefix, above)
                    subdirectories = self._compare_entries(entries, prefix, ignore)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unusable[prefix[:-1]] = f"directory: {os_error_reason(error)}"
                self._unreadable_prefixes.append(prefix)
            else:
                pending.extend((subdirectory, ignore) for subdirectory in subdirectories)

    def _compare_entries(
        self, entries: Iterable[os.DirEntry[bytes]], prefix: bytes, ignore: IgnoreRules | None
    ) -> list[bytes]:
        """Compare the files of one directory; return its subdirectories, each with a slash."""
        rules = self._rules
        files: set[SeenFile] = set()
        subdirectories: list[bytes] = []
        for entry in entries:
            name = entry.name
            if rules.excludes(name, prefix):
                continue
            is_music = rules.has_music_extension(name)
            if ignore is not None and (source := ignore.file_that_ignores(name)):
                self._ignored.add(source, entry, is_music=is_music)
            # Regular music files are by far the most frequent entries, so they are tested first.
            elif is_music and entry.is_file(follow_symlinks=False):
                self._add_file(entry, prefix + name, files)
            elif entry.is_dir(follow_symlinks=False):
                subdirectories.append(prefix + name + b"/")
            elif entry.is_symlink() and _is_directory(entry):
                self._record_link(prefix + name)
            elif is_music:
                self._add_file(entry, prefix + name, files)
        self._compare(files)
        return subdirectories

    def _add_file(self, entry: os.DirEntry[bytes], path: bytes, files: set[SeenFile]) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._unusable[path] = os_error_reason(error)
        else:
            files.add((path, status.st_size, min(status.st_mtime_ns, LATEST_NS)))

    def _is_alias(self, path: bytes) -> bool:
        """Return whether `path` leads through a link to another place in the music directory."""
        parent = os.path.dirname(self._absolute(path))  # noqa: PTH120
        real = os.path.realpath(parent)
        return real != parent and (real + b"/").startswith(self._root + b"/")

    def _record_link(self, path: bytes) -> None:
        self._links[path] = os.path.realpath(self._absolute(path))

    def _follow_link(self, path: bytes) -> bool:
        """Walk a linked directory unless it was visited before; return whether it was walked."""
        self._visited.update(_inode(self._absolute(prefix)) for prefix in self._walked)
        self._walked.clear()
        if _inode(self._absolute(path)) in self._visited:
            return False
        self._walk_below(path + b"/", self._ignore_rules_of(path), linked=True)
        return True

    def _visit(self, prefix: bytes) -> bool:
        """Mark a directory as visited; return whether it was not: a link can lead to any."""
        inode = _inode(self._absolute(prefix))
        if inode in self._visited:
            return False
        self._visited.add(inode)
        return True


def _parts(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each component of a path with the prefix before it."""
    parts = path.split(b"/")
    prefixes = accumulate(parts, lambda above, part: above + part + b"/", initial=b"")
    yield from zip(parts, prefixes, strict=False)


def _uri(path: bytes) -> Uri:
    return Uri(os.fsdecode(path))


def _is_directory(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _inode(path: bytes) -> tuple[int, int] | None:
    """Return device and inode, which are the same for all paths of a directory."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
