"""Why something on disk cannot be read, in a few words."""

import errno
import os


def reason_of(error: OSError) -> str:
    """Return the reason recorded for a file or folder."""
    match error:
        case PermissionError():
            return "permission denied"
        case FileNotFoundError():
            return "not there"
        case NotADirectoryError():
            return "not a folder"
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads to itself"
    return f"cannot be read: {os.strerror(error.errno)}" if error.errno else "cannot be read"
