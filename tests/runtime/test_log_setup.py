"""The log as text, as JSON, and with priorities for the journal, in processes of their own."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest


def logged(level: str, form: str, script: str) -> list[str]:
    start = (
        "import os; from anagnorisisd.runtime import log_setup; "
        "from anagnorisisd.config.schema import Log; import logging; "
        f"log_setup.start(Log(level={level!r}, format={form!r}), os.environ); "
        "log=logging.getLogger('x')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{start}\n{script}"], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_json_record_has_all_fields() -> None:
    script = "try: 1/0\nexcept ZeroDivisionError: log.exception('%s\\n%s', 'one', 'two')"

    (line,) = logged("info", "json", script)

    said = json.loads(line)
    assert datetime.fromisoformat(said.pop("time")).tzinfo is UTC
    assert said.pop("traceback").endswith("ZeroDivisionError: division by zero")
    assert said == {"level": "error", "part": "x", "message": "one\ntwo"}


def test_each_line_for_the_journal_has_a_priority() -> None:
    script = "log.warning('w')\ntry: 1/0\nexcept ZeroDivisionError: log.exception('e')"

    lines = logged("info", "journal", script)

    assert lines[:2] == ["<4>w", "<3>e"]
    assert all(line.startswith("<3>") for line in lines[1:])
    assert lines[-1] == "<3>ZeroDivisionError: division by zero"


def test_text_has_time_and_level() -> None:
    lines = logged("warning", "auto", "log.info('i'); log.warning('w')")

    assert len(lines) == 1
    assert lines[0].split()[1:] == ["WARNING", "w"]


def test_info_lines_of_libraries_are_dropped() -> None:
    assert logged("debug", "text", "logging.getLogger('grpc').info('x')") == []


def test_redirected_stderr_is_not_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")

    assert "WARNING" in logged("info", "auto", "log.warning('w')")[0]


def test_journal_is_detected(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import os, logging; from anagnorisisd.runtime import log_setup; "
                "from anagnorisisd.config.schema import Log; log_setup.start(Log(), os.environ); "
                "logging.warning('w')",
            ],
            env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
            stderr=stream,
            check=True,
        )

    assert (tmp_path / "stream").read_text() == "<4>w\n"
