"""Synchronisation of ratings with MPD's stickers, which other clients show and set.

`sync` starts it on events; `snapshot` reads the stickers and tells the listener's changes from
stickers that MPD lost, for example when it comes back without any; `comparison` and `likes` apply
the tables in `rules`; `writer` writes ratings, `export` predicted ratings and play counts.
"""
