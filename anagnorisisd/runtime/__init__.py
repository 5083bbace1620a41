"""The process of the daemon: event loop, supervision, reload, systemd, logging, memory."""
