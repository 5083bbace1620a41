"""Embedding on other computers, by the workers of a Dask scheduler.

`protocol` defines what is asked of a worker, as plain values, and checks the answers;
`worker_registry` counts the workers and their load; `client` is the connection to the scheduler;
`embedder` is the `Embedder` that uses them. `worker` runs on the workers, which import it from the
package installed there: no code is sent. Only `client` imports Dask, and only when it is switched
on.
"""
