"""Reloading the configuration: what applies at once, and what is logged."""

import logging

import pytest

from anagnorisisd.config.schema import Config, Log, LogLevel, Mpd, Music, Picks, Rpc, Tcp
from anagnorisisd.config.settings import dotted
from anagnorisisd.errors import ConfigError
from anagnorisisd.runtime import config_reload
from anagnorisisd.runtime.config_reload import ConfigReloader

WANTED = Config(
    music=Music(exclude=("*.demo.mp3",), rescan_minutes=5),
    mpd=Mpd(address="localhost:6600"),
    picks=Picks(ahead=7),
    rpc=Rpc(tcp=Tcp(address="127.0.0.1:6680")),
)


def test_changed_keys_are_found_with_whether_they_apply_at_once() -> None:
    found = {dotted(one.key): one.live for one in config_reload.changed_keys(Config(), WANTED)}

    assert found == {
        "music.exclude": False,
        "music.rescan_minutes": True,
        "mpd.address": False,
        "picks.ahead": True,
        "rpc.tcp.address": False,
    }


def test_only_live_keys_are_adopted() -> None:
    taken = config_reload.with_live_values(Config(), WANTED)

    assert taken == Config(music=Music(rescan_minutes=5), picks=Picks(ahead=7))


def test_equal_configurations_have_no_changes() -> None:
    assert list(config_reload.changed_keys(WANTED, WANTED)) == []


class Parts:
    """Stands in for the daemon's parts: remembers what it was handed."""

    def __init__(self) -> None:
        self.handed: list[Config] = []

    def reconfigure(self, config: Config) -> None:
        self.handed.append(config)


async def reloaded(wanted: Config | ConfigError) -> tuple[ConfigReloader, Parts, str]:
    def read() -> Config:
        if isinstance(wanted, ConfigError):
            raise wanted
        return wanted

    reloading, parts = ConfigReloader(Config(), read), Parts()
    return reloading, parts, await reloading.reload(parts.reconfigure)


async def test_a_reload_applies_live_keys_and_logs_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reloading, parts, said = await reloaded(WANTED)

    assert parts.handed == [reloading.config]
    assert reloading.config.picks.ahead == 7
    assert reloading.config.mpd.address is None
    assert said == (
        "the configuration was read again, now music.rescan_minutes = 5.0, picks.ahead = 7; "
        'only a restart applies music.exclude = ["*.demo.mp3"], mpd.address = "localhost:6600", '
        'rpc.tcp.address = "127.0.0.1:6680"'
    )
    assert [(entry.levelname, entry.message) for entry in caplog.records] == [("WARNING", said)]


async def test_pending_changes_are_logged_at_each_reload() -> None:
    reloading, parts, first = await reloaded(WANTED)

    again = await reloading.reload(parts.reconfigure)

    assert "with no effect; only a restart applies" in again
    assert again.partition("; ")[2] == first.partition("; ")[2]


async def test_an_invalid_configuration_changes_nothing_and_logs_every_problem(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problems = ["my.yaml:1:1: picks.ahed: unknown key", "my.yaml:2:1: mpd: no section"]

    reloading, parts, said = await reloaded(ConfigError(problems))

    assert parts.handed == []
    assert reloading.config == Config()
    assert said == "the new configuration cannot be used, the old one stays"
    assert [entry.message for entry in caplog.records] == [*problems, said]
    assert {entry.levelno for entry in caplog.records} == {logging.ERROR}


async def test_a_reload_changes_the_log_level() -> None:
    before = logging.getLogger().level
    try:
        await reloaded(Config(log=Log(level=LogLevel.ERROR)))

        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(before)
