"""The live view: progress while the library is read, then what plays and what comes next."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from anagnorisisd.console import wording
from anagnorisisd.console.snapshot import Snapshot
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.track import Track

BAR_CELLS = 30


class TerminalScreen:
    """Redraws one region of the terminal; log lines scroll by above it."""

    def __init__(self, console: Console, client: str) -> None:
        self._client = client
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def show(self, snapshot: Snapshot) -> None:
        """Draw the daemon as it is now."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(view(snapshot, self._client), refresh=True)

    def close(self) -> None:
        """Leave the last view standing and give the cursor back."""
        self._live.stop()


def view(snapshot: Snapshot, client: str) -> RenderableType:
    """Return the whole view of one snapshot."""
    return Group(*_parts(snapshot, client))


def _parts(snapshot: Snapshot, client: str) -> Iterator[RenderableType]:
    yield from _progress(snapshot)
    yield Text(wording.playing(snapshot), style="bold")
    if snapshot.ahead:
        yield Padding(_ahead(snapshot), (1, 0, 0, 0))
    for notice in snapshot.notices:
        yield Text(notice, style="yellow")
    yield Text(wording.how_to_rate(client) + "    Stop: Ctrl-C", style="dim")


def _progress(snapshot: Snapshot) -> Iterator[RenderableType]:
    scan, embedding = snapshot.scan, snapshot.embedding
    if scan:
        yield _bar(wording.scanning(scan), total=None if not scan.done else 1, done=1)
    if embedding:
        settled = embedding.done + embedding.failed
        yield _bar(wording.embedding(embedding), settled + embedding.pending, settled)


def _bar(label: str, total: int | None, done: int) -> RenderableType:
    """Return a labelled bar; without a total it only shows that something goes on."""
    if total is not None and done >= total:
        return Text(f"✓ {label}", style="green")
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=total, completed=done, width=BAR_CELLS, pulse=total is None), label
    )
    return row


def _ahead(snapshot: Snapshot) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Picks ahead", title_justify="left", pad_edge=False)
    table.add_column("track", overflow="ellipsis", ratio=3, no_wrap=True)
    for heading in ("rating", "× skips", "× recency", "× guards", "chance", "rank"):
        table.add_column(heading, justify="right", no_wrap=True)
    for track, why in snapshot.ahead:
        table.add_row(*_row(track, why))
    return table


def _row(track: Track, why: Explanation) -> tuple[Text | str, ...]:
    guards = 1.0
    for factor in why.guards.values():
        guards *= factor
    source = {"rating": "rated", "predicted": "predicted"}.get(why.rating_source, "assumed")
    return (
        Text(wording.name(track)),
        f"{source} {why.rating:.1f} → {why.rating_factor:.3g}",
        f"{why.skip_factor:.2g}",
        f"{why.recency_factor:.2g}",
        f"{guards:.2g}",
        f"{why.probability:.1%}",
        f"{why.rank} of {why.candidates}",
    )
