"""python-mpd2's asyncio client, mended in two places.

* Since MPD 0.24 `config` answers with several settings, of which python-mpd2 makes nothing.
* A link lost while idling is told to whoever waits, and then once more, as an unhandled exception
  in a callback; the second telling is noise in the log.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import mpd
from mpd.asyncio import MPDClient


class _Command:
    """Where `add_command` leaves a command without looking whether the client has it already."""


def _settings(client: MPDClient, lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


_settings.mpd_commands_binary = _settings.mpd_commands_direct = False  # type: ignore[attr-defined]
MPDClient.add_command.__func__(_Command, "config", _settings)


class Client(MPDClient):  # type: ignore[misc]
    """The client that every connection uses."""

    config = _Command.config  # type: ignore[attr-defined]

    def _MPDClient__idle_result(self, result: "asyncio.Future[Any]") -> None:  # noqa: N802
        if result.cancelled() or isinstance(result.exception(), mpd.CommandError | None):
            super()._MPDClient__idle_result(result)
