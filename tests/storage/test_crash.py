"""The daemon is killed in the middle of writing; what it acknowledged is there."""

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from anagnorisisd.storage.stores import FILE_NAME, open_stores
from tests.support.library import STAMP, track_id

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROUNDS = 3


def acknowledged_until_killed(directory: Path, lines: int) -> list[int]:
    """Let ratings be written and kill their writer after `lines` acknowledgements, or more."""
    command = [sys.executable, "-m", "tests.support.busy_rater", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        heard = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.kill()
        # What was said before the kill was acknowledged, too; the last line may be torn.
        rest = writer.stdout.read().splitlines(keepends=True)
    return heard + [int(line) for line in rest if line.endswith("\n")]


async def test_no_acknowledged_rating_is_lost(tmp_path: Path) -> None:
    rng = random.Random(1)
    acknowledged: set[int] = set()
    for _ in range(ROUNDS):
        acknowledged.update(acknowledged_until_killed(tmp_path, rng.randint(1, 60)))
        connection = sqlite3.connect(tmp_path / FILE_NAME)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        stores = await open_stores(tmp_path)
        stored = {entry.sequence for entry in await stores.ratings.history(limit=100_000)}
        assert acknowledged <= stored
        plays = len(await stores.plays.recent(100_000))
        assert (await stores.library.track(track_id("a.mp3"), STAMP)).play_count == plays
        await stores.close()
