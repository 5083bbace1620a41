"""Logging: text for people, lines with a priority for systemd's journal, or JSON.

The journal reads a leading `<6>` as the priority (sd-daemon(3)) and adds the time itself.

| level   | what is said                                                             |
|---------|--------------------------------------------------------------------------|
| error   | a service failed                                                         |
| warning | the listener has to act                                                  |
| info    | what is listened on, which MPD was found, what is unusual but harmless   |
| debug   | everything else; the only level at which files, and so listening, are named |
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from anagnorisisd.config.schema import Log, LogFormat

PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
QUIET_LIBRARIES = ("apscheduler", "asyncio", "grpc", "mpd", "watchdog")
"""Libraries whose info and debug messages are dropped."""


class JournalFormatter(logging.Formatter):
    """One line per record, newlines folded, so that each line of a traceback has its priority."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with its priority in front of every line."""
        mark = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


class JsonFormatter(logging.Formatter):
    """One object per record: `time` (RFC 3339, UTC), `level`, `part`, `message`, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class CurrentStderr(logging.Handler):
    """Writes to the present `sys.stderr`, which a live display may replace."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a write error is handled by `logging` and not raised."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


def start(config: Log, variables: Mapping[str, str]) -> None:
    """Send the log of the process to standard error, in the configured format."""
    handler = CurrentStderr()
    handler.setFormatter(_formatter(config.format, variables))
    logging.basicConfig(handlers=[handler], force=True)
    set_level(config)
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    # It warns twice about each overflow of the inotify queue, which `watcher` handles.
    logging.getLogger("watchdog").setLevel(logging.ERROR)


def set_level(config: Log) -> None:
    """Apply the configured level."""
    logging.getLogger().setLevel(config.level.value.upper())


def _formatter(chosen: LogFormat, variables: Mapping[str, str]) -> logging.Formatter:
    if chosen is LogFormat.JSON:
        return JsonFormatter()
    if _for_journal(chosen, variables):
        return JournalFormatter("%(message)s")
    return logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")


def _for_journal(chosen: LogFormat, variables: Mapping[str, str]) -> bool:
    return chosen is LogFormat.JOURNAL or (
        chosen is LogFormat.AUTO and _is_the_journal(variables.get("JOURNAL_STREAM", ""))
    )


def _is_the_journal(stream: str) -> bool:
    """Return whether standard error is the stream that systemd named, and was not redirected."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


class LastMessage:
    """The last message about a problem: one that lasts is logged once, and not at every retry."""

    def __init__(self) -> None:
        self._text: str | None = None

    def changes_to(self, text: str | None) -> bool:
        """Remember `text`, `None` if there is no problem; return whether it differs from before."""
        changed, self._text = text != self._text, text
        return changed
