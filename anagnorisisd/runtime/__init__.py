"""Life of the process: signals, supervision, reload, systemd, logging."""
