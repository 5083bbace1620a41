"""The Python client of Anagnorisis for MPD: the command line and the stubs of the contract."""

VERSION = "0.1.0"
