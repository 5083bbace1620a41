"""A server that speaks an old version of MPD's protocol and lacks parts of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from anagnorisisd.config import schema
from anagnorisisd.doctor import checks, probe
from anagnorisisd.doctor.finding import Severity
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import PlayerDisconnected
from anagnorisisd.mpd.session import is_too_old
from anagnorisisd.storage.stores import Stores
from tests.support.connected_player import at, watching
from tests.support.hostile import serving
from tests.support.mopidy import Mopidy
from tests.support.mpd import Mpd, write_songs
from tests.support.services_with_mpd import mpd_services
from tests.support.until import until

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcdefgh"]


@pytest.fixture
async def mopidy(tmp_path: Path) -> AsyncIterator[Mopidy]:
    (tmp_path / "mpd").mkdir()
    write_songs(tmp_path / "music", SONGS, 0.1)
    server = Mopidy(SONGS)
    server.current = server.add("a.wav")
    async with serving(tmp_path / "mpd" / "socket", server.talk):
        yield server


async def test_refused_commands_keep_the_connection(
    mopidy: Mopidy, stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with mpd_services(Mpd(tmp_path / "mpd", tmp_path / "music"), stores) as listener:
        with listener.events.subscribe() as announcements:
            await until(lambda: len(mopidy.queue) == 4)
            removed = mopidy.queue.pop()
            mopidy.version += 1
            await mopidy.tell()
            await until(lambda: len(mopidy.queue) == 4 and removed not in mopidy.queue)
            await asyncio.sleep(0)

            events = [told.event for told in announcements.arrived()]
            lacking = listener.player.link().missing_features

        assert not any(isinstance(event, PlayerDisconnected) for event in events)
        assert mopidy.connections == 2
        assert "0.19.0" in lacking[0]
        assert "not supported" in lacking[0]


async def test_a_track_is_queued_next_without_relative_positions(
    mopidy: Mopidy, tmp_path: Path
) -> None:
    first, *_ = (mopidy.add(uri) for uri in ("b.wav", "c.wav"))
    mopidy.current = first
    async with watching(at(tmp_path / "mpd" / "socket"), tmp_path / "music") as watched:
        await watched.connected()

        song_id = await watched.player.enqueue_next(Uri("d.wav"))

    assert [uri for _, uri in mopidy.queue] == ["a.wav", "b.wav", "d.wav", "c.wav"]
    assert mopidy.queue[2][0] == song_id


async def test_the_unsupported_version_is_logged_once(
    mopidy: Mopidy, stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with mpd_services(Mpd(tmp_path / "mpd", tmp_path / "music"), stores) as listener:
        for connections in (4, 6):
            mopidy.hang_up()
            await until(partial(_has_taken, mopidy, connections))
            await until(lambda: listener.player.link().connected)

    warnings = [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING]
    assert [line for line in warnings if "not supported" in line] == [warnings[0]]


def _has_taken(mopidy: Mopidy, connections: int) -> bool:
    return mopidy.connections == connections


async def test_the_doctor_reports_the_unsupported_version(mopidy: Mopidy, tmp_path: Path) -> None:
    config = schema.Mpd(address=str(tmp_path / "mpd" / "socket"))

    finding = checks.check_mpd(await probe.probe_mpd(config, tmp_path / "music", {}))

    assert finding.severity is Severity.PROBLEM
    assert "0.19.0" in finding.message
    assert "0.21" in (finding.remedy or "")


@pytest.mark.parametrize(
    ("version", "old"),
    [("0.19.0", True), ("0.20.23", True), ("0.21.0", False), ("0.23.5", False), ("1.0", False),
     ("0.9", True), ("", False), ("beta", False)],
)  # fmt: skip
def test_is_too_old(version: str, old: bool) -> None:
    assert is_too_old(version) is old
