"""The contract as Buf sees it: its style, and that no release is broken."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUF = ROOT / "clients" / "node" / "node_modules" / ".bin" / "buf"


def buf(*words: str) -> str:
    """Run Buf over the contract and return its complaints."""
    if not BUF.exists():
        pytest.skip("buf is not installed; run npm ci in clients/node")
    done = subprocess.run([BUF, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def last_release() -> str | None:
    """Return the tag of the last release, `None` before the first."""
    done = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def test_the_contract_is_in_the_standard_style_and_commented() -> None:
    assert buf("lint", "proto") == ""


def test_released_messages_and_methods_are_unchanged() -> None:
    tag = last_release()
    if tag is None:
        pytest.skip("there is no release yet")

    assert buf("breaking", "proto", "--against", f".git#tag={tag},subdir=proto") == ""
