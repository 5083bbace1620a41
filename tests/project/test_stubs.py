"""The committed stubs match the proto files."""

import itertools
import re
from pathlib import Path

from tools import generate_stubs


def test_the_committed_stubs_are_fresh(tmp_path: Path) -> None:
    generate_stubs.generate(tmp_path)

    fresh = generate_stubs.written(tmp_path)
    committed = generate_stubs.written(generate_stubs.CLIENTS)

    stale = sorted(
        name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name)
    )
    assert not stale, "run `python tools/generate_stubs.py` and commit what it writes"


def test_the_stubs_import_each_other_unpatched() -> None:
    for name, content in generate_stubs.written(generate_stubs.CLIENTS).items():
        for module in re.findall(r"^from (\S+) import \w+_pb2", content.decode(), re.MULTILINE):
            assert module in {"anagnorisis.v1", "google.protobuf"}, name


def test_every_proto_element_has_a_comment() -> None:
    element = re.compile(
        r"^\s*(message|service|enum|rpc|oneof|(optional |repeated )?[\w.<>, ]+ \w+ = \d+;"
        r"|[A-Z_0-9]+ = \d+;)"
    )
    for path in generate_stubs.CONTRACT.rglob("*.proto"):
        lines = path.read_text().splitlines()
        for before, line in itertools.pairwise(lines):
            if element.match(line):
                assert before.strip().startswith("//"), f"{path.name}: {line.strip()}"
