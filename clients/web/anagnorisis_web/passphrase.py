"""The passphrase of the page: asked for once, stored as a hash."""

import getpass
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from anagnorisis import atomic_write
from anagnorisis.errors import USAGE, Failed

MIN_LENGTH = 8
MAX_LENGTH = 1024
COST = 1 << 15
"""Of scrypt with blocks of 8: a guess takes about 0.1 s and 32 MB, as OWASP recommends."""


class Passphrase(NamedTuple):
    """Hash of a passphrase by scrypt, and its salt."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str, salt: bytes | None = None) -> "Passphrase":
        """Hash a passphrase."""
        salt = secrets.token_bytes(16) if salt is None else salt
        return cls(salt, _scrypt(text, salt))

    def matches(self, text: str) -> bool:
        """Return whether `text` is the passphrase."""
        return hmac.compare_digest(Passphrase.of(text, self.salt).digest, self.digest)

    @property
    def generation(self) -> str:
        """Identifies this passphrase in sessions: another passphrase ends them all."""
        return hashlib.sha256(self.salt + self.digest).hexdigest()[:16]


def _scrypt(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(text.encode(), salt=salt, n=COST, r=8, p=1, maxmem=64 << 20)


def path_of_hash() -> Path:
    """Return where the hash is stored."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base, "anagnorisis", "web-passphrase.json")


def load() -> Passphrase | None:
    """Read the hash; return `None` if no passphrase was set.

    Raises:
        Failed: the file cannot be read or is damaged.
    """
    path = path_of_hash()
    try:
        stored = json.loads(path.read_text())
        return Passphrase(bytes.fromhex(stored["salt"]), bytes.fromhex(stored["scrypt"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{path} is damaged; set the passphrase again") from error


def ask_and_store() -> None:
    """Ask for a passphrase on the terminal and store its hash.

    Raises:
        Failed: it is too short or long, or not typed twice alike, or cannot be stored.
    """
    text = getpass.getpass("Passphrase for the web page: ")
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise Failed(f"a passphrase has {MIN_LENGTH} to {MAX_LENGTH} characters", USAGE)
    if getpass.getpass("Once more: ") != text:
        raise Failed("the two passphrases differ; nothing was stored", USAGE)
    hashed = Passphrase.of(text)
    path = path_of_hash()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = json.dumps({"salt": hashed.salt.hex(), "scrypt": hashed.digest.hex()})
    atomic_write.write(str(path), [content.encode()])
    print(f"stored in {path}; restart anagnorisis-web")
