"""Rates one track for ever, and says after each rating that it was acknowledged.

`python -m tests.support.busy_rater DIRECTORY` is run, and killed, by the crash test.
"""

import asyncio
import sys
from pathlib import Path

from anagnorisisd.storage.stores import open_stores
from tests.support.library import EPOCH, add_tracks, play


async def main(directory: Path) -> None:
    """Rate and play until killed; a line is the sequence of an acknowledged rating."""
    stores = await open_stores(directory)
    (track,) = await add_tracks(stores, "a.mp3")
    while True:
        change = await stores.ratings.rate(track, 5, at=EPOCH, source="relentless")
        print(change.rating.sequence, flush=True)
        await stores.plays.append(play(track))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
