"""Keeps a session with MPD open, and reconnects after increasing delays."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from anagnorisis import mpd_address
from anagnorisisd.clock import Clock
from anagnorisisd.config.schema import Mpd
from anagnorisisd.domain.player import PlayerLink
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.mpd.session import Session, open_first

log = logging.getLogger(__name__)

MIN_RECONNECT_SECONDS = 0.5
"""The delay before the first attempt to reconnect; it doubles with each attempt."""

MAX_RECONNECT_SECONDS = 15.0
"""The longest delay between two attempts."""


class ReconnectingSession:
    """Connects while `changes` is iterated; otherwise there is no session.

    `library` is the music directory as this computer sees it, `None` if the library has MPD's URIs.
    Messages are received from `channel`, unless it is empty.
    """

    def __init__(self, config: Mpd, library: Path | None, channel: str, clock: Clock) -> None:
        self._config = config
        self._library = library
        self._channel = channel
        self._clock = clock
        self._addresses = mpd_address.candidates(config.address, os.environ)
        self._session: Session | None = None
        self._session_count = 0
        self._reason: str | None = None
        self._logged_features: tuple[str, ...] = ()

    def current(self) -> Session:
        """Return the open session.

        Raises:
            PlayerUnavailable: there is none at present.
        """
        if self._session is None:
            raise PlayerUnavailable(f"not connected to MPD: {self._reason or 'connecting'}")
        return self._session

    def link(self) -> PlayerLink:
        """Return the state of the connection; never blocks."""
        session = self._session
        if session is None:
            return PlayerLink(False, str(self._addresses[0]), reason=self._reason)
        return PlayerLink(
            connected=True,
            address=str(session.address),
            protocol_version=session.commands.version,
            music_directory=session.music_directory,
            missing_features=session.missing_features,
            session=self._session_count,
        )

    async def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield the names of the subsystems that changed; see `Player.changes`."""
        delay, logged_error, reported_lost = MIN_RECONNECT_SECONDS, "", False
        try:
            while True:
                try:
                    session = await self._connect()
                    delay, logged_error, reported_lost = MIN_RECONNECT_SECONDS, "", False
                    yield frozenset({"connected"})
                    async with aclosing(session.idle.changes()) as changes:
                        async for changed in changes:
                            yield changed
                except (PlayerUnavailable, PlayerRefused) as error:
                    self._disconnect(str(error))
                    if str(error) != logged_error:
                        logged_error = str(error)
                        log.warning("not connected to MPD; retrying: %s", error)
                if not reported_lost:
                    reported_lost = True
                    yield frozenset({"lost"})
                await self._clock.sleep(delay)
                delay = min(MAX_RECONNECT_SECONDS, delay * 2)
        finally:
            self._disconnect("the daemon disconnected")

    async def _connect(self) -> Session:
        session = await open_first(self._addresses, self._config, self._library, self._channel)
        self._session = session
        self._session_count += 1
        log.info("connected to MPD %s at %s", session.commands.version, session.address)
        for message in session.missing_features:
            if message not in self._logged_features:
                log.warning("%s", message)
        self._logged_features = session.missing_features
        return session

    def _disconnect(self, reason: str) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._reason = None, reason
