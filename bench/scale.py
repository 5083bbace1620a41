"""Limits by the size of the library and the number of listeners; see `docs/scale.md`.

Costs are measured at a few sizes, each in a new process, and extrapolated linearly. Many listeners
on one computer are simulated with these costs.
"""

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from anagnorisisd.embedding.features import plan as features
from bench.interleaved_runs import processes
from bench.music_files import songs
from bench.scaling import engines, plan
from bench.scaling.costs import Costs, measure
from bench.scaling.multi_user import Machine, largest

SIZES, FULL_SIZES = (10_000, 20_000, 40_000), (50_000, 100_000, 200_000, 400_000)
SCENARIOS = {"household": 50_000, "radio station": 10_000_000}
SHARED_TRACKS = 100_000
SHORTLIST = 5_000
CORES = (2, 16, 64)
REFILL_SECONDS, EFFECT_SECONDS = 10.0, 60.0
SONGS = 4


def run(full: bool) -> None:
    """Print all tables; `full` measures at ten times the size."""
    sizes = FULL_SIZES if full else SIZES
    with tempfile.TemporaryDirectory() as folder:
        costs = []
        for tracks in sizes:
            with processes(1) as fresh:
                costs.append(fresh.submit(measure, folder, tracks).result())
        embed_seconds = _embed_seconds(Path(folder))
    print("# Scale\n")
    _print_costs(costs)
    _print_needs(plan.needs(costs, embed_seconds))
    _print_listeners(costs)
    _print_engines(sizes[-1], costs[-1])


def _embed_seconds(folder: Path) -> float:
    """Return the seconds of one core that a track takes by features."""
    music = folder / "music"
    music.mkdir()
    with processes(1) as alone:
        first, *found = songs(music, SONGS + 1)
        alone.submit(features.embed, str(first)).result()
        began = time.perf_counter()
        for path in found:
            alone.submit(features.embed, str(path)).result()
        return (time.perf_counter() - began) / len(found)


def _print_costs(costs: Sequence[Costs]) -> None:
    columns = ("tracks", "disk", "read candidates", "memory", "3 picks", "read embeddings",
               "similar tracks", "learn a rating", "predict all")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for one in costs:
        cells = [
            plan.shown(one.disk_bytes, "bytes"),
            plan.shown(one.candidates_seconds, "s"),
            plan.shown(one.candidates_bytes, "bytes"),
            *(plan.shown(seconds, "s") for seconds in (
                one.pick_seconds, one.vectors_seconds, one.similar_seconds, one.learn_seconds,
                one.score_seconds,
            )),
        ]  # fmt: skip
        print(f"| {one.tracks:,} | {' | '.join(cells)} |")
    print()


def _print_needs(needs: Sequence[plan.Need]) -> None:
    names = [f"{name}, {tracks:,} tracks" for name, tracks in SCENARIOS.items()]
    print("## One listener\n")
    print(f"| operation | limit | reached at | {' | '.join(names)} |")
    print("|---|---|---|" + "---|" * len(names))
    for need in needs:
        reaches = need.line.reaches(need.limit)
        up_to = f"{_rounded(reaches):,} tracks" if reaches < 1e12 else "any size"
        there = " | ".join(need.shown(tracks) for tracks in SCENARIOS.values())
        print(f"| {need.what} | {plan.shown(need.limit, need.unit)} | {up_to} | {there} |")
    print()


def _print_listeners(costs: Sequence[Costs]) -> None:
    print(
        f"## Many listeners on one library of {SHARED_TRACKS:,} tracks\n\n"
        f"Number of listeners for whom 95 % of refills take at most {REFILL_SECONDS:g} s, "
        f"and updates after a rating {EFFECT_SECONDS:g} s.\n"
    )
    print(f"| approach | {' | '.join(f'{cores} cores' for cores in CORES)} |")
    print("|---" * (1 + len(CORES)) + "|")
    for name, tracks in (
        ("as today, whole library for each", SHARED_TRACKS),
        (f"best {SHORTLIST:,} tracks from an index", SHORTLIST),
    ):
        refill = _at(costs, "candidates_seconds", tracks) + _at(costs, "pick_seconds", tracks)
        rating = _at(costs, "learn_seconds", tracks) + _at(costs, "score_seconds", tracks)
        served = [
            largest(Machine(cores, refill, rating), REFILL_SECONDS, EFFECT_SECONDS)
            for cores in CORES
        ]
        said = f"{name} ({plan.shown(refill, 's')} a refill, {plan.shown(rating, 's')} a rating)"
        print(f"| {said} | {' | '.join(f'{count:,}' for count in served)} |")
    print()


def _print_engines(tracks: int, costs: Costs) -> None:
    print(f"## Ten nearest of {tracks:,} embeddings of {features.STAMP.dimension} dimensions\n")
    print("| index | build, s | query, ms | bytes per track | recall |\n|---|---|---|---|---|")
    asked = 1000 * costs.similar_seconds
    print(f"| none (daemon, reads SQLite) | 0 | {asked:.0f} | 0 | 100% |")
    for row in engines.rows(tracks, features.STAMP.dimension):
        print(row)
    print()


def _at(costs: Sequence[Costs], name: str, tracks: float) -> float:
    return plan.line(costs, lambda one: float(getattr(one, name))).at(tracks)


def _rounded(value: float) -> int:
    """Return two significant digits: more would be a promise."""
    digits = max(0, int(math.log10(value)) - 1) if value >= 1 else 0
    return int(round(value, -digits))
