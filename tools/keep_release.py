"""Keeps what this version promises to later ones, for their tests; see `docs/releasing.md`.

    python -m tools.keep_release

`tests/fixtures/releases/VERSION` gets the API as `api.binpb`, a set of descriptors; the database of
a daemon that has embedded tracks, learnt and seen a play as `state.sql`; and its history as the
client exports it, `history.jsonl`. It needs MPD and what the tests need. Run it again whenever one
of them changes before the version is released, and never after.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from grpc_tools import protoc

from anagnorisis import VERSION
from tools.console import GiveUp, guarded, say
from tools.generate_stubs import CONTRACT, WELL_KNOWN

RELEASES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "releases"
API, STATE, HISTORY = "api.binpb", "state.sql", "history.jsonl"


def keep_api(target: Path) -> None:
    """Write the descriptors of the contract, with those that it imports.

    Raises:
        GiveUp: the compiler refused the contract.
    """
    arguments = [
        "protoc",
        f"--proto_path={CONTRACT}",
        f"--proto_path={WELL_KNOWN}",
        "--include_imports",
        f"--descriptor_set_out={target}",
        *(str(path.relative_to(CONTRACT)) for path in sorted(CONTRACT.rglob("*.proto"))),
    ]
    if protoc.main(arguments) != 0:
        raise GiveUp("protoc refused the contract")


def keep_state(folder: Path) -> None:
    """Write the database, as SQL, and the exported history of a daemon that was used."""
    from anagnorisisd.storage.stores import FILE_NAME
    from tests.support.released_state import use_daemon

    with tempfile.TemporaryDirectory() as scratch:
        state, history = use_daemon(Path(scratch))
        with closing(sqlite3.connect(state / FILE_NAME)) as connection:
            (folder / STATE).write_text("\n".join(connection.iterdump()) + "\n")
    (folder / HISTORY).write_text(history)


def main() -> None:
    """Replace what is kept of the present version."""
    folder = RELEASES / VERSION
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    keep_api(folder / API)
    keep_state(folder)
    for path in sorted(folder.iterdir()):
        say(f"{path}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    guarded(main)
