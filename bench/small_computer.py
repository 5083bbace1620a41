"""Memory of the daemon and its worker on a small computer, within a limit that the kernel enforces.

One worker and the embedder musicnn. The daemon embeds songs of three minutes; then a library of
short mp3 files is added, and it scans, embeds and learns at the same time. Resident memory is that
of all processes of the daemon together, without the page cache.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from anagnorisis.v1 import evaluator_pb2, pick_pb2, rating_pb2, track_pb2
from bench.music_files import write_tree
from tests.support.daemon import running_daemon
from tests.support.memory_limit import MemoryGroup, memory_limit
from tests.support.songs import make_songs

LIMIT_MEGABYTES = 256
LIBRARY, FULL_LIBRARY = 3_000, 20_000
SONGS_OF_EACH_KIND, REPEATS = 10, 15
TIMEOUT_SECONDS = 3_600.0
POLL_SECONDS = 0.05
MEGABYTE = 2**20
SETTINGS = "embedding:\n  embedder: musicnn\n  workers: 1\n"


def run(full: bool) -> None:
    """Print the peak of each stage."""
    library = FULL_LIBRARY if full else LIBRARY
    print(f"# Memory with one worker, limited to {LIMIT_MEGABYTES} MB\n")
    print("| stage | peak resident, MB |")
    print("|---|---|")
    with (
        tempfile.TemporaryDirectory() as scratch,
        memory_limit(LIMIT_MEGABYTES * MEGABYTE) as group,
        ThreadPoolExecutor(1) as threads,
    ):
        folder = Path(scratch)
        music = folder / "music"
        uris = make_songs(music, SONGS_OF_EACH_KIND, REPEATS)
        start = group.script(folder / "start")
        with running_daemon(
            folder / "daemon", music, folder / "no-mpd", SETTINGS, executable=start
        ) as daemon:
            songs = len(uris)
            peak = _wait(lambda: daemon.status().library.embedded == songs, group)
            print(f"| embedding {songs} songs of three minutes | {peak:.0f} |", flush=True)
            for number, uri in enumerate(uris):
                rating = rating_pb2.RateTrackRequest(
                    target=track_pb2.Target(uri=uri), rating=number % 11
                )
                daemon.rating.RateTrack(rating)
            write_tree(music / "library", library)
            peak = _wait(lambda: daemon.status().library.tracks == library + songs, group)
            print(f"| scanning {library:,} more, while embedding | {peak:.0f} |", flush=True)
            request = evaluator_pb2.TrainEvaluatorRequest()
            training = threads.submit(lambda: list(daemon.evaluator.TrainEvaluator(request)))
            peak = _wait(training.done, group)
            if not training.result()[-1].HasField("evaluator"):
                raise SystemExit("nothing was trained")
            print(f"| training with {songs} ratings, while embedding | {peak:.0f} |", flush=True)
            daemon.pick.PreviewPicks(pick_pb2.PreviewPicksRequest(count=3, seed=1))
            print(f"\nKilled for want of memory: {group.kills()} processes.\n")
            daemon.stop()


def _wait(condition: Callable[[], bool], group: MemoryGroup) -> float:
    """Wait for a condition, and return the peak of the resident memory meanwhile, in MB."""
    peak = group.resident_bytes()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon did not finish in time")
        peak = max(peak, group.resident_bytes())
        time.sleep(POLL_SECONDS)
    return peak / MEGABYTE
