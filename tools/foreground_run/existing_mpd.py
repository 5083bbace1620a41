"""The MPD the listener may have running already, its music, and whether it plays from a folder."""

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

import mpd
from mpd.base import mpd_commands

from anagnorisis.mpd_address import Address, candidates
from tools.foreground_run.mpd_greeting import TIMEOUT_SECONDS, greets
from tools.foreground_run.music import audio

SAMPLE = 20
"""How many files are asked for where MPD does not tell its music directory."""


@mpd_commands("config")  # type: ignore[untyped-decorator]
def _settings(_client: mpd.MPDClient, lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


class _Client(mpd.MPDClient):  # type: ignore[misc]
    """A client whose `config` returns every setting.

    python-mpd2 expects one setting and returns `None` for the several of MPD 0.24.
    """


_Client.add_command("config", _settings)


class ListenersMpd:
    """An MPD that answers."""

    def __init__(self, address: Address, client: _Client) -> None:
        self.address = address
        self._client = client
        self.music_directory = self._told_directory()

    def plays_from(self, folder: Path, formats: Collection[str]) -> bool:
        """Tell whether what lies in `folder` can be played by this MPD.

        It tells its music directory over a local socket only; elsewhere it is asked for some of
        the files.
        """
        if self.music_directory:
            return folder.resolve().is_relative_to(self.music_directory.resolve())
        uris = [str(path.relative_to(folder)) for path in islice(audio(folder, formats), SAMPLE)]
        return any(self._knows(uri) for uri in uris)

    def find_music(self, configured: Iterable[Path], formats: Collection[str]) -> Path | None:
        """Return the music directory: what MPD tells, else what it plays from of `configured`."""
        if self.music_directory:
            return self.music_directory
        return next((path for path in configured if self.plays_from(path, formats)), None)

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()

    def _told_directory(self) -> Path | None:
        try:
            told = self._client.config().get("music_directory")
        except (mpd.MPDError, OSError, ValueError):
            return None
        return Path(told) if told else None

    def _knows(self, uri: str) -> bool:
        try:
            return bool(self._client.find("file", uri))
        except (mpd.MPDError, OSError, UnicodeError):
            return False


def find(configured: str | None, variables: Mapping[str, str]) -> ListenersMpd | None:
    """Return the first MPD that answers among the places where mpc would look."""
    for address in candidates(configured, variables):
        client = _Client()
        if greets(address) and _connects(client, address):
            return ListenersMpd(address, client)
    return None


def _connects(client: _Client, address: Address) -> bool:
    client.timeout = TIMEOUT_SECONDS
    try:
        client.connect(address.host, None if address.is_socket else address.port)
        if address.password:
            client.password(address.password)
    except (mpd.MPDError, OSError):
        client.disconnect()
        return False
    return True
