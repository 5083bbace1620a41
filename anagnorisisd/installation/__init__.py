"""`anagnorisisd install`: what the wheels carry goes where systemd, shells and man look for it."""
