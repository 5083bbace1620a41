"""The example client in another language, against a real server."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisisd.domain.track import Uri
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import add_tracks
from tests.support.rpc import House, command, serving

CLIENT = Path(__file__).parents[2] / "clients" / "node"


@pytest.fixture(scope="module")
def node() -> None:
    """Skip where Node or the example's two packages are not installed (`npm ci`)."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    found = subprocess.run(
        ["node", "-e", "import('@grpc/proto-loader').then(() => import('@grpc/grpc-js'))"],
        cwd=CLIENT,
        capture_output=True,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"the packages of the example are not installed; run npm ci in {CLIENT}")


@pytest.fixture
async def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    house = House.build(stores, clock)
    await add_tracks(stores, "a.ogg")
    house.player.database = {Uri("a.ogg"): 100.0}
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.mark.usefixtures("node")
async def test_node_client_rates_the_current_song(house: House, tmp_path: Path) -> None:
    house.player.add("a.ogg")
    await house.player.play()

    done = await command("node", str(CLIENT / "rate.mjs"), "8.5", socket=tmp_path / "sock")

    assert (done.code, done.out, done.err) == (0, "a: 8.5\n", "")
    newest = (await house.stores.ratings.history(limit=1))[0]
    assert (newest.value, newest.source) == (8.5, "node")


@pytest.mark.usefixtures("node")
async def test_node_client_shows_the_error_text(house: House, tmp_path: Path) -> None:
    done = await command("node", str(CLIENT / "rate.mjs"), "11", socket=tmp_path / "sock")

    assert (done.code, done.out) == (1, "")
    assert done.err == "INVALID_ARGUMENT: rating: 11 is not between 0 and 10\n"
