"""Embedding on other computers, by the workers of a Dask scheduler.

`order` says in plain values what is asked of a worker, and judges what comes back; `members` keeps
count of the workers; `link` is the connection to the scheduler; `embedder` stands behind the port.
What runs on a worker is `anagnorisisd.remote`, imported there by its name from the installed
package: no code is sent. Only `link` imports Dask, and only when it is switched on.
"""
