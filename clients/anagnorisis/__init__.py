"""Python client of Anagnorisis for MPD: the command line and the gRPC stubs."""

VERSION = "0.1.0"
