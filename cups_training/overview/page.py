"""The page of an overview: concerns, figures, what was dropped, every drive, splits, calibration.

The overview fills it; it needs nothing beside it and no script.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from cups_training.html_parts import page_style, tiles
from cups_training.overview.concerns import Concern
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.drive_part import drive_part
from cups_training.overview.label_state import LabelState
from cups_training.overview.reasons import KEPT, in_order, meaning
from cups_training.overview.samples import NO_LOOK, Look
from cups_training.overview.tables import (
    calibration_table,
    drive_table,
    label_table,
    lost_table,
    made_table,
    reason_table,
)
from cups_training.overview.words import count_text, length_text, size_text

FIRST_CONCERNS = 8


@dataclass(frozen=True)
class Content:
    """What the page shows.

    Attributes:
        title: name of the dataset.
        manifest: of the dataset; empty where it has none.
        drives: all of them.
        shown: those that get a time line and pictures.
        looks: what was seen of those, by name.
        concerns: what to know first.
        labels: of all recipes.
        bytes_on_disk: of all pictures.
    """

    title: str
    manifest: Mapping[str, Any]
    drives: Sequence[DriveFacts]
    shown: Sequence[DriveFacts]
    looks: Mapping[str, Look]
    concerns: Sequence[Concern]
    labels: Sequence[LabelState]
    bytes_on_disk: int


def overview_page(content: Content) -> str:
    """The HTML."""
    kinds: Counter[str] = sum((facts.kinds for facts in content.drives), Counter())
    return Template((files(__package__) / "overview.html").read_text()).substitute(
        style=page_style(),
        title=html.escape(content.title),
        subtitle=html.escape(_subtitle(content)),
        concerns=_concerns(content),
        tiles=tiles(_figures(content, kinds)),
        balance=_balance(kinds),
        reasons=reason_table(kinds),
        lost=lost_table(content.drives),
        legend=_legend(kinds),
        drives="".join(
            drive_part(facts, content.looks.get(facts.name, NO_LOOK)) for facts in content.shown
        ),
        not_shown=_not_shown(content),
        splits=_splits(content.drives),
        table=drive_table(content.drives),
        labels=label_table(content.labels),
        calibration=calibration_table(content.drives),
        made=made_table(content.manifest),
    )


def _subtitle(content: Content) -> str:
    sizes = sorted({f"{f.drive.rig.width}x{f.drive.rig.height}" for f in content.drives})
    shown = ", ".join(sizes[:3]) + (" and others" if len(sizes) > 3 else "")
    kinds = {f.provenance.get("source", {}).get("kind", "") for f in content.drives} - {""}
    origin = f" from {' and '.join(sorted(kinds))}" if kinds else ""
    return f"Rectified stereo, {shown} pixels{origin}"


def _figures(content: Content, kinds: Counter[str]) -> dict[str, str]:
    drives = content.drives
    frames = sum(len(facts.drive) for facts in drives)
    lost = sum(sum(facts.lost.values()) for facts in drives)
    return {
        "drive" if len(drives) == 1 else "drives": count_text(len(drives)),
        "stereo frames": count_text(frames),
        "of driving": length_text(sum(facts.seconds for facts in drives)),
        "pairs kept": count_text(kinds[KEPT]),
        "pairs dropped": f"{1 - kinds[KEPT] / max(1, kinds.total()):.0%}",
        "pictures lost": count_text(lost),
        "on disk": size_text(content.bytes_on_disk),
        "train, val": _split_counts(drives),
    }


def _split_counts(drives: Sequence[DriveFacts]) -> str:
    counts = Counter(facts.split for facts in drives)
    return f"{counts['train']}, {counts['val']}" if counts["train"] + counts["val"] else "–"


def _concerns(content: Content) -> str:
    found = content.concerns
    if not found:
        return '<div class="verdict good">Nothing looks wrong in the drives looked at.</div>'
    shown = {facts.name for facts in content.shown}
    items = [_concern(item, shown) for item in found]
    head = "To be mended before training" if found[0].is_wrong else "Worth a look"
    kind = "bad" if found[0].is_wrong else "fair"
    rest = len(items) - FIRST_CONCERNS
    more = (
        f"<details><summary>and {rest} more</summary><ul>{''.join(items[FIRST_CONCERNS:])}</ul>"
        "</details>"
        if rest > 0
        else ""
    )
    return (
        f'<div class="verdict {kind}"><b>{head}</b><ul>{"".join(items[:FIRST_CONCERNS])}</ul>'
        f"{more}</div>"
    )


def _concern(item: Concern, shown: Container[str]) -> str:
    name = html.escape(item.drive)
    link = f'<a href="#{name}">{name}</a>' if item.drive in shown else name
    lead = f"{link}: " if item.drive else ""
    kind = "wrong" if item.is_wrong else "look"
    return f'<li class="{kind}">{lead}{html.escape(item.text)}</li>'


def _balance(kinds: Counter[str]) -> str:
    """All pairs as one bar."""
    total = max(1, kinds.total())
    return "".join(
        f'<i style="flex:{kinds[kind] / total:.4f};background:{meaning(kind).color}" '
        f'title="{html.escape(kind)}: {kinds[kind]}"></i>'
        for kind in in_order(set(kinds))
    )


def _legend(kinds: Counter[str]) -> str:
    return "".join(
        f'<span><i class="swatch" style="background:{meaning(kind).color}"></i> '
        f"{html.escape(kind)}</span>"
        for kind in in_order(set(kinds))
    )


def _not_shown(content: Content) -> str:
    rest = len(content.drives) - len(content.shown)
    if not rest:
        return ""
    return (
        f'<p class="dim">{len(content.shown)} of {len(content.drives)} drives are shown: those '
        "with concerns, then others evenly; the table below has all.</p>"
    )


def _splits(drives: Sequence[DriveFacts]) -> str:
    frames = Counter[str]()
    for facts in drives:
        frames[facts.split or "no split"] += len(facts.drive)
    total = max(1, frames.total())
    return "".join(
        f'<i class="{name.replace(" ", "-")}" style="flex:{max(0.06, frames[name] / total):.4f}">'
        f"{name}: {frames[name] / total:.0%}</i>"
        for name in ("train", "val", "no split")
        if frames[name]
    )
