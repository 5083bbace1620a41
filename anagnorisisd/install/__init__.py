"""`anagnorisisd install`: systemd units, programs, man page and shell completions."""
