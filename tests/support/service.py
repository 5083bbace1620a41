"""The service of a user in a booted machine, as its listener sees it: systemctl and the client."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.support.machine import Machine

UNIT = "anagnorisis.service"


@dataclass(frozen=True)
class Service:
    """The service of a user in a machine; root's is that of the system."""

    machine: Machine
    user: str

    def ctl(self, *words: str, code: int | None = 0) -> str:
        """Speak to the systemd that runs it."""
        manager = "--system" if self.user == "root" else "--user"
        return self.machine.run("systemctl", manager, *words, user=self.user, code=code)

    def show(self, name: str) -> str:
        """Return a property of the unit."""
        return self.ctl("show", "--value", f"--property={name}", UNIT).strip()

    @property
    def pid(self) -> str:
        """Its main process, seen in the machine."""
        return self.show("MainPID")

    def client(self, *words: str) -> list[Any]:
        """Type a command of the client, and return the objects that it answers with."""
        said = self.machine.run("anagnorisis", *words, "--json", user=self.user)
        found, rest = [], said.strip()
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            found.append(value)
            rest = rest[end:].lstrip()
        return found

    def library(self) -> Counter[str]:
        """Return how many tracks there are, and how many of them are embedded."""
        (status,) = self.client("status")
        return Counter({name: int(number) for name, number in status["library"].items()})

    def back(self, before: str) -> bool:
        """Say whether it is active again, as another process than `before`."""
        return self.show("ActiveState") == "active" and self.pid not in {"0", before}

    def embedded(self, tracks: int) -> bool:
        """Say whether it has so many tracks, and every one its vector."""
        library = self.library()
        return library["embedded"] == library["tracks"] == tracks
