"""The contract as Buf sees it: its style, and that no release is broken."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.generate_stubs import CONTRACT
from tools.keep_release import API, RELEASES, keep_api

ROOT = Path(__file__).parents[2]
BUF = ROOT / "clients" / "node" / "node_modules" / ".bin" / "buf"


def buf(*words: str) -> str:
    """Run Buf over the contract and return its complaints."""
    if not BUF.exists():
        pytest.skip("buf is not installed; run npm ci in clients/node")
    done = subprocess.run([BUF, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_contract_is_in_the_standard_style_and_commented() -> None:
    assert buf("lint", "proto") == ""


@pytest.mark.parametrize("release", sorted(RELEASES.iterdir()), ids=lambda folder: folder.name)
def test_released_messages_and_methods_are_unchanged(release: Path) -> None:
    assert buf("breaking", "proto", "--against", str(release / API)) == ""


def test_a_breaking_change_is_found(tmp_path: Path) -> None:
    changed = tmp_path / "proto"
    shutil.copytree(CONTRACT, changed)
    contract = changed / "anagnorisis" / "v1" / "rating.proto"
    contract.write_text(contract.read_text().replace("rpc RateTrack(", "rpc RateSong("))
    released = tmp_path / API
    keep_api(released)

    assert 'RPC "RateTrack"' in buf("breaking", str(changed), "--against", str(released))
