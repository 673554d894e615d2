"""Shows an inspected drive in the terminal: topics, time, pairing, what is wrong, what to run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cups_training.inspection.drive_facts import DriveFacts, TopicFacts
from cups_training.inspection.extract_command import extract_command
from cups_training.inspection.pair_statistics import BINS_MS, PairStatistics
from cups_training.inspection.problems import Weight, can_be_extracted, problems
from cups_training.inspection.rig_facts import RigFacts

BLOCKS = " ▁▂▃▄▅▆▇█"
BAR_CELLS = 30
MARKS = {Weight.STOPS: ("✗", "red"), Weight.COSTS: ("!", "yellow"), Weight.NOTE: ("·", "dim")}
PLAIN_TYPES = ("sensor_msgs/msg/", "std_msgs/msg/", "geometry_msgs/msg/")


def print_drive(console: Console, facts: DriveFacts, joined: str | None) -> None:
    """Print everything a person wants to know; `joined` names the drive where bags were joined."""
    parts: list[RenderableType] = [_summary(facts), _topics(facts)]
    if facts.rigs:
        parts += [_heading("stereo"), _rig(facts.rigs[0]), _heading("time"), _timeline(facts)]
    parts += [_heading("what to know"), _problems(facts)]
    console.print(Panel(Group(*parts), title=f"[bold]{facts.name}[/]", title_align="left"))
    if can_be_extracted(facts):
        # Outside of the frame, where it can be copied.
        console.print(_command(extract_command(facts, joined)), soft_wrap=True)
    console.print()


def _heading(word: str) -> RenderableType:
    return Padding(Text(word, style="bold cyan"), (1, 0, 0, 0))


def _summary(facts: DriveFacts) -> Text:
    kinds = sorted({source.path.suffix.lstrip(".") or "file" for source in facts.sources})
    count = sum(item.topic.count or 0 for item in facts.topics.values())
    length_s = (facts.end_ns - facts.start_ns) / 1e9
    text = Text()
    text.append(f"{_bytes(sum(source.size for source in facts.sources))} ", style="bold")
    text.append(f"in {len(facts.sources)} {'/'.join(kinds)} · ")
    text.append(f"{count} messages", style="bold")
    text.append(f" over {length_s:.1f} s")
    if facts.start_ns:
        start = datetime.fromtimestamp(facts.start_ns / 1e9, timezone.utc)
        text.append(f" · {start:%Y-%m-%d %H:%M:%S} UTC", style="dim")
    return text


def _topics(facts: DriveFacts) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("topic", overflow="fold")
    for name in ("type", "count", "Hz", "lag", "images"):
        table.add_column(name, justify="left" if name in ("type", "images") else "right")
    chosen = set(vars(facts.rigs[0].topics).values()) if facts.rigs else set()
    for name, item in facts.topics.items():
        table.add_row(
            Text(name, style="bold green" if name in chosen else ""),
            _plain_type(item.topic.type_name),
            "?" if item.topic.count is None else str(item.topic.count),
            f"{item.rate_hz:.1f}" if item.rate_hz else "",
            _lag(item),
            ", ".join(map(str, item.heads)),
        )
    return table


def _rig(rig: RigFacts) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("left, right", f"{rig.topics.left_image}, {rig.topics.right_image}")
    for name, value in _calibration(rig):
        table.add_row(name, value)
    if rig.epipolar is not None:
        is_good = rig.epipolar.fault is None
        verdict = Text(rig.epipolar.verdict, style="green" if is_good else "yellow")
        table.add_row("pictures", Text(f"{rig.picture}, ").append_text(verdict))
    pairs = rig.pairs
    color = "green" if pairs.paired_share > 0.99 else "yellow"
    share = Text(f"{pairs.paired_share:.1%}", style=color)
    table.add_row(
        "pairs",
        Text(f"{pairs.pairs} of {pairs.left} left and {pairs.right} right (")
        .append_text(share)
        .append(f"); {pairs.exact_share:.1%} with equal stamps"),
    )
    table.add_row("left to right", f"median {pairs.median_ms:.3g} ms, 95 %: {pairs.p95_ms:.3g} ms")
    if pairs.exact_share < 1.0:
        table.add_row("", _histogram(pairs))
    return table


def _calibration(rig: RigFacts) -> Iterator[tuple[str, str]]:
    if rig.cameras is None:
        yield "calibration", "none that can be used"
        return
    left = rig.cameras[0]
    bent = f"{left.distortion_model} distortion" if left.is_distorted else "no distortion"
    state = "pictures are rectified" if rig.is_rectified else "pictures will be rectified"
    if rig.rectification is not None:
        made = rig.rectification.rig
        yield (
            "calibration",
            f"{left.width}x{left.height}, f {made.K[0, 0]:.1f} px, centre ({made.K[0, 2]:.1f}, "
            f"{made.K[1, 2]:.1f}), baseline {made.baseline_m * 100:.1f} cm, {bent}; {state}",
        )


def _histogram(pairs: PairStatistics) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    most = max(pairs.histogram)
    labels = ["equal", *(f"≤ {upper:g} ms" for upper in BINS_MS[1:]), f"> {BINS_MS[-1]:g} ms"]
    filled = [place for place, count in enumerate(pairs.histogram) if count]
    for place in range(filled[0], filled[-1] + 1):
        count = pairs.histogram[place]
        bar = "█" * round(BAR_CELLS * count / most) or ("▏" if count else "")
        upper = BINS_MS[place] if place < len(BINS_MS) else float("inf")
        inside = pairs.tolerance_ms is not None and upper <= pairs.tolerance_ms
        style = "green" if inside else "yellow"
        table.add_row(Text(labels[place], justify="right"), Text(bar, style=style), str(count))
    return table


def _timeline(facts: DriveFacts) -> Table:
    """One strip per camera: height is the number of images, red is none."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    topics = facts.rigs[0].topics
    for word, name in (("left", topics.left_image), ("right", topics.right_image)):
        item = facts.topics[name]
        most = max(item.timeline, default=0)
        strip = Text()
        for count in item.timeline:
            level = BLOCKS[round(8 * count / most)] if most else " "
            strip.append(level if count else "·", style="green" if count else "red")
        gaps = item.stamps.gap_count if item.stamps else 0
        note = f"{gaps} gaps" if gaps != 1 else "1 gap"
        table.add_row(Text(word, style="dim"), strip, note if gaps else "")
    return table


def _problems(facts: DriveFacts) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    found = problems(facts)
    if all(problem.weight is Weight.NOTE for problem in found):
        table.add_row(Text("✓", style="green"), Text("nothing is wrong", style="green"))
    for problem in found:
        mark, style = MARKS[problem.weight]
        table.add_row(Text(mark, style=style), Text(problem.sentence, style=style))
    return table


def _command(words: Sequence[str]) -> Text:
    text = Text("  ")
    for word in words:
        if word.startswith("--"):
            text.append(" \\\n      ")
        text.append(shlex.quote(word) + " ", style="bold")
    return text


def _plain_type(type_name: str) -> str:
    for package in PLAIN_TYPES:
        type_name = type_name.removeprefix(package)
    return type_name.replace("/msg/", "/")


def _lag(item: TopicFacts) -> str:
    if item.stamps is None:
        return ""
    lag_ms = item.stamps.lag_ns / 1e6
    return f"{lag_ms / 1e3:.1f} s" if abs(lag_ms) >= 1e4 else f"{lag_ms:.1f} ms"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
