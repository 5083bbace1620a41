"""Search in the page Library of a large library, as a browser sends it.

A page server and a daemon run in processes of their own. Every request is sent over HTTP, one after
the other: as a script of the page sends it while the listener types (the list alone), as the whole
page, and as a page of the list from its middle.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psutil

from anagnorisis.v1.library_pb2 import ListTracksRequest, ScanLibraryRequest, TrackOrder
from anagnorisis_web.pages import FRAGMENT_HEADER
from bench import music_files, prefilled_state
from bench.prefilled_state import EMBEDDER
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.web_page import serving

TRACKS, FULL_TRACKS = (20_000,), (100_000,)
TURNS, FULL_TURNS = 1, 3
MAX_MILLISECONDS = 200.0
SORTS = {
    "added": TrackOrder.TRACK_ORDER_ADDED,
    "rating": TrackOrder.TRACK_ORDER_RATING,
    "predicted": TrackOrder.TRACK_ORDER_PREDICTED_RATING,
    "played": TrackOrder.TRACK_ORDER_LAST_PLAYED,
}
SHOWN = ("all", "unrated", "rated")
TEXTS = ("", "a", "tr", "track", "artist 12", "album 77", "track 19999", "77 track art", "nowhere")
"""Of all tracks, of many, of few and of none."""

Send = Callable[[httpx.Client], httpx.Response]


def run(full: bool) -> None:
    """Print a table for each size of the library."""
    turns = FULL_TURNS if full else TURNS
    for tracks in FULL_TRACKS if full else TRACKS:
        print(f"# Search in the web page, {tracks:,} tracks\n")
        print("| sorted by | request | requests | CPU ms, mean | median ms | p95 ms | slowest ms |")
        print("|---|---|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as scratch:
            _measure(Path(scratch), tracks, turns)
    print(f"\nTarget: p95 under {MAX_MILLISECONDS:g} ms.\n")


def _measure(folder: Path, tracks: int, turns: int) -> None:
    music = folder / "music"
    music_files.write_tree(music, tracks)
    contents = prefilled_state.StateContents(
        tracks, music, vectors=True, predictions=True, ratings=tracks // 50, plays=tracks // 2
    )
    prefilled_state.fill(folder / "home" / "state", contents)
    with (
        running_daemon(folder / "home", music, folder / "no-mpd", EMBEDDER) as daemon,
        serving(folder / "web", daemon.socket) as url,
        httpx.Client(base_url=url, timeout=60) as visitor,
    ):
        daemon.status()  # waits until it answers
        for _ in daemon.library.ScanLibrary(ScanLibraryRequest()):
            pass  # the scan and the training at the start are not to be measured
        daemon.until(lambda: _is_trained(daemon), 600)
        visitor.get("/library").raise_for_status()
        for sort, order in SORTS.items():
            middle = _token(daemon, order, tracks // 2)
            cases: dict[str, list[Send]] = {
                "list, while typing": [
                    _request({"q": text, "sort": sort, "show": show}, fragment="results")
                    for text, show in itertools.product(TEXTS, SHOWN)
                ],
                "whole page": [_request({"q": text, "sort": sort}) for text in TEXTS],
                "page from the middle": [_request({"sort": sort, "page": middle})] * len(TEXTS),
            }
            for name, requests in cases.items():
                before = _cpu_milliseconds()
                taken = [_milliseconds(visitor, send) for send in requests * turns]
                cpu = (_cpu_milliseconds() - before) / len(taken)
                _print_row(sort, name, taken, cpu)


def _is_trained(daemon: RunningDaemon) -> bool:
    """Tell whether the evaluator is replaced that is only stored, and all tracks are predicted."""
    status = daemon.status()
    return status.evaluator.version > 1 and not status.training.running


def _token(daemon: RunningDaemon, order: TrackOrder.ValueType, after: int) -> str:
    """Return the token of the page after so many tracks; it is valid for each size of pages."""
    token = ""
    for _ in range(after // 1000):
        request = ListTracksRequest(order=order, page_size=1000, page_token=token)
        token = daemon.library.ListTracks(request, timeout=60).next_page_token
    return token


def _request(query: dict[str, str], fragment: str = "") -> Send:
    headers = {FRAGMENT_HEADER: fragment} if fragment else {}
    return lambda visitor: visitor.get("/library", params=query, headers=headers)


def _milliseconds(visitor: httpx.Client, send: Send) -> float:
    began = time.perf_counter()
    send(visitor).raise_for_status()
    return 1000 * (time.perf_counter() - began)


def _cpu_milliseconds() -> float:
    """Return the CPU time of the daemon and the page server so far, without the workers'."""
    times = [process.cpu_times() for process in psutil.Process().children()]
    return 1000 * sum(each.user + each.system for each in times)


def _print_row(sort: str, name: str, taken: Sequence[float], cpu: float) -> None:
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    print(
        f"| {sort} | {name} | {len(taken)} | {cpu:.0f} | {statistics.median(taken):.0f} "
        f"| {p95:.0f} | {max(taken):.0f} |",
        flush=True,
    )
