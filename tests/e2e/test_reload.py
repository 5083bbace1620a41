"""A running daemon reads its configuration again on SIGHUP, as `systemctl reload` has it do."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisis.v1 import pick_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.manager import Manager
from tests.support.mpd import write_songs


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with Manager(tmp_path / "notify") as listening:
        yield listening


@pytest.fixture
def daemon(tmp_path: Path, manager: Manager) -> Iterator[RunningDaemon]:
    write_songs(tmp_path / "music", [f"{number}.wav" for number in range(8)], seconds=1.0)
    with running_daemon(tmp_path / "home", tmp_path / "music", tmp_path / "no-mpd") as running:
        running.until(lambda: running.status().library.embedded == 8)
        yield running


def reload(daemon: RunningDaemon, manager: Manager, settings: str) -> str:
    """Have the daemon read other settings; return what it says of them."""
    before = len(said(manager))
    daemon.configure(settings)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: len(said(manager)) > before)
    return said(manager)[-1]


def said(manager: Manager) -> list[str]:
    """Return the results of all reloads; each follows the word that it began."""
    results = [message for message in manager.heard if "STATUS" in message]
    begun = [message for message in manager.heard if "RELOADING" in message]
    assert len(begun) >= len(results)
    assert all(message["READY"] == "1" for message in results)
    return [message["STATUS"] for message in results]


def previewed(daemon: RunningDaemon) -> int:
    """Return how many picks are usually ahead."""
    return len(daemon.pick.PreviewPicks(pick_pb2.PreviewPicksRequest(), timeout=60).picks)


def test_reload_applies_live_keys_and_lists_the_others(
    daemon: RunningDaemon, manager: Manager
) -> None:
    assert previewed(daemon) == 3

    result = reload(daemon, manager, "picks:\n  ahead: 5\nratings:\n  channel: other\n")

    assert previewed(daemon) == 5
    assert result == (
        "the configuration was read again, now picks.ahead = 5; "
        'only a restart applies ratings.channel = "other"'
    )
    assert result in daemon.log.read_text()


def test_invalid_configuration_is_logged_and_not_applied(
    daemon: RunningDaemon, manager: Manager
) -> None:
    result = reload(daemon, manager, "picks:\n  ahead: 5\n  exlore: 1\nlog:\n  level: loud\n")

    assert previewed(daemon) == 3
    assert "the old one stays" in result
    log = daemon.log.read_text()
    assert "picks.exlore: unknown key; did you mean picks.explore?" in log
    assert 'log.level: "loud" is not one of debug, info, warning, error' in log
    assert reload(daemon, manager, "picks:\n  ahead: 2\n").endswith("now picks.ahead = 2")
    assert previewed(daemon) == 2
    assert daemon.stop() == 0
