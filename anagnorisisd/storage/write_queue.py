"""The line in front of the thread that writes: who waits there, and who is served together.

A commit waits for the disk, and everybody behind it waits too. So writes that stand in line share
one commit:

* each has a savepoint of its own: one that fails undoes nothing of the others;
* nobody is answered before the commit, and if that fails everybody who shared it is told;
* those in bulk (what a scan found, vectors) stand in a lane of their own: they wait until nobody
  else does, but not for ever, so that a rating waits for one of them at most, and never for a
  whole group.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import sqlite_utils

from anagnorisisd.storage.transaction import begin, committed, savepoint

T = TypeVar("T")
Job = Callable[[sqlite_utils.Database], T]

LONGEST_GROUP_SECONDS = 0.01
"""From then on those in front wait for nobody else before the commit."""

LONGEST_WAIT_SECONDS = 0.2
"""So long after the last one of its lane, the next one in bulk has its turn whoever else waits."""


class PendingWrite(Generic[T]):
    """A job in line; its caller awaits `answer`, and may cancel it until the job begins."""

    def __init__(self, job: Job[T], *, bulk: bool = False) -> None:
        self.job = job
        self.bulk = bulk
        self.answer: Future[T] = Future()
        self.since = time.monotonic()


Lane = deque[PendingWrite[Any]]


class WriteQueue:
    """First come, first served within a lane, by the one thread that calls `serve`."""

    def __init__(self, check: Callable[[sqlite_utils.Database], None]) -> None:
        """`check` raises where what is written now would be lost."""
        self._check = check
        self._prompt: Lane = deque()
        self._bulk: Lane = deque()
        self._bulk_served = 0.0

    def join(self, waiting: PendingWrite[Any]) -> None:
        """Stand in line; any thread may."""
        (self._bulk if waiting.bulk else self._prompt).append(waiting)

    def serve(self, db: sqlite_utils.Database) -> None:
        """Serve until nobody is left in line; it may be that nobody is."""
        while lane := self._next():
            self._write(db, lane)
            if lane is self._bulk:
                self._bulk_served = time.monotonic()

    def _next(self) -> Lane:
        """Return the lane whose turn it is; it is empty if nobody is left."""
        if not self._bulk:
            return self._prompt
        waited = time.monotonic() - max(self._bulk[0].since, self._bulk_served)
        return self._prompt if self._prompt and waited < LONGEST_WAIT_SECONDS else self._bulk

    def _write(self, db: sqlite_utils.Database, lane: Lane) -> None:
        """Take from a lane those that share the next commit, and answer them."""
        try:
            begin(db)
        except BaseException as error:
            _refuse(filter(_wanted, _emptied(lane)), error)
            return
        shared: list[tuple[PendingWrite[Any], Any]] = []
        try:
            with committed(db):
                self._fill(shared, db, lane)
                self._check(db)
            self._check(db)  # Again: nobody is answered for what went to a file that is gone.
        except BaseException as error:
            _refuse((waiting for waiting, _ in shared), error)
        else:
            for waiting, result in shared:
                waiting.answer.set_result(result)

    def _fill(
        self, shared: list[tuple[PendingWrite[Any], Any]], db: sqlite_utils.Database, lane: Lane
    ) -> None:
        """Run writes until there are none left or the time is over; add those that went well."""
        ends = time.monotonic() + LONGEST_GROUP_SECONDS
        while lane and time.monotonic() < ends:
            waiting = lane.popleft()
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
            if lane is self._bulk and self._prompt:
                return


def _wanted(waiting: PendingWrite[Any]) -> bool:
    """Return whether the caller still waits; from now on it cannot be cancelled."""
    return waiting.answer.set_running_or_notify_cancel()


def _emptied(lane: Lane) -> Iterable[PendingWrite[Any]]:
    while lane:
        yield lane.popleft()


def _refuse(refused: Iterable[PendingWrite[Any]], error: BaseException) -> None:
    for waiting in refused:
        waiting.answer.set_exception(error)
