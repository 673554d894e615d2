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

from cups_training.html_parts import page_style, table_rows, tiles
from cups_training.overview.concerns import Concern
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.drive_part import drive_part
from cups_training.overview.label_state import LabelState
from cups_training.overview.reasons import KEPT, in_order, meaning
from cups_training.overview.samples import NO_LOOK, Look
from cups_training.overview.words import count_text, length_text, size_text

MOST_ROWS = 500
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
        reasons=_reason_table(kinds),
        lost=_lost_table(content.drives),
        legend=_legend(kinds),
        drives="".join(
            drive_part(facts, content.looks.get(facts.name, NO_LOOK)) for facts in content.shown
        ),
        not_shown=_not_shown(content),
        splits=_splits(content.drives),
        table=_drive_table(content.drives),
        labels=_label_table(content.labels),
        calibration=_calibration_table(content.drives),
        made=_how_made(content),
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
        "drives": f"{len(drives)}",
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


def _reason_table(kinds: Counter[str]) -> str:
    total = max(1, kinds.total())
    rows = "".join(
        f'<tr><td><i class="swatch" style="background:{meaning(kind).color}"></i> '
        f'{html.escape(kind)}</td><td class="n">{count_text(kinds[kind])}</td>'
        f'<td class="n">{kinds[kind] / total:.1%}</td>'
        f'<td class="text dim">{html.escape(meaning(kind).text)}</td></tr>'
        for kind in in_order(set(kinds))
    )
    return (
        '<tr><th></th><th class="n">pairs</th><th class="n">share</th><th>meaning</th></tr>' + rows
    )


def _lost_table(drives: Sequence[DriveFacts]) -> str:
    lost: Counter[str] = Counter()
    for facts in drives:
        lost.update(facts.lost)
    if not lost:
        return ""
    rows = "".join(
        f'<tr><td class="text">{html.escape(reason)}</td><td class="n">{count}</td></tr>'
        for reason, count in sorted(lost.items(), key=lambda item: (-item[1], item[0]))
    )
    return (
        "<h3>Recorded pictures that became no frame</h3>"
        f'<table><tr><th>why</th><th class="n">pictures</th></tr>{rows}</table>'
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


def _drive_table(drives: Sequence[DriveFacts]) -> str:
    head = "".join(
        f'<th class="{kind}">{name}</th>'
        for name, kind in (
            ("drive", ""),
            ("split", ""),
            ("frames", "n"),
            ("length", "n"),
            ("rate", "n"),
            ("kept pairs", "n"),
            ("clips", "n"),
            ("on disk", "n"),
        )
    )
    rows = "".join(
        f"<tr><td>{html.escape(facts.name)}</td><td>{facts.split or '–'}</td>"
        + "".join(
            f'<td class="n">{value}</td>'
            for value in (
                count_text(len(facts.drive)),
                length_text(facts.seconds),
                f"{facts.rate_hz:.1f} Hz" if facts.rate_hz == facts.rate_hz else "–",
                f"{count_text(facts.kinds[KEPT])} of {count_text(len(facts.pairs))}",
                len(set(facts.drive.clips)),
                size_text(facts.bytes_on_disk),
            )
        )
        + "</tr>"
        for facts in drives[:MOST_ROWS]
    )
    more = len(drives) - MOST_ROWS
    rest = f'<tr><td colspan="8" class="dim">and {more} more</td></tr>' if more > 0 else ""
    return f"<tr>{head}</tr>{rows}{rest}"


def _label_table(labels: Sequence[LabelState]) -> str:
    if not labels:
        return '<tr><td class="dim">No labels yet: <code>cups label</code> makes them.</td></tr>'
    rows = ""
    for state in labels:
        total = max(1, state.labelled + state.empty + state.failed)
        name = html.escape(state.recipe)
        link = f'<a href="{html.escape(state.report)}">{name}</a>' if state.report else name
        shares = (
            [f"{count / total:.0%}" for count in (state.labelled, state.empty, state.failed)]
            if state.is_finished
            else ["not finished", "–", "–"]
        )
        rows += f"<tr><td>{link}</td>" + "".join(
            f'<td class="n">{value}</td>' for value in (*shares, state.things, state.stuff)
        )
        rows += "</tr>"
    return (
        '<tr><th>recipe</th><th class="n">with masks</th><th class="n">without</th>'
        '<th class="n">failed</th><th class="n">things</th><th class="n">stuff</th></tr>' + rows
    )


def _calibration_table(drives: Sequence[DriveFacts]) -> str:
    """One row for each rig: drives with equal calibration share it."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for facts in drives:
        rig = facts.drive.rig
        source = facts.provenance.get("source", {}).get("calibration", "–")
        key = (
            f"{rig.width}x{rig.height}",
            f"{rig.fx:.2f}, {rig.fy:.2f}",
            f"{rig.cx:.2f}, {rig.cy:.2f}",
            f"{rig.baseline_m:.4f} m",
            str(source),
        )
        groups.setdefault(key, []).append(facts.name)
    head = "".join(
        f"<th>{name}</th>"
        for name in ("drives", "pixels", "fx, fy", "cx, cy", "baseline", "calibration from")
    )
    rows = "".join(
        f"<tr><td>{html.escape(_few(names))}</td>"
        + "".join(f'<td class="text">{html.escape(value)}</td>' for value in key)
        + "</tr>"
        for key, names in list(groups.items())[:MOST_ROWS]
    )
    return f"<tr>{head}</tr>{rows}"


def _few(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _how_made(content: Content) -> str:
    if not content.manifest:
        return table_rows(
            [("manifest", "none: the drives were not made by cups extract or cups import")]
        )
    rows: dict[str, list[str]] = {}
    for name, drive in content.manifest.get("drives", {}).items():
        found = {**drive.get("configuration", {}).get("pairs", {})}
        found |= drive.get("configuration", {}).get("pictures", {})
        found |= drive.get("software", {})
        for key, value in found.items():
            rows.setdefault(f"{key} = {value}", []).append(name)
    total = len(content.manifest.get("drives", {}))
    return table_rows(
        (key, "" if len(names) == total else _few(names)) for key, names in rows.items()
    )
