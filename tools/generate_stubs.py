"""Write the Python stubs of the contract: `python tools/generate_stubs.py`.

The proto package is the Python package, so the stubs import each other as they are; no generated
line is patched.
"""

import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = ROOT / "proto"
CLIENTS = ROOT / "clients"
STUBS = Path("anagnorisis") / "v1"
WELL_KNOWN = Path(protoc.__file__).parent / "_proto"
SCRIPTS = Path(sysconfig.get_path("scripts"))


def generate(target: Path) -> None:
    """Write the stubs of every proto file below `target`.

    Raises:
        RuntimeError: the compiler refused the contract; its complaint is on standard error.
    """
    arguments = [
        "protoc",
        f"--proto_path={CONTRACT}",
        f"--proto_path={WELL_KNOWN}",
        # Named in full, so that the environment need not be the activated one.
        f"--plugin=protoc-gen-mypy={SCRIPTS / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={SCRIPTS / 'protoc-gen-mypy_grpc'}",
        *(f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")),
        *(str(path.relative_to(CONTRACT)) for path in sorted(CONTRACT.rglob("*.proto"))),
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc refused the contract")
    (target / STUBS / "__init__.py").write_text('"""Generated from `proto/anagnorisis/v1`."""\n')


def written(root: Path) -> dict[str, bytes]:
    """Return the stubs below `root` by file name."""
    return {path.name: path.read_bytes() for path in (root / STUBS).glob("*.py*") if path.is_file()}


def main(arguments: Sequence[str]) -> int:
    """Replace the committed stubs."""
    if arguments:
        print(f"usage: python {Path(__file__).name}", file=sys.stderr)
        return 2
    (CLIENTS / STUBS).mkdir(parents=True, exist_ok=True)
    for name in written(CLIENTS):
        (CLIENTS / STUBS / name).unlink()
    generate(CLIENTS)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
