"""A radio station on loopback: the same few seconds of Ogg Vorbis, until it goes off the air."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.media import encoded

SECONDS = 2.0
AHEAD_SECONDS = 4.0
"""So much is sent at once, as stations do; then as much as is heard."""


@dataclass
class Station:
    """Where it can be heard, and the switch that takes it off the air."""

    address: str
    silent: threading.Event = field(default_factory=threading.Event)
    listeners: int = 0


@contextmanager
def on_air() -> Iterator[Station]:
    """Send to whoever listens until the end of the block."""
    station = Station("")
    piece = encoded("ogg", seconds=SECONDS)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            station.listeners += 1
            self.send_response(200)
            self.send_header("Content-Type", "application/ogg")
            self.send_header("icy-name", "Radio Loopback")
            self.end_headers()
            began, sent = time.monotonic(), 0.0
            while not station.silent.is_set():
                try:
                    self.wfile.write(piece)
                except OSError:
                    return
                sent += SECONDS
                station.silent.wait(max(0.0, began + sent - AHEAD_SECONDS - time.monotonic()))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        station.address = f"http://127.0.0.1:{server.server_port}/radio.ogg"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield station
        finally:
            station.silent.set()
            server.shutdown()
            thread.join()
