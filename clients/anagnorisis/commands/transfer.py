"""Commands `export` and `import`."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from anagnorisis import atomic_write, text
from anagnorisis.connection import connected
from anagnorisis.errors import USAGE, Failed
from anagnorisis.v1 import history_pb2 as messages
from anagnorisis.v1.history_pb2_grpc import HistoryServiceStub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anagnorisis.history_file import Found

BATCH = 500
BATCH_BYTES = 1 << 18
"""A quarter of the daemon's limit for a request."""

SECONDS_TO_IMPORT = 120.0
SOURCES = {
    "tags": messages.IMPORT_SOURCE_FILE_TAGS,
    "stickers": messages.IMPORT_SOURCE_STICKERS,
}
REJECTED = messages.IMPORT_OUTCOME_REJECTED


def export(arguments: Namespace) -> None:
    """Write ratings and plays to a file."""
    from anagnorisis import records

    count = 0

    def entries(
        answers: Iterable[messages.ExportHistoryResponse],
    ) -> Iterator[messages.HistoryEntry]:
        nonlocal count
        for answer in answers:
            count += 1
            yield answer.entry

    with connected(arguments) as channel:
        answers = HistoryServiceStub(channel).ExportHistory(messages.ExportHistoryRequest())
        as_csv = arguments.file.lower().endswith(".csv")
        atomic_write.write(arguments.file, records.serialize(entries(answers), as_csv=as_csv))
    if atomic_write.is_standard_output(arguments.file):
        return
    if arguments.json:
        print(json.dumps({"file": arguments.file, "entries": count}))
    else:
        print(f"{text.counted(count, 'entry', 'entries')} written to {arguments.file}")


def import_entries(arguments: Namespace) -> None:
    """Import ratings and plays; with `--dry-run` only show the outcome."""
    counts: Counter[int] = Counter()
    unreadable = 0
    with connected(arguments) as channel:
        stub = HistoryServiceStub(channel)
        for batch in _batches(_read_origin(stub, arguments.origin)):
            results = _import_batch(stub, batch, dry_run=arguments.dry_run)
            for found, result in zip(batch, results, strict=True):
                counts[result.outcome] += 1
                unreadable += found.entry is None
                _show(found, result, arguments.json)
    if not arguments.json:
        print(_summary(counts, arguments.dry_run))
    if unreadable:
        counted = text.counted(unreadable, "entry", "entries")
        raise Failed(f"{arguments.origin}: {counted} could not be read")


def _read_origin(stub: HistoryServiceStub, origin: str) -> "Iterator[Found]":
    from anagnorisis.history_file import Found

    if origin in SOURCES:
        request = messages.FindImportableRatingsRequest(source=SOURCES[origin])
        for answer in stub.FindImportableRatings(request):
            yield Found("", answer.entry)
        return
    try:
        yield from _from_file(origin)
    except OSError as error:
        raise Failed(f"{origin}: {error.strerror}", USAGE) from error
    except ValueError as error:
        raise Failed(f"{origin}: {text.printable(str(error))}", USAGE) from error


def _from_file(path: str) -> "Iterator[Found]":
    if path.endswith(".db"):
        from anagnorisis import project_db

        yield from project_db.read(path)
        return
    from anagnorisis import history_file

    with open(path, "rb") as file:
        yield from history_file.read(file, as_csv=path.lower().endswith(".csv"))


def _batches(found: "Iterable[Found]") -> "Iterator[list[Found]]":
    """Group entries into batches that fit into a request."""
    batch: list[Found] = []
    size = 0
    for each in found:
        more = each.entry.ByteSize() if each.entry else 0
        if batch and (len(batch) == BATCH or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += more
    if batch:
        yield batch


def _import_batch(
    stub: HistoryServiceStub, batch: "Sequence[Found]", *, dry_run: bool
) -> list[messages.ImportResult]:
    """Import a batch and return a result for each item; unreadable items are not sent."""
    entries = [found.entry for found in batch if found.entry]
    results: Iterator[messages.ImportResult] = iter(())
    if entries:
        request = messages.ImportHistoryRequest(entries=entries, dry_run=dry_run)
        results = iter(stub.ImportHistory(request, timeout=SECONDS_TO_IMPORT).results)
    return [
        next(results)
        if found.entry
        else messages.ImportResult(outcome=REJECTED, reason=found.reason)
        for found in batch
    ]


def _show(found: "Found", result: messages.ImportResult, as_json: bool) -> None:
    if as_json:
        outcome = messages.ImportOutcome.Name(result.outcome)
        print(json.dumps({"outcome": outcome, "reason": result.reason, "location": found.location}))
    elif result.reason:
        track = (found.entry.uri or found.entry.track_id) if found.entry else ""
        line = ": ".join(filter(None, (found.location, track, result.reason)))
        print(f"rejected: {text.printable(line)}")


def _summary(counts: "Counter[int]", dry_run: bool) -> str:
    imported = counts[messages.IMPORT_OUTCOME_IMPORTED]
    duplicates = counts[messages.IMPORT_OUTCOME_DUPLICATE]
    rejected = counts[REJECTED]
    would = "would be " if dry_run else ""
    return f"{imported} {would}imported, {duplicates} known already, {rejected} rejected"
