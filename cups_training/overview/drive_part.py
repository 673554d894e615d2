"""One drive on the page: its facts in a line, its time line, and frames that were looked at.

The page of the overview is made of these.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.reasons import KEPT
from cups_training.overview.samples import Look, Sample, nearest_depth_m
from cups_training.overview.sheets import as_source, largest_disparity_px, views
from cups_training.overview.time_line import Mark, time_line
from cups_training.overview.words import clock, count_text, length_text
from cups_training.selection.settings import SelectionSettings

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drive_part(facts: DriveFacts, look: Look) -> str:
    """The HTML of a drive."""
    samples = look.samples
    marks = [Mark(letter, sample.time_s) for letter, sample in zip(LETTERS, samples, strict=False)]
    least = facts.provenance.get("configuration", {}).get("pairs", {}).get("least_sharpness")
    line = time_line(facts, marks, SelectionSettings().least_sharpness if least is None else least)
    badge = f'<span class="badge {facts.split}">{facts.split}</span>' if facts.split else ""
    return (
        f'<section class="drive" id="{html.escape(facts.name)}">'
        f"<h3>{html.escape(facts.name)} {badge}{_rig_badge(look)}</h3>"
        f'<p class="dim">{html.escape(_facts_line(facts, look))}</p>'
        f'<div class="scroll">{line}</div>'
        f"{_pictures(facts, samples)}</section>"
    )


def _rig_badge(look: Look) -> str:
    if look.rig_complaint:
        return '<span class="badge bad">rig looks wrong</span>'
    wrong = sum(bool(sample.complaint) for sample in look.samples)
    if wrong:
        kind = "bad" if 2 * wrong > len(look.samples) else "fair"
        return f'<span class="badge {kind}">{wrong} of {len(look.samples)} frames look wrong</span>'
    return '<span class="badge good">rig in order</span>' if look.samples else ""


def _facts_line(facts: DriveFacts, look: Look) -> str:
    parts = [f"{count_text(len(facts.drive))} frames", length_text(facts.seconds)]
    if facts.rate_hz == facts.rate_hz:
        parts.append(f"{facts.rate_hz:.1f} Hz")
    clips = len(set(facts.drive.clips))
    parts.append(f"{clips} clip{'s' * (clips != 1)}")
    parts.append(
        f"{count_text(facts.kinds[KEPT])} of {count_text(len(facts.pairs))} pairs kept"
        if facts.is_selected
        else f"{count_text(len(facts.pairs))} pairs, never selected from"
    )
    if facts.skews_ms.size:
        median, largest = (float(value(np.abs(facts.skews_ms))) for value in (np.median, np.max))
        parts.append(f"left and right within {median:.2f} ms (at most {largest:.2f})")
    if look.rows is not None and look.rows.matches:
        parts.append(
            f"rows of left and right differ by {look.rows.median_dy_px:+.2f} px "
            f"(95 %: {look.rows.p95_dy_px:.1f} px)"
        )
    return ", ".join(parts)


def _pictures(facts: DriveFacts, samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    shown = [sample for sample in samples if not sample.fault]
    largest = largest_disparity_px(shown)
    rows = "".join(
        _row(facts, letter, sample, largest)
        for letter, sample in zip(LETTERS, samples, strict=False)
    )
    farthest = nearest_depth_m(facts.drive)
    note = f"nearer than {farthest:.1f} m is out of the search" if farthest > 2 else ""
    return f'<div class="samples">{rows}</div>' + (f'<p class="dim small">{note}</p>' * bool(note))


def _row(facts: DriveFacts, letter: str, sample: Sample, largest_px: float) -> str:
    when = clock(sample.time_s, 0.1 if facts.seconds < 60 else 1.0)
    if sample.fault:
        return (
            f'<figure class="wide"><figcaption class="wrong"><b>{letter}</b> {when}: '
            f"{html.escape(sample.fault)}</figcaption></figure>"
        )
    kind = "wrong" if sample.complaint else ""
    captions = (
        f"<b>{letter}</b> left, {when}",
        "right",
        f'<span class="{kind}">disparity, {sample.valid_share:.0%} confirmed</span>',
    )
    figures = "".join(
        f'<figure class="{kind}"><img alt="{alt}" src="{as_source(picture)}">'
        f"<figcaption>{caption}</figcaption></figure>"
        for alt, picture, caption in zip(
            ("left", "right", "disparity"), views(sample, largest_px), captions, strict=True
        )
    )
    if sample.complaint:
        figures += f'<p class="wrong full">{html.escape(sample.complaint)}</p>'
    return figures
