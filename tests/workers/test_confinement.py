"""Confined workers: forbidden actions fail, and their tasks succeed."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anagnorisisd.app import open_app
from anagnorisisd.config import schema
from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config, Device, EmbedderChoice
from anagnorisisd.domain.embedding import Conditions
from anagnorisisd.domain.track import ScannedFile, Uri
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.workers.confinement import landlock_version
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.support import mert
from tests.support.media import write_song
from tests.support.musicnn import needs_weights
from tests.support.songs import RATE, calm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock"),
]

PROBE = "anagnorisisd.workers.confinement:probe"


@dataclass(frozen=True)
class Outside:
    """A directory outside the confinement, and a server on a TCP port."""

    folder: Path
    port: int


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("password")
    (folder / "victim").touch()
    with ExitStack() as stack:
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(str(folder / "socket"))
        local.listen()
        tcp = stack.enter_context(socket.socket())
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        yield Outside(folder, tcp.getsockname()[1])


@pytest.fixture
async def confined(tmp_path: Path) -> AsyncIterator[WorkerPool]:
    (tmp_path / "music").mkdir()
    readable_paths = ReadablePaths(tmp_path / "music", writable=[tmp_path / "cache"])
    pool = WorkerPool(name="test", size=1, idle_seconds=60, readable_paths=readable_paths)
    yield pool
    await pool.close()


async def test_unconfined_worker_can_do_everything(outside: Outside) -> None:
    pool = WorkerPool(name="test", size=1, idle_seconds=60)
    try:
        done = await pool.run(PROBE, str(outside.folder), outside.port)
    finally:
        await pool.close()

    assert len(done) == 7


async def test_confined_worker_can_do_nothing(confined: WorkerPool, outside: Outside) -> None:
    done = await confined.run(PROBE, str(outside.folder), outside.port)

    assert done == []
    assert (outside.folder / "victim").exists()


async def test_confined_worker_cannot_read_the_environment_or_write_music(
    confined: WorkerPool, tmp_path: Path
) -> None:
    (tmp_path / "music" / "song").touch()
    cases = (
        ("read", f"/proc/{os.getpid()}/environ", False),
        ("read", str(tmp_path / "music" / "song"), True),
        ("write", str(tmp_path / "music" / "song"), False),
        ("write", str(tmp_path / "music" / "new"), False),
        ("write", str(tmp_path / "cache" / "new"), True),
    )
    for way, path, expected in cases:
        assert await confined.run(f"tests.support.jobs:can_{way}", path) is expected, path


async def test_all_pools_of_the_daemon_are_confined(tmp_path: Path, outside: Outside) -> None:
    (tmp_path / "music").mkdir()
    config = Config.model_validate(
        {"music": {"directory": tmp_path / "music"}, "embedding": {"embedder": "features"}}
    )
    paths = Paths(
        music=tmp_path / "music",
        state=tmp_path / "state",
        socket=tmp_path / "daemon.sock",
        models=tmp_path / "models",
        cache=tmp_path / "cache",
    )
    selector = EmbedderSelector(EmbedderSettings(config.embedding, paths.models, paths.cache))
    async with open_app(config, paths, None, selector) as app:
        names = [pool.name for pool in app.pools]
        done = [await pool.run(PROBE, str(outside.folder), outside.port) for pool in app.pools]
        database = str(paths.state / "anagnorisis.db")
        reads = [await pool.run("tests.support.jobs:can_read", database) for pool in app.pools]

    assert {"reading", "evaluator", "report"} < set(names)
    assert dict(zip(names, done, strict=True)) == {name: [] for name in names}
    assert reads == [False] * len(names)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[MusicDirectory]:
    root = tmp_path / "music"
    root.mkdir()
    readable_paths = ReadablePaths(root)
    readers = WorkerPool(name="reading", size=1, idle_seconds=60, readable_paths=readable_paths)
    yield MusicDirectory(root, schema.Music(), readers)
    await readers.close()


async def read(folder: MusicDirectory, *uris: str) -> list[ScannedFile]:
    return [file async for batch in folder.read([Uri(uri) for uri in uris]) for file in batch]


async def test_targets_of_links_are_readable(tmp_path: Path, folder: MusicDirectory) -> None:
    write_song(tmp_path / "music" / "here.flac", seed=1)
    write_song(tmp_path / "other disk" / "albums" / "there.flac", seed=2)
    write_song(tmp_path / "third" / "file.flac", seed=3)
    (await read(folder, "here.flac"))  # the reader has been started
    (tmp_path / "music" / "linked").symlink_to(tmp_path / "other disk")
    (tmp_path / "music" / "linked.flac").symlink_to(tmp_path / "third" / "file.flac")

    found = await read(folder, "here.flac", "linked/albums/there.flac", "linked.flac")

    assert [file.problem for file in found] == [None] * 3


async def test_many_link_targets_are_readable(tmp_path: Path, folder: MusicDirectory) -> None:
    song = write_song(tmp_path / "song.flac").read_bytes()
    for number in range(100):
        place = tmp_path / "store" / str(number)
        place.mkdir(parents=True)
        (place / "song.flac").write_bytes(song)
        (tmp_path / "music" / f"{number}.flac").symlink_to(place / "song.flac")

    found = await read(folder, *(f"{number}.flac" for number in range(100)))

    assert [file.problem for file in found] == [None] * 100


def conditions(engine: str) -> Conditions:
    return (("engine", engine), ("bfloat16", True), ("threads", 2))


# Two starts of an embedder take long on a busy computer.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("embedder", "asked", "cache"),
    [
        (EmbedderChoice.FEATURES, (), "cache"),
        pytest.param(EmbedderChoice.MUSICNN, (), "cache", marks=needs_weights),
        (EmbedderChoice.MERT, conditions("torch"), "a file/cache"),
        (EmbedderChoice.MERT, conditions("openvino"), "cache"),
        (EmbedderChoice.MERT, conditions("openvino"), "a file/cache"),
    ],
    ids=["features", "musicnn", "torch without a cache", "openvino", "openvino without a cache"],
)
async def test_confined_embedder_returns_the_same_vectors(
    tmp_path: Path, embedder: EmbedderChoice, asked: Conditions, cache: str
) -> None:
    (tmp_path / "a file").touch()
    mert.make_folder(tmp_path / "models" / MERT.name)
    wishes = schema.Embedding(embedder=embedder, layer=3, device=Device.CPU, workers=1)
    settings = EmbedderSettings(wishes, tmp_path / "models", tmp_path / cache, asked)
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "song.flac", calm(0), RATE)
    vectors = []
    for readable_paths in (
        None,
        ReadablePaths(
            tmp_path / "music",
            readable=[settings.model_directory],
            writable=[settings.cache_directory],
        ),
    ):
        made = WorkerEmbedder(
            EmbedderSelector(settings).plan(),
            idle_seconds=60,
            timeout_seconds=100,
            readable_paths=readable_paths,
        )
        try:
            vectors.append(await made.embed(str(tmp_path / "music" / "song.flac")))
        finally:
            await made.close()

    one, other = vectors
    assert np.array_equal(one, other)
