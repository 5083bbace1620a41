"""`HistoryService`: the play history, and import and export of ratings and plays."""

import math
from collections.abc import AsyncIterator
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import history_pb2 as messages
from anagnorisis.v1.history_pb2_grpc import HistoryServiceServicer
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import InvalidValue
from anagnorisisd.ratings.import_export import (
    HistoryEntry,
    ImportExport,
    ImportOutcome,
    ImportResult,
    PlayEntry,
    RatingEntry,
)
from anagnorisisd.ratings.importable_ratings import ImportableRatings
from anagnorisisd.rpc import conversion, event_stream, paging, validation
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.plays import PlayStore

Context = ServicerContext[Any, Any]

MAX_ENTRIES = 1000
MAX_REASON_LENGTH = 300
"""Characters of a rejection reason, so that a response with 1000 reasons fits into a message."""

OUTCOMES = {
    ImportOutcome.IMPORTED: messages.IMPORT_OUTCOME_IMPORTED,
    ImportOutcome.DUPLICATE: messages.IMPORT_OUTCOME_DUPLICATE,
    ImportOutcome.REJECTED: messages.IMPORT_OUTCOME_REJECTED,
}
PLAY_OUTCOMES = {message: outcome for outcome, message in event_stream.PLAY_OUTCOMES.items()}


class HistoryServicer(HistoryServiceServicer):
    """Implements `HistoryService`."""

    def __init__(
        self,
        import_export: ImportExport,
        importable: ImportableRatings,
        plays: PlayStore,
        tracks: TrackLookup,
    ) -> None:
        self._import_export = import_export
        self._importable = importable
        self._plays = plays
        self._tracks = tracks

    async def ListPlays(
        self, request: messages.ListPlaysRequest, context: Context
    ) -> messages.ListPlaysResponse:
        """List plays in pages, the most recently ended first."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        before = paging.position(request.page_token, "plays")
        found = await self._plays.page(size + 1, before)
        page = found[:size]
        uris = await self._tracks.uris(play.track_id for _, play in page)
        return messages.ListPlaysResponse(
            plays=[_play_message(play, uris.get(play.track_id)) for _, play in page],
            next_page_token=paging.token(page[-1][0], "plays") if len(found) > size else "",
        )

    async def ExportHistory(
        self, request: messages.ExportHistoryRequest, context: Context
    ) -> AsyncIterator[messages.ExportHistoryResponse]:
        """Stream all ratings and plays."""
        async for entry in self._import_export.export():
            yield messages.ExportHistoryResponse(entry=_entry_message(entry))

    async def ImportHistory(
        self, request: messages.ImportHistoryRequest, context: Context
    ) -> messages.ImportHistoryResponse:
        """Import entries; with `dry_run` only return the outcome of each entry."""
        if len(request.entries) > MAX_ENTRIES:
            raise InvalidValue("entries", f"{len(request.entries)} are more than {MAX_ENTRIES}")
        parsed = [_parse_or_reject(message) for message in request.entries]
        entries = [each for each in parsed if isinstance(each, HistoryEntry)]
        imported = iter(
            await run_to_completion(
                self._import_export.import_entries(entries, dry_run=request.dry_run)
            )
        )
        results = [next(imported) if isinstance(each, HistoryEntry) else each for each in parsed]
        return messages.ImportHistoryResponse(results=map(_result_message, results))

    async def FindImportableRatings(
        self, request: messages.FindImportableRatingsRequest, context: Context
    ) -> AsyncIterator[messages.FindImportableRatingsResponse]:
        """Stream the ratings in file tags or MPD stickers."""
        match request.source:
            case messages.IMPORT_SOURCE_FILE_TAGS:
                found = self._importable.in_tags()
            case messages.IMPORT_SOURCE_STICKERS:
                found = self._importable.in_stickers()
            case _:
                raise InvalidValue("source", "set file tags or stickers")
        async for entry in found:
            yield messages.FindImportableRatingsResponse(entry=_entry_message(entry))


def _parse_or_reject(message: messages.HistoryEntry) -> HistoryEntry | ImportResult:
    """Return an entry, or a rejection: an invalid entry does not fail the whole request."""
    try:
        return _parse_entry(message)
    except InvalidValue as error:
        return ImportResult(ImportOutcome.REJECTED, str(error))


def _parse_entry(message: messages.HistoryEntry) -> HistoryEntry:
    if message.uri:
        validation.path("target.uri", message.uri)
    return HistoryEntry(
        TrackId(message.track_id) if message.track_id else None,
        Uri(message.uri),
        validation.unix_seconds("entries.timestamp", message.timestamp)
        if message.HasField("timestamp")
        else None,
        validation.source(message.source),
        _parse_content(message),
    )


def _parse_content(message: messages.HistoryEntry) -> RatingEntry | PlayEntry:
    match message.WhichOneof("content"):
        case "rating":
            return RatingEntry(message.rating.value if message.rating.HasField("value") else None)
        case "play":
            play = message.play
            if play.outcome not in PLAY_OUTCOMES:
                raise InvalidValue("entries.play.outcome", f"unknown value {play.outcome}")
            seconds = play.duration_seconds if play.HasField("duration_seconds") else math.nan
            known = math.isfinite(seconds) and seconds > 0
            return PlayEntry(
                PLAY_OUTCOMES[play.outcome], play.heard_seconds, seconds if known else None
            )
        case _:
            raise InvalidValue("entries.content", "set one of rating or play")


def _play_message(play: Play, uri: Uri | None) -> messages.HistoryEntry:
    content = PlayEntry(play.outcome, play.heard_seconds, play.duration_seconds)
    return _entry_message(HistoryEntry(play.track_id, uri or Uri(""), play.ended_at, "", content))


def _entry_message(entry: HistoryEntry) -> messages.HistoryEntry:
    message = messages.HistoryEntry(
        track_id=entry.track_id or "",
        uri=conversion.printable(entry.uri),
        timestamp=conversion.timestamp(entry.at),
        source=conversion.printable(entry.source),
    )
    match entry.content:
        case RatingEntry(value):
            message.rating.CopyFrom(messages.RatingEntry(value=value))
        case PlayEntry(outcome, heard, duration):
            message.play.CopyFrom(
                messages.PlayEntry(
                    outcome=event_stream.PLAY_OUTCOMES[outcome],
                    heard_seconds=heard,
                    duration_seconds=duration,
                )
            )
    return message


def _result_message(result: ImportResult) -> messages.ImportResult:
    reason = conversion.printable(result.reason)
    if len(reason) > MAX_REASON_LENGTH:
        reason = f"{reason[: MAX_REASON_LENGTH - 3]}..."
    return messages.ImportResult(outcome=OUTCOMES[result.outcome], reason=reason)
