"""The progress bar of extraction, in pairs.

`cups extract` and `cups import` show it for each drive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PERIOD_S = 0.1


@contextmanager
def counting_pairs(
    console: Console, title: str, total: int | None
) -> Iterator[Callable[[int], None]]:
    """Show a bar; the function that comes out takes the number of pairs that are done."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        bar = progress.add_task(title, total=total, rate="")
        shown_s = 0.0

        def show(done: int) -> None:
            nonlocal shown_s
            # A thousand pairs a second pass: the bar must not cost more than they do.
            now_s = time.monotonic()
            if now_s - shown_s < PERIOD_S and done != total:
                return
            shown_s = now_s
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            rate = f"{speed:.0f} pairs/s" if speed else ""
            progress.update(bar, completed=done, rate=rate)

        yield show
