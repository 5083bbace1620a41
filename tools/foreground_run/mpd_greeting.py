"""Whether an MPD answers at an address, found out without a client's machinery."""

import socket

from anagnorisis.mpd_address import Address

TIMEOUT_SECONDS = 3.0
GREETING = b"OK MPD "


def greets(address: Address) -> bool:
    """Tell whether an MPD says hello; a stopped one accepts connections but never does."""
    try:
        with _connected(address) as link:
            return link.recv(len(GREETING)) == GREETING
    except OSError:
        return False


def _connected(address: Address) -> socket.socket:
    if not address.is_socket:
        return socket.create_connection((address.host, address.port), TIMEOUT_SECONDS)
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(TIMEOUT_SECONDS)
    try:
        link.connect(address.host.replace("@", "\0", 1))
    except OSError:
        link.close()
        raise
    return link
