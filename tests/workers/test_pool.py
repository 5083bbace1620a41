"""The pool of worker processes: failures are isolated, and no worker outlives the daemon."""

import asyncio
import os
import pickle
import signal
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from anagnorisisd.errors import EmbeddingFailed, WorkerDied, WorkerHung, WorkerLost
from anagnorisisd.workers import pool as pool_module
from anagnorisisd.workers.pool import WorkerPool
from tests.support.jobs import Bomb, oom_score
from tests.support.until import until

pytestmark = pytest.mark.slow

JOBS = "tests.support.jobs"


def executor_threads() -> list[threading.Thread]:
    """Return the threads that serve worker processes."""
    return [one for one in threading.enumerate() if one.name == "worker"]


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(name="test", size=2, idle_seconds=60)
    yield pool
    await pool.close()


async def test_result_is_returned(pool: WorkerPool) -> None:
    assert await pool.run(f"{JOBS}:add", 2, 3) == 5


async def test_exception_of_the_target_keeps_its_attributes_and_the_worker(
    pool: WorkerPool,
) -> None:
    before = await pool.run(f"{JOBS}:pid")

    with pytest.raises(EmbeddingFailed, match="no sound in it") as caught:
        await pool.run(f"{JOBS}:fail")

    assert caught.value.permanent
    assert await pool.run(f"{JOBS}:pid") == before


async def test_unknown_exception_becomes_runtime_error(pool: WorkerPool) -> None:
    with pytest.raises(RuntimeError, match="Stubborn: one and two"):
        await pool.run(f"{JOBS}:fail_stubbornly")


@pytest.mark.parametrize("end", ["die", "crash"])
async def test_worker_death_fails_only_its_own_task(pool: WorkerPool, end: str) -> None:
    lost, *others = await asyncio.gather(
        pool.run(f"{JOBS}:{end}"),
        *(pool.run(f"{JOBS}:add", number, 1) for number in range(6)),
        return_exceptions=True,
    )

    assert isinstance(lost, WorkerLost)
    assert others == [1, 2, 3, 4, 5, 6]


async def test_worker_death_while_idle_fails_no_task(pool: WorkerPool) -> None:
    worker = psutil.Process(await pool.run(f"{JOBS}:pid"))
    worker.kill()
    await until(lambda: not worker.is_running())
    await until(lambda: not executor_threads())

    assert await pool.run(f"{JOBS}:add", 1, 1) == 2


async def test_task_running_long_after_its_timeout_is_overdue(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = str(tmp_path / "started")
    hanging = asyncio.ensure_future(pool.run(f"{JOBS}:hang", started, timeout_seconds=3600))
    await asyncio.sleep(0)
    assert not pool.has_overdue_task()

    monkeypatch.setattr(pool_module, "OVERDUE_SECONDS", -3601.0)
    assert pool.has_overdue_task()

    hanging.cancel()
    await asyncio.wait({hanging})
    assert not pool.has_overdue_task()


async def test_timeout_kills_the_worker(pool: WorkerPool, tmp_path: Path) -> None:
    started = tmp_path / "started"
    await pool.run(f"{JOBS}:pid")

    with pytest.raises(WorkerLost, match="gave up after"):
        await pool.run(f"{JOBS}:hang", str(started), timeout_seconds=3)

    await until(lambda: not psutil.pid_exists(int(started.read_text())))
    assert await pool.run(f"{JOBS}:add", 1, 1) == 2


async def test_cpu_limit_kills_code_that_does_not_return_to_python(
    pool: WorkerPool,
) -> None:
    with pytest.raises(WorkerDied, match="too much CPU time"):
        await pool.run(f"{JOBS}:loop_in_a_library", cpu_seconds=0.5)

    assert await pool.run(f"{JOBS}:add", 1, 1, cpu_seconds=5) == 2


async def test_cpu_limit_interrupts_python_code_and_keeps_the_worker(pool: WorkerPool) -> None:
    worker = await pool.run(f"{JOBS}:pid")

    assert await pool.run(f"{JOBS}:loop_in_python", 0.1) == "interrupted"
    assert await pool.run(f"{JOBS}:pid") == worker


async def test_sleep_does_not_count_as_cpu_time(pool: WorkerPool, tmp_path: Path) -> None:
    started = str(tmp_path / "started")

    with pytest.raises(WorkerHung, match="gave up after"):
        await pool.run(f"{JOBS}:hang", started, timeout_seconds=4, cpu_seconds=3)


async def test_cancellation_kills_the_worker(pool: WorkerPool, tmp_path: Path) -> None:
    started = tmp_path / "started"
    task = asyncio.create_task(pool.run(f"{JOBS}:hang", str(started)))
    await until(lambda: started.exists() and bool(started.read_text()))

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not psutil.pid_exists(int(started.read_text())))


