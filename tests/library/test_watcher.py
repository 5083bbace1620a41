"""Hints from a real kernel."""

# ruff: noqa: ASYNC240 - what a test does to its own folder takes no time

import asyncio
import contextlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyFD

from anagnorisisd.config.schema import Music, Watch
from anagnorisisd.library.directory_walker import WHOLE_DIRECTORY
from anagnorisisd.library.watcher import InotifyWatcher, NoWatcher, PollingWatcher, make_watcher

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "old.mp3").write_bytes(b"x")
    return folder


@pytest.fixture
async def watcher(root: Path) -> AsyncIterator[InotifyWatcher]:
    opened = InotifyWatcher(root)
    await opened.watch({})
    yield opened
    await opened.close()


async def hints(watcher: InotifyWatcher) -> frozenset[str]:
    return await asyncio.wait_for(watcher.hints(), 60)


CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a new file": (lambda root: (root / "a/b/new.mp3").write_bytes(b"x"), {"a/b/new.mp3"}),
    "a moved file": (
        lambda root: (root / "a/old.mp3").rename(root / "moved.mp3"), {"a/old.mp3", "moved.mp3"},
    ),
    "a removed file": (lambda root: (root / "a/old.mp3").unlink(), {"a/old.mp3"}),
    "a new folder": (lambda root: (root / "c/d").mkdir(parents=True), {"c"}),
    "a removed folder": (lambda root: shutil.rmtree(root / "a/b"), {"a/b"}),
    "a moved folder": (lambda root: (root / "a").rename(root / "z"), {"a", "z"}),
    "a folder moved out": (lambda root: (root / "a").rename(root.with_name("out")), {"a"}),
    "an odd name": (lambda root: (root / os.fsdecode(b"\xff\n")).touch(), {os.fsdecode(b"\xff\n")}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_change_gives_a_hint(change: str, watcher: InotifyWatcher, root: Path) -> None:
    make, expected = CHANGES[change]

    make(root)

    assert expected <= await hints(watcher)


async def test_directories_created_in_new_directories(watcher: InotifyWatcher, root: Path) -> None:
    artists = {f"artist {number}" for number in range(20)}
    for artist in artists:  # the observer's thread meets some of them half made
        for album in range(20):
            (root / artist / f"album {album}").mkdir(parents=True)

    seen: set[str] = set()
    while not artists <= seen:
        seen |= await hints(watcher)


async def test_burst_of_changes_is_one_set_of_hints(watcher: InotifyWatcher, root: Path) -> None:
    for number in range(50):
        (root / "a" / f"{number}.mp3").write_bytes(b"x")

    assert len(await hints(watcher)) == 50


async def test_reading_gives_no_hint(watcher: InotifyWatcher, root: Path) -> None:
    (root / "a/old.mp3").read_bytes()
    list(root.rglob("*"))
    (root / "marker").touch()

    assert await hints(watcher) == {"marker"}


async def test_new_directory_is_watched(watcher: InotifyWatcher, root: Path) -> None:
    (root / "new").mkdir()
    assert "new" in await hints(watcher)

    (root / "new" / "x.mp3").write_bytes(b"x")

    assert "new/x.mp3" in await hints(watcher)


async def test_hint_below_a_linked_directory_has_its_uri(root: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    watcher = InotifyWatcher(root)
    await watcher.watch({})
    await watcher.watch({"a/link": str(disk)})  # type: ignore[dict-item]

    (disk / "x.mp3").write_bytes(b"x")

    assert await hints(watcher) == {"a/link/x.mp3"}
    await watcher.close()


async def test_returning_directory_is_watched(root: Path) -> None:
    away = root.rename(root.with_name("away"))
    watcher = InotifyWatcher(root)
    await watcher.watch({})
    away.rename(root)
    await watcher.watch({})

    (root / "x.mp3").write_bytes(b"x")

    assert await hints(watcher) == {"x.mp3"}
    await watcher.close()


async def test_replaced_directory_is_watched(root: Path) -> None:
    watcher = InotifyWatcher(root)
    await watcher.watch({})
    root.rename(root.with_name("away"))
    root.mkdir()
    await watcher.watch({})

    (root / "x.mp3").write_bytes(b"x")

    assert "x.mp3" in await hints(watcher)
    await watcher.close()


async def test_configured_watcher_is_made(root: Path) -> None:
    assert isinstance(make_watcher(root, Music()), InotifyWatcher)
    assert isinstance(make_watcher(root, Music(watch=Watch.POLL)), PollingWatcher)
    assert isinstance(make_watcher(root, Music(watch=Watch.OFF)), NoWatcher)


async def test_overflow_gives_a_hint_at_the_whole_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overflow = struct.pack("iIII", -1, InotifyConstants.IN_Q_OVERFLOW, 0, 0)
    read = InotifyFD._read_event_buffer
    monkeypatch.setattr(
        InotifyFD, "_read_event_buffer", lambda self, size: read(self, size) + overflow
    )
    watcher = InotifyWatcher(root)
    await watcher.watch({})

    (root / "a/new.mp3").touch()

    assert WHOLE_DIRECTORY in await hints(watcher)
    monkeypatch.undo()
    seen: set[str] = set()
    while "a/b/later.mp3" not in seen:  # every folder is still watched
        # Written anew each time: what is written while watches are made anew gives no event.
        (root / "a/b/later.mp3").write_bytes(b"x")
        with contextlib.suppress(TimeoutError):
            seen |= await asyncio.wait_for(watcher.hints(), 1)
    await watcher.close()


OUT_OF_WATCHES = """
import asyncio, logging, sys
from pathlib import Path
from anagnorisisd.library.watcher import InotifyWatcher

async def main():
    logging.basicConfig(format="%(message)s")
    root = Path(sys.argv[1])
    watcher = InotifyWatcher(root)
    await watcher.watch({})
    await watcher.watch({})
    (root / "x.mp3").touch()
    print(sorted(await asyncio.wait_for(watcher.hints(), 60)))
    await watcher.close()

asyncio.run(main())
"""


def test_inotify_limit_is_logged_once_with_the_remedy(root: Path) -> None:
    for number in range(20):
        (root / f"folder {number}").mkdir()
    limited = 'echo 10 > /proc/sys/user/max_inotify_watches && exec "$@"'

    done = subprocess.run(
        [
            "unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh",
            sys.executable, "-c", OUT_OF_WATCHES, root,
        ],
        capture_output=True, text=True, timeout=30, cwd=REPOSITORY, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "/proc/sys/user" in done.stderr:
        pytest.skip(f"no limit can be set here: {done.stderr.strip()}")

    assert done.stdout.strip() == "['x.mp3']", done.stderr
    assert done.stderr.count("inotify limit is reached") == 1
    assert "fs.inotify.max_user_watches" in done.stderr
