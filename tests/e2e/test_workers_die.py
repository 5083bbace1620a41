"""Workers of a real daemon are killed while they embed, as the kernel does when memory is short."""

from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from anagnorisisd.workers.confinement import landlock_version
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.processes import worker_processes
from tests.support.songs import make_songs

SONGS_OF_EACH_KIND = 8
KILLS = 2
NICENESS = 15
"""At least: the tests may have been started with a lower priority themselves."""


def workers(daemon: RunningDaemon) -> list[psutil.Process]:
    return [each for each in worker_processes(daemon.process.pid) if has_low_priority(each)]


def has_low_priority(process: psutil.Process) -> bool:
    """Tell whether a process has come as far as to lower its priority."""
    with suppress(psutil.Error):
        return process.nice() >= NICENESS and process.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    return False


def test_the_library_is_embedded_although_workers_are_killed(tmp_path: Path) -> None:
    names = make_songs(tmp_path / "music", SONGS_OF_EACH_KIND)
    with running_daemon(tmp_path / "home", tmp_path / "music", tmp_path / "no-mpd") as daemon:
        killed: set[int] = set()
        while len(killed) < KILLS:
            daemon.until(lambda: [each for each in workers(daemon) if each.pid not in killed])
            for worker in workers(daemon):
                killed.add(worker.pid)
                worker.kill()

        daemon.until(lambda: daemon.status().library.embedded == len(names))
        library = daemon.status().library
        assert (library.failed, library.unusable_files) == (0, 0)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()


@pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
def test_the_workers_that_embed_are_confined(tmp_path: Path) -> None:
    make_songs(tmp_path / "music", SONGS_OF_EACH_KIND)
    with running_daemon(tmp_path / "home", tmp_path / "music", tmp_path / "no-mpd") as daemon:
        daemon.until(lambda: daemon.status().library.embedded > 0)
        settled = workers(daemon)

        assert settled
        for worker in settled:
            assert "NoNewPrivs:\t1" in Path(f"/proc/{worker.pid}/status").read_text()
