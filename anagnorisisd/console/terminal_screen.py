"""The live view on a terminal: scan and embedding progress, the playing track, queued picks."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from anagnorisisd.console import messages
from anagnorisisd.console.snapshot import Snapshot
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.track import Track

BAR_CELLS = 30


class TerminalScreen:
    """Redraws a region of the terminal; log messages scroll above it."""

    def __init__(self, console: Console, client: str) -> None:
        self._client = client
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(view(snapshot, self._client), refresh=True)

    def close(self) -> None:
        """Keep the last view on the terminal and show the cursor again."""
        self._live.stop()


def view(snapshot: Snapshot, client: str) -> RenderableType:
    """Return the view of a snapshot."""
    return Group(*_parts(snapshot, client))


def _parts(snapshot: Snapshot, client: str) -> Iterator[RenderableType]:
    yield from _progress(snapshot)
    yield Text(messages.playback(snapshot), style="bold")
    if snapshot.ahead:
        yield _ahead(snapshot)
    if snapshot.no_picks:
        yield Text(messages.picking_state(snapshot.no_picks), style="yellow")
    for notice in snapshot.notices:
        yield Text(notice, style="yellow")
    for line in (*messages.command_hints(client), "Stop: Ctrl-C"):
        yield Text(line, style="dim")


def _progress(snapshot: Snapshot) -> Iterator[RenderableType]:
    scan, embedding = snapshot.scan, snapshot.embedding
    if scan:
        yield _bar(messages.scan_progress(scan), total=None if not scan.finished else 1, done=1)
    if embedding and embedding.total:
        processed = embedding.total - embedding.pending
        yield _bar(messages.embedding_progress(embedding), embedding.total, processed)


def _bar(label: str, total: int | None, done: int) -> RenderableType:
    """Return a labelled progress bar; without a total it only pulses."""
    if total is not None and done >= total:
        return Text(f"✓ {label}", style="green")
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=total, completed=done, width=BAR_CELLS, pulse=total is None), label
    )
    return row


def _ahead(snapshot: Snapshot) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("picks ahead", overflow="ellipsis", ratio=1, min_width=24, no_wrap=True)
    table.add_column("rating", no_wrap=True)
    table.add_column(messages.WEIGHT_FACTORS, max_width=len(messages.WEIGHT_FACTORS))
    table.add_column("chance", justify="right", no_wrap=True)
    for track, why in snapshot.ahead:
        table.add_row(*_row(track, why))
    return table


def _row(track: Track, why: Explanation) -> tuple[Text | str, ...]:
    return (
        Text(messages.track_name(track)),
        messages.rating_with_source(why),
        messages.weight_factors(why),
        f"{why.probability:.1%}",
    )
