"""How far a scan of the music folder has come."""

from dataclasses import dataclass, replace

from anagnorisisd.storage.file_upsert import UpsertResult


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan has come.

    `found` counts files; of them, `unchanged` need not be read (those that are back as they were
    before they went missing included), and `read` have been read. What
    was read gave `added` tracks, files that `moved` or `changed`, or `problems`. `missing`
    counts tracks which lost their last file and were not found elsewhere. `problem` says why
    the folder as a whole cannot be read, if it cannot.
    """

    found: int = 0
    unchanged: int = 0
    read: int = 0
    added: int = 0
    moved: int = 0
    changed: int = 0
    missing: int = 0
    problems: int = 0
    problem: str | None = None
    done: bool = False

    @property
    def to_read(self) -> int:
        """How many files this scan has to read in all."""
        return self.found - self.unchanged

    def and_absorbed(self, absorbed: UpsertResult, files: int) -> "ScanProgress":
        """Return the progress after a batch of `files`."""
        return replace(
            self,
            read=self.read + files,
            added=self.added + len(absorbed.added),
            moved=self.moved + absorbed.moved,
            changed=self.changed + absorbed.changed,
            problems=self.problems + absorbed.problems,
            missing=max(0, self.missing - absorbed.moved),
        )