async def test_idle_worker_exits() -> None:
    pool = WorkerPool(name="test", size=1, idle_seconds=0.05)
    try:
        worker = await pool.run(f"{JOBS}:pid")
        await until(lambda: not psutil.pid_exists(worker))
        assert await pool.run(f"{JOBS}:pid") != worker
    finally:
        await pool.close()


async def test_close_during_a_task_is_prompt(pool: WorkerPool, tmp_path: Path) -> None:
    started = tmp_path / "started"
    task = asyncio.create_task(pool.run(f"{JOBS}:hang", str(started)))
    await until(lambda: started.exists() and bool(started.read_text()))
    before = time.monotonic()

    await pool.close()

    assert time.monotonic() - before < 5
    with pytest.raises(WorkerLost):
        await task
    assert not psutil.pid_exists(int(started.read_text()))
    with pytest.raises(WorkerLost, match="being stopped"):
        await pool.run(f"{JOBS}:pid")


async def test_worker_has_low_priority_and_ignores_interrupts(pool: WorkerPool) -> None:
    found = await pool.run(f"{JOBS}:process_settings")

    assert found["nice"] >= 15
    assert found["io"] == psutil.IOPRIO_CLASS_IDLE
    assert found["interrupt"] == signal.SIG_IGN
    assert found["threads"] == "1"
    assert found["heavy"] == []


async def test_other_executors_can_be_used() -> None:
    pool = WorkerPool(name="test", size=2, idle_seconds=60, executors=ThreadPoolExecutor)
    try:
        assert await pool.run(f"{JOBS}:pid") == os.getpid()
    finally:
        await pool.close()


async def test_worker_dies_with_its_killed_parent(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = (
        "import asyncio, sys\n"
        "from anagnorisisd.workers.pool import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    pool = lambda: WorkerPool(name='test', size=1, idle_seconds=60)\n"
        "    async def main(): await pool().run('tests.support.jobs:hang', sys.argv[1])\n"
        "    asyncio.run(main())\n"
    )
    parent = tmp_path / "parent.py"
    parent.write_text(script)
    root = Path(__file__).parents[2]
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, parent, started, env=os.environ | {"PYTHONPATH": str(root)}
    )
    await until(lambda: started.exists() and bool(started.read_text()))
    daemon.kill()
    await daemon.wait()

    await until(lambda: not psutil.pid_exists(int(started.read_text())))


async def test_memory_limit_fails_only_the_task() -> None:
    pool = WorkerPool(name="test", size=1, idle_seconds=60, memory_bytes=256 << 20)
    try:
        with pytest.raises(MemoryError):
            await pool.run(f"{JOBS}:hoard", 1 << 30)

        assert await pool.run(f"{JOBS}:hoard", 1 << 20) == 1 << 20
    finally:
        await pool.close()


async def test_worker_that_leaked_memory_is_replaced() -> None:
    pool = WorkerPool(name="test", size=1, idle_seconds=60, memory_bytes=256 << 20)
    outcomes = []
    try:
        for _ in range(12):
            try:
                outcomes.append(await pool.run(f"{JOBS}:leak", 40 << 20))
            except MemoryError:
                outcomes.append(0)
    finally:
        await pool.close()

    first = outcomes.index(0)
    assert outcomes[:first] == list(range(1, first + 1))
    assert outcomes[first + 1] == 1, "the task after the failed one has a new worker"


@pytest.mark.parametrize("framing", ["none", "of an answer"])
async def test_answer_is_never_unpickled(pool: WorkerPool, tmp_path: Path, framing: str) -> None:
    victim = tmp_path / "victim"
    content = pickle.dumps(Bomb(str(victim)))
    if framing == "of an answer":
        content = struct.pack("<Q", len(content)) + content

    with pytest.raises(WorkerLost):
        await pool.run(f"{JOBS}:send_bytes", content, timeout_seconds=10)

    assert not victim.exists()
    assert await pool.run(f"{JOBS}:add", 1, 1) == 2


async def test_result_of_another_type_is_invalid(pool: WorkerPool) -> None:
    with pytest.raises(WorkerLost, match="invalid answer: expected str, got int"):
        await pool.run(f"{JOBS}:add", 1, 1, result_type=str)

    assert await pool.run(f"{JOBS}:add", 1, 1, result_type=int) == 2


async def test_huge_answer_is_not_read(pool: WorkerPool) -> None:
    with pytest.raises(WorkerLost, match="died during this task"):
        await pool.run(f"{JOBS}:send_bytes", struct.pack("<Q", 2**62))


async def test_unsupported_result_type_is_an_error(pool: WorkerPool) -> None:
    with pytest.raises(TypeError, match="cannot return a value of type object"):
        await pool.run(f"{JOBS}:answer_strangely")


async def test_kernel_kills_workers_before_the_daemon(pool: WorkerPool) -> None:
    assert await pool.run(f"{JOBS}:oom_score") > min(999, oom_score())
