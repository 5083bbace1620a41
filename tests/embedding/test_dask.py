"""Embedding by a real Dask scheduler and real workers: the same vectors, whatever happens."""

import asyncio
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import distributed
import psutil
import pytest

from anagnorisisd.config.schema import Device, EmbedderChoice, Embedding
from anagnorisisd.doctor import probe
from anagnorisisd.doctor.probe import ExecutorFacts
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from anagnorisisd.errors import ConfigError, EmbeddingFailed
from anagnorisisd.extras import install_command
from anagnorisisd.workers.worker_main import NICENESS
from tests.support import mert
from tests.support.daemon import running_daemon
from tests.support.dask import free_port, scheduler, workers
from tests.support.songs import make_songs
from tests.support.until import until

LYING = Path(__file__).parents[1] / "support" / "lying_worker.py"
FEATURES = EmbedderChoice.FEATURES

# One cluster for all of them: starting it takes several seconds.
# They leave much time: processes of low priority do the work, and the machine may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WORKERS = 2


@dataclass(frozen=True)
class Cluster:
    """A scheduler with two workers, and where everything lies."""

    home: Path
    address: str
    music: Path
    models: Path
    here: list[Vectors]
    """The features of the songs, as made on this computer."""

    @property
    def songs(self) -> list[str]:
        """Paths of all songs."""
        return paths_in(self.music)

    @asynccontextmanager
    async def embedder(
        self,
        embedder: EmbedderChoice = FEATURES,
        *,
        music_there: Path | None = None,
        patience: float | None = None,
    ) -> AsyncIterator[DaskEmbedder]:
        """Let the workers embed."""
        dask = {"address": self.address, "music_directory": music_there}
        wishes = spec(embedder, executor="dask", dask=dask)
        plan = EmbedderSelector(EmbedderSettings(wishes, self.models, self.home)).plan()
        made = DaskEmbedder(plan, wishes, self.music, silence_seconds=patience)
        try:
            yield made
        finally:
            await made.close()

    async def pids(self, count: int = WORKERS) -> list[int]:
        """Return the processes of the workers once there are `count` of them."""
        client: Any = distributed.Client(self.address, asynchronous=True, set_as_default=False)  # type: ignore[no-untyped-call]
        async with client:
            await client.wait_for_workers(count, timeout=200)
            return list((await client.run(os.getpid)).values())


def spec(embedder: EmbedderChoice, **more: object) -> Embedding:
    usual = {"embedder": embedder, "layer": 3, "device": Device.CPU, "workers": 2}
    return Embedding.model_validate(usual | more)


def paths_in(music: Path) -> list[str]:
    return [str(path) for path in sorted(music.iterdir())]


async def embedded_here(
    home: Path, paths: Sequence[str], embedder: EmbedderChoice = FEATURES
) -> list[Vectors]:
    """Return the vectors as the daemon's own worker processes make them."""
    plan = EmbedderSelector(EmbedderSettings(spec(embedder), home / "models", home)).plan()
    made = WorkerEmbedder(plan, idle_seconds=60, timeout_seconds=300)
    try:
        return list(await asyncio.gather(*map(made.embed, paths)))
    finally:
        await made.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster")
    music = home / "music"
    make_songs(music, 6)
    mert.make_folder(home / "models" / MERT.name)
    variables = {"ANAGNORISIS_EMBEDDING__MODEL_DIRECTORY": str(home / "models")}
    address = f"tcp://127.0.0.1:{free_port()}"
    with scheduler(home, address), workers(home, address, WORKERS, 1, **variables):
        here = asyncio.run(embedded_here(home, paths_in(music)))
        yield Cluster(home, address, music, home / "models", here)


def same(ones: Sequence[Vectors], others: Sequence[Vectors]) -> bool:
    """Say whether vectors are the same to the last bit."""
    return [one.tobytes() for one in ones] == [other.tobytes() for other in others]


async def all_of(embedder: DaskEmbedder, paths: Sequence[str]) -> list[Vectors]:
    async with asyncio.timeout(300):
        return list(await asyncio.gather(*map(embedder.embed, paths)))


