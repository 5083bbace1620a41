"""The line in front of the database's thread: who waits there, and who is served together.

A commit waits for the disk, and everybody behind it waits too. So all writes that stand in line
share one commit:

* each has a savepoint of its own: one that fails undoes nothing of the others;
* nobody is answered before the commit, and if that fails everybody who shared it is told;
* a read sees every write that was asked for before it, and never what is not on disk.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from itertools import takewhile
from typing import Any, Generic, TypeVar

import sqlite_utils

from anagnorisisd.adapters.sqlite.transaction import begin, committed, savepoint

T = TypeVar("T")
Job = Callable[[sqlite_utils.Database], T]

LONGEST_GROUP_SECONDS = 0.01
"""From then on those in front wait for nobody else before the commit."""


class Waiting(Generic[T]):
    """A job in line; its caller awaits `answer`, and may cancel it until the job begins."""

    def __init__(self, job: Job[T], *, writes: bool) -> None:
        self.job = job
        self.writes = writes
        self.answer: Future[T] = Future()


class Line:
    """First come, first served, by the one thread that calls `serve`."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting[Any]] = deque()

    def join(self, waiting: Waiting[Any]) -> None:
        """Stand in line; any thread may."""
        self._waiting.append(waiting)

    def serve(self, db: sqlite_utils.Database) -> None:
        """Serve everybody who is in line by now; it may be that nobody is left."""
        taken = self._taken()
        before = list(takewhile(lambda waiting: not waiting.writes, taken))
        behind = taken[len(before) :]
        _read(db, before)
        writes = deque(waiting for waiting in behind if waiting.writes)
        while writes:
            _write(db, writes)
        _read(db, [waiting for waiting in behind if not waiting.writes])

    def _taken(self) -> list[Waiting[Any]]:
        taken: list[Waiting[Any]] = []
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        return taken


def _read(db: sqlite_utils.Database, reads: Iterable[Waiting[Any]]) -> None:
    for waiting in filter(_wanted, reads):
        try:
            result = waiting.job(db)
        except BaseException as error:  # The thread outlives whatever a job raises.
            waiting.answer.set_exception(error)
        else:
            waiting.answer.set_result(result)


def _write(db: sqlite_utils.Database, writes: deque[Waiting[Any]]) -> None:
    """Take from `writes` those that share the next commit, and answer them."""
    try:
        begin(db)
    except BaseException as error:
        _refuse(filter(_wanted, writes), error)
        writes.clear()
        return
    shared: list[tuple[Waiting[Any], Any]] = []
    try:
        with committed(db):
            _fill(shared, db, writes)
    except BaseException as error:
        _refuse((waiting for waiting, _ in shared), error)
    else:
        for waiting, result in shared:
            waiting.answer.set_result(result)


def _fill(
    shared: list[tuple[Waiting[Any], Any]],
    db: sqlite_utils.Database,
    writes: deque[Waiting[Any]],
) -> None:
    """Run writes until there are none left or the time is over; add those that went well."""
    ends = time.monotonic() + LONGEST_GROUP_SECONDS
    while writes and time.monotonic() < ends:
        waiting = writes.popleft()
        if not _wanted(waiting):
            continue
        try:
            with savepoint(db):
                result = waiting.job(db)
        except BaseException as error:
            waiting.answer.set_exception(error)
            if not db.conn.in_transaction:
                raise  # What the others wrote went with it.
        else:
            shared.append((waiting, result))


def _wanted(waiting: Waiting[Any]) -> bool:
    """Return whether the caller still waits; from now on it cannot be cancelled."""
    return waiting.answer.set_running_or_notify_cancel()


def _refuse(refused: Iterable[Waiting[Any]], error: BaseException) -> None:
    for waiting in refused:
        waiting.answer.set_exception(error)
