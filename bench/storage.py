"""Size of the database by number of tracks, embeddings, ratings and plays, and time of a backup.

A backup is a verified snapshot, made while the daemon writes; it is compared with `cp` of the file.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.storage.backups import back_up
from bench import prefilled_state
from bench.prefilled_state import StateContents

TRACKS, FULL_TRACKS = (10_000, 100_000), (10_000, 100_000, 1_000_000)
RATINGS, PLAYS = 5_000, 50_000
MERT = EmbedderStamp("mert", "bench", 768)
MEGABYTE = 2**20


def run(full: bool) -> None:
    """Print what each part takes, and a row of sizes and copies for each size of the library."""
    print("# Storage\n\n## Bytes per record\n")
    print("| record | bytes |\n|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        _parts(Path(scratch))
    print("\n## Size and backups, with embeddings by features and predictions\n")
    print("| tracks | MB | bytes per track | backup, s | MB per second | cp, s | relative to cp |")
    print("|---|---|---|---|---|---|---|")
    for tracks in FULL_TRACKS if full else TRACKS:
        with tempfile.TemporaryDirectory() as scratch:
            _sizes(Path(scratch), tracks)
    print()


def _parts(folder: Path) -> None:
    tracks = min(TRACKS)
    bare = StateContents(tracks)
    empty = _bytes(folder / "empty", StateContents(0))
    alone = _bytes(folder / "bare", bare)
    rows = {"track with file and tags": (alone - empty) / tracks}
    for name, more, count in (
        ("embedding by features (206 dimensions)", replace(bare, vectors=True), tracks),
        ("embedding by MERT (768 dimensions)", replace(bare, vectors=True, stamp=MERT), tracks),
        ("prediction", replace(bare, predictions=True), tracks),
        ("rating", replace(bare, ratings=RATINGS), RATINGS),
        ("play", replace(bare, plays=PLAYS), PLAYS),
    ):
        rows[name] = (_bytes(folder / name.replace(" ", "-"), more) - alone) / count
    for name, each in rows.items():
        print(f"| {name} | {each:,.0f} |")


def _bytes(state: Path, contents: StateContents) -> int:
    return prefilled_state.fill(state, contents).stat().st_size


def _sizes(folder: Path, tracks: int) -> None:
    contents = StateContents(tracks, vectors=True, predictions=True, ratings=RATINGS, plays=PLAYS)
    database = prefilled_state.fill(folder / "state", contents)
    size = database.stat().st_size
    copying = _seconds(lambda: shutil.copyfile(database, folder / "copy.db"))
    (folder / "copy.db").unlink()
    backing = _seconds(lambda: back_up(database, folder / "backup.db"))
    print(
        f"| {tracks:,} | {size / MEGABYTE:,.0f} | {size / tracks:,.0f} | {backing:.2f} "
        f"| {size / MEGABYTE / backing:.0f} | {copying:.2f} | {backing / copying:.1f} |"
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
