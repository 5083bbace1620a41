"""`export` and `import`."""

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from anagnorisis import text
from anagnorisis.connection import connected
from anagnorisis.failure import USAGE, Failed
from anagnorisis.output import show_json
from anagnorisis.v1 import history_pb2 as messages
from anagnorisis.v1.history_pb2_grpc import HistoryServiceStub

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 500
SECONDS_TO_IMPORT = 120.0
FOREIGN = {
    "tags": messages.FOREIGN_SOURCE_FILE_TAGS,
    "stickers": messages.FOREIGN_SOURCE_STICKERS,
}


def export(arguments: Namespace) -> None:
    """Write ratings and plays to a file."""
    from anagnorisis import records

    as_csv = arguments.file.endswith(".csv")
    with connected(arguments) as channel:
        answers = HistoryServiceStub(channel).ExportHistory(messages.ExportHistoryRequest())
        entries = (answer.entry for answer in answers)
        if arguments.file == "-":
            records.write(entries, sys.stdout, as_csv=as_csv)
            return
        try:
            with open(arguments.file, "w", encoding="utf-8", newline="") as file:
                count = records.write(entries, file, as_csv=as_csv)
        except OSError as error:
            raise Failed(f"{arguments.file}: {error.strerror}") from error
    if arguments.json:
        print(json.dumps({"file": arguments.file, "entries": count}))
    else:
        print(f"{count} entries written to {arguments.file}")


def take(arguments: Namespace) -> None:
    """Take over ratings and plays, or say what would be."""
    counts: Counter[int] = Counter()
    with connected(arguments) as channel:
        stub = HistoryServiceStub(channel)
        entries = _entries(stub, arguments.origin)
        while batch := list(islice(entries, BATCH)):
            request = messages.ImportHistoryRequest(entries=batch, dry_run=arguments.dry_run)
            answer = stub.ImportHistory(request, timeout=SECONDS_TO_IMPORT)
            counts.update(result.outcome for result in answer.results)
            _show(batch, answer, arguments.json)
    if not arguments.json:
        print(_summary(counts, arguments.dry_run))


def _entries(stub: HistoryServiceStub, origin: str) -> Iterator[messages.HistoryEntry]:
    if origin in FOREIGN:
        request = messages.FindForeignRatingsRequest(source=FOREIGN[origin])
        yield from (answer.entry for answer in stub.FindForeignRatings(request))
        return
    try:
        yield from _from_file(origin)
    except OSError as error:
        raise Failed(f"{origin}: {error.strerror}", USAGE) from error
    except ValueError as error:
        raise Failed(f"{origin}: {text.printable(str(error))}", USAGE) from error


def _from_file(path: str) -> Iterable[messages.HistoryEntry]:
    if path.endswith(".db"):
        from anagnorisis import project_db

        return project_db.read(path)
    from anagnorisis import records

    # Read to the end before anything is imported: a file that is broken changes nothing.
    with open(path, encoding="utf-8", newline="") as file:
        return list(records.read(file, as_csv=path.endswith(".csv")))


def _show(
    batch: "Sequence[messages.HistoryEntry]", answer: messages.ImportHistoryResponse, as_json: bool
) -> None:
    for entry, result in zip(batch, answer.results, strict=True):
        if as_json:
            show_json(result, line=True)
        elif result.reason:
            which = entry.uri or entry.track_id
            print(f"left out: {text.printable(which)}: {text.printable(result.reason)}")


def _summary(counts: "Counter[int]", dry_run: bool) -> str:
    taken = counts[messages.IMPORT_OUTCOME_TAKEN]
    known = counts[messages.IMPORT_OUTCOME_KNOWN]
    left_out = counts[messages.IMPORT_OUTCOME_LEFT_OUT]
    would = "would be " if dry_run else ""
    return f"{taken} {would}taken over, {known} known already, {left_out} left out"
