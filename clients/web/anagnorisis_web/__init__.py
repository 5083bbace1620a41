"""Web page of Anagnorisis for MPD: a client of the daemon's gRPC service."""
