"""Help as wide as the terminal, made without delay."""

import argparse
import os


class Formatter(argparse.HelpFormatter):
    """What argparse has, except that it does not import `shutil` to learn the width.

    argparse makes one for each argument there is, whether or not help is shown; with what `shutil`
    imports in turn, that was an eighth of what a rating takes beyond the import of grpc.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns
    except (ValueError, OSError):
        return 80
