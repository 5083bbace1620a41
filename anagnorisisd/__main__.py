"""Starts the command line: `python -m anagnorisisd`."""

import sys

from anagnorisisd.cli import main

if __name__ == "__main__":
    sys.exit(main())