async def test_paths_give_the_same_vectors_as_here(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with cluster.embedder() as embedder:
        vectors = await all_of(embedder, cluster.songs)

    assert same(vectors, cluster.here)
    assert "are sent" not in caplog.text


async def test_bytes_give_the_same_vectors_and_leave_nothing_behind(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with cluster.embedder(music_there=cluster.home / "not mounted") as embedder:
        vectors = await all_of(embedder, cluster.songs)

    assert same(vectors, cluster.here)
    assert "are sent" in caplog.text
    assert not [*(cluster.home / "scratch").rglob("*.flac")]


async def test_child_processes_of_a_worker_keep_the_default_allocator(cluster: Cluster) -> None:
    async with cluster.embedder() as embedder:
        await all_of(embedder, cluster.songs)
        below = [p for pid in await cluster.pids() for p in psutil.Process(pid).children()]

    variables = [p.environ() for p in below if p.nice() >= NICENESS]
    assert variables
    assert not any("MALLOC_TRIM_THRESHOLD_" in those for those in variables)


async def test_the_music_may_be_mounted_elsewhere(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    there = tmp_path / "mounted"
    there.symlink_to(cluster.music)
    async with cluster.embedder(music_there=there) as embedder:
        vectors = await all_of(embedder, cluster.songs[:2])

    assert same(vectors, cluster.here[:2])
    assert "are sent" not in caplog.text


async def test_another_file_at_the_same_path_is_not_taken_for_ours(
    cluster: Cluster, tmp_path: Path
) -> None:
    ours = Path(cluster.songs[0])
    shutil.copy(cluster.songs[1], tmp_path / ours.name)
    async with cluster.embedder(music_there=tmp_path) as embedder:
        vectors = await all_of(embedder, [str(ours)])

    assert same(vectors, cluster.here[:1])


async def test_mert_gives_the_same_vectors_as_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With engine and threads of the daemon: by themselves the workers would take others."""
    monkeypatch.setattr("anagnorisisd.embedding.mert.plan.is_installed", lambda it: it == "mert")
    song = cluster.songs[:1]
    async with cluster.embedder(EmbedderChoice.MERT) as embedder:
        there, here = await asyncio.gather(
            all_of(embedder, song), embedded_here(cluster.home, song, EmbedderChoice.MERT)
        )

    assert there[0].shape == (32,)
    assert same(there, here)


async def test_same_file_errors_as_on_this_computer(cluster: Cluster) -> None:
    broken, vanished = cluster.home / "music" / "broken.flac", cluster.home / "music" / "gone.flac"
    broken.write_bytes(b"no sound" * 1000)
    try:
        async with cluster.embedder() as embedder:
            with pytest.raises(EmbeddingFailed) as told:
                await embedder.embed(str(broken))
            with pytest.raises(FileNotFoundError):
                await embedder.embed(str(vanished))
        with pytest.raises(EmbeddingFailed) as told_here:
            await embedded_here(cluster.home, [str(broken)])
    finally:
        broken.unlink()

    assert (told.value.permanent, str(told.value)) == (True, str(told_here.value))


async def test_a_worker_that_is_killed_costs_a_retry_elsewhere(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    victim = psutil.Process((await cluster.pids())[0])
    async with cluster.embedder() as embedder:
        assert await embedder.check_workers() == ()
        victim.suspend()  # so that it surely has something to do when it is killed
        work = [asyncio.create_task(embedder.embed(path)) for path in cluster.songs * 3]
        await until(lambda: any(task.done() for task in work), seconds=200)

        victim.kill()
        async with asyncio.timeout(300):
            vectors = list(await asyncio.gather(*work))

    assert same(vectors, cluster.here * 3)
    assert "is gone" in caplog.text


async def test_a_worker_that_answers_nonsense_has_no_more_to_do(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with workers(cluster.home, cluster.address, 1, 1, "--no-nanny", "--preload", str(LYING)):
        await cluster.pids(WORKERS + 1)
        async with cluster.embedder() as embedder:
            assert await embedder.check_workers() == ()
            assert embedder.executor.workers == WORKERS + 1

            vectors = await all_of(embedder, cluster.songs)

            assert embedder.executor.workers == WORKERS

    assert same(vectors, cluster.here)
    assert caplog.text.count("does not embed: made a vector that is not finite") == 1


async def test_a_silent_worker_is_given_up_until_it_answers_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = psutil.Process((await cluster.pids())[0])
    async with cluster.embedder(patience=15) as embedder:
        assert await embedder.check_workers() == ()
        await all_of(embedder, cluster.songs[:4])  # everybody is awake
        stopped.suspend()
        try:
            vectors = await all_of(embedder, cluster.songs)
            assert embedder.executor.workers == WORKERS - 1
        finally:
            stopped.resume()
        await until(lambda: embedder.executor.workers == WORKERS, seconds=200)

    assert same(vectors, cluster.here)
    assert "does not embed: is silent" in caplog.text


async def test_a_scheduler_that_is_absent_or_restarted_is_waited_for(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    address = f"tcp://127.0.0.1:{free_port()}"
    elsewhere = replace(cluster, address=address)
    async with elsewhere.embedder() as embedder:
        for song, vector in zip(cluster.songs[:2], cluster.here[:2], strict=True):
            work = asyncio.create_task(embedder.embed(song))
            await until(lambda: bool(embedder.executor.problem), seconds=200)
            with scheduler(tmp_path, address), workers(tmp_path, address, 1, 1, "--no-nanny"):
                assert same([await asyncio.wait_for(work, 300)], [vector])

    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([line for line in said if "embedding waits for it" in line]) == 2
    assert caplog.text.count("is connected again") == 2
    assert not [record for record in caplog.records if record.name.startswith("distributed")]


async def test_incapable_worker_reports_the_reason(cluster: Cluster, tmp_path: Path) -> None:
    other_weights = mert.make_folder(tmp_path / "models" / MERT.name, seed=1).parent
    elsewhere = replace(cluster, models=other_weights)
    async with elsewhere.embedder(EmbedderChoice.MERT) as embedder:
        incapable = await embedder.check_workers()

        assert len(incapable) == WORKERS
        assert embedder.executor.problem == ", ".join(incapable)
        assert f"cannot make {embedder.stamp}: makes mert-" in incapable[0]


def test_missing_dask_is_reported_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.extras.find_spec", lambda _: None)
    config = spec(FEATURES, executor="dask", dask={"address": "tcp://127.0.0.1:1"})
    plan = EmbedderSelector(EmbedderSettings(config, tmp_path, tmp_path)).plan()

    with pytest.raises(ConfigError, match=re.escape(install_command("dask"))):
        DaskEmbedder(plan, config, tmp_path)


def test_a_daemon_lets_the_workers_embed_its_library(cluster: Cluster, tmp_path: Path) -> None:
    settings = (
        "embedding:\n  executor: dask\n  embedder: features\n"
        f"  dask:\n    address: {cluster.address}\n"
    )
    with running_daemon(tmp_path / "d", cluster.music, tmp_path / "no-mpd", settings) as daemon:
        daemon.until(lambda: daemon.status().library.embedded == len(cluster.songs))

        executor = daemon.status().embedding.executor
        assert (executor.address, executor.workers, executor.error) == (
            cluster.address, WORKERS, "",
        )  # fmt: skip
        assert daemon.stop() == 0


async def test_the_doctor_asks_the_workers(cluster: Cluster) -> None:
    config = spec(FEATURES, executor="dask", dask={"address": cluster.address})
    plan = EmbedderSelector(EmbedderSettings(config, cluster.models, cluster.home)).plan()
    nowhere = spec(FEATURES, executor="dask", dask={"address": f"tcp://127.0.0.1:{free_port()}"})

    here = await probe.probe_executor(spec(FEATURES), plan, cluster.music)
    there = await probe.probe_executor(config, plan, cluster.music)
    away = await probe.probe_executor(nowhere, plan, cluster.music)

    assert here == ExecutorFacts()
    assert there == ExecutorFacts(cluster.address, WORKERS)
    assert "Timed out trying to connect" in away.reason
