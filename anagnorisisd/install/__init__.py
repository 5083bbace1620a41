"""`anagnorisisd install`: units, programs, man pages and completions."""
