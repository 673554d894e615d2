"""Tables of the overview: reasons, losses, drives, labels, calibration, configuration.

The page is made of them; each gives the rows that belong into a `table`.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cups_training.html_parts import table_rows
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.label_state import LabelState
from cups_training.overview.reasons import KEPT, in_order, meaning
from cups_training.overview.words import count_text, length_text, size_text

MOST_ROWS = 500


def reason_table(kinds: Counter[str]) -> str:
    """How many pairs were kept and dropped, and what the reasons mean."""
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


def lost_table(drives: Sequence[DriveFacts]) -> str:
    """What was recorded and became no frame, with its heading; empty where there is nothing."""
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


def drive_table(drives: Sequence[DriveFacts]) -> str:
    """One row for each drive."""
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


def label_table(labels: Sequence[LabelState]) -> str:
    """One row for each recipe."""
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


def calibration_table(drives: Sequence[DriveFacts]) -> str:
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


def made_table(manifest: Mapping[str, Any]) -> str:
    """What the drives were made with, and by which of them where they differ."""
    if not manifest:
        return table_rows(
            [("manifest", "none: the drives were not made by cups extract or cups import")]
        )
    rows: dict[str, list[str]] = {}
    for name, drive in manifest.get("drives", {}).items():
        found = {**drive.get("configuration", {}).get("pairs", {})}
        found |= drive.get("configuration", {}).get("pictures", {})
        found |= drive.get("software", {})
        for key, value in found.items():
            rows.setdefault(f"{key} = {value}", []).append(name)
    total = len(manifest.get("drives", {}))
    return table_rows(
        (key, "" if len(names) == total else _few(names)) for key, names in rows.items()
    )
