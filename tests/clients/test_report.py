"""`anagnorisis report`: the page comes over the wire, whole or not at all."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisisd.rpc.daemon_service import CHUNK_BYTES
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.rpc import House, run, said, serving


@pytest.fixture
async def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    house = House.build(stores, clock)
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_page_of_any_size_is_written_to_the_file(
    house: House, socket: Path, tmp_path: Path
) -> None:
    house.page = "<p>Björk" + "é" * 3 * CHUNK_BYTES
    file = tmp_path / "page.html"

    assert await said(socket, "report", str(file)) == (f"report written to {file}\n")
    assert file.read_text(encoding="utf-8") == house.page
    assert json.loads(await said(socket, "report", str(file), "--json")) == {"file": str(file)}


async def test_a_dash_means_standard_output(house: House, socket: Path) -> None:
    assert await said(socket, "report", "-") == house.page


async def test_missing_matplotlib_prints_one_line_and_writes_no_file(
    house: House, socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.extras.find_spec", lambda name: None)

    done = await run(socket, "report", str(tmp_path / "page.html"))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("anagnorisis: the report needs matplotlib, which is not installed; ")
    assert done.err.count("\n") == 1
    # `.ock` is the socket behind the relay.
    assert names(tmp_path) == {"sock", ".ock", "sock.lock", "state"}


async def test_a_file_that_cannot_be_written_is_said(
    house: House, socket: Path, tmp_path: Path
) -> None:
    done = await run(socket, "report", str(tmp_path / "nowhere" / "page.html"))

    assert done.code == 1
    assert done.err.endswith("page.html cannot be written: No such file or directory\n")
