"""The time line of a drive as SVG: clips and gaps, kept and dropped pairs, keyframes, measures.

The overview draws one per drive; its size does not grow with the drive.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cups_training.overview.drive_facts import DriveFacts, PairState
from cups_training.overview.reasons import KEPT, in_order, meaning
from cups_training.overview.words import clock
from cups_training.selection.pairs import GAP

WIDTH, LEFT, RIGHT = 1040, 84, 8
COLUMNS = 474
"""Pairs of time in which a long drive is counted: two units of the drawing each."""
PAIRS_TOP, PAIRS_HEIGHT = 20, 26
KEYFRAMES_TOP, KEYFRAMES_HEIGHT = 52, 6
CURVE_TOPS, CURVE_HEIGHT = (68, 110), 38
HEIGHT = 170
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_TICKS = 10


class Mark(NamedTuple):
    """A frame that is shown below the time line."""

    letter: str
    time_s: float


def time_line(facts: DriveFacts, marks: Sequence[Mark], least_sharpness: float) -> str:
    """The drawing.

    Args:
        facts: of the drive.
        marks: frames to point at.
        least_sharpness: the limit of selection, drawn as a line.
    """
    scale = (WIDTH - LEFT - RIGHT) / max(facts.seconds, 1e-9)
    parts = [
        _labels(),
        _pairs(facts, scale),
        _keyframes(facts, scale),
        _curve(facts.times_s, facts.sharpness, scale, CURVE_TOPS[0], "sharp"),
        _limit(facts.sharpness, least_sharpness),
        _curve(facts.times_s, facts.brightness, scale, CURVE_TOPS[1], "bright"),
        _axis(facts.seconds, scale),
        *(_mark(mark, scale) for mark in marks),
    ]
    return (
        f'<svg class="line" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Time line of {html.escape(facts.name)}">{"".join(parts)}</svg>'
    )


def _x(time_s: float, scale: float) -> float:
    return LEFT + time_s * scale


def _labels() -> str:
    rows = (
        ("pairs", PAIRS_TOP + PAIRS_HEIGHT / 2 + 4),
        ("keyframes", KEYFRAMES_TOP + KEYFRAMES_HEIGHT + 1),
        ("sharpness", CURVE_TOPS[0] + CURVE_HEIGHT / 2 + 4),
        ("brightness", CURVE_TOPS[1] + CURVE_HEIGHT / 2 + 4),
    )
    return "".join(f'<text x="6" y="{y:g}">{name}</text>' for name, y in rows)


def _rectangle(x: float, y: float, width: float, height: float, fill: str, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}">'
        f"<title>{html.escape(title)}</title></rect>"
    )


def _pairs(facts: DriveFacts, scale: float) -> str:
    """What became of the pairs, one by one, or by their shares in columns of a long drive."""
    pairs = facts.pairs
    bars = _runs(pairs, scale) if len(pairs) <= COLUMNS else _columns(pairs, scale)
    # Gaps on top, never thinner than can be seen.
    gaps = [
        _rectangle(
            _x(pair.first_s, scale),
            PAIRS_TOP - 3,
            max(2.0, (pair.second_s - pair.first_s) * scale),
            PAIRS_HEIGHT + 6,
            "url(#gap)",
            f"gap of {pair.second_s - pair.first_s:.2f} s after {pair.first_s:.1f} s",
        )
        for pair in pairs
        if pair.kind == GAP
    ]
    return "".join(bars + gaps[:COLUMNS])


def _runs(pairs: Sequence[PairState], scale: float) -> list[str]:
    bars = []
    for kind, run in groupby(pairs, key=lambda pair: pair.kind):
        found = list(run)
        first, last = found[0].first_s, found[-1].second_s
        if kind != GAP:
            title = f"{kind}: {len(found)} pairs, {first:.1f} to {last:.1f} s"
            width = (last - first) * scale
            bars.append(
                _rectangle(
                    _x(first, scale), PAIRS_TOP, width, PAIRS_HEIGHT, meaning(kind).color, title
                )
            )
    return bars


def _columns(pairs: Sequence[PairState], scale: float) -> list[str]:
    width = (WIDTH - LEFT - RIGHT) / COLUMNS
    shares: list[tuple[tuple[str, float], ...]] = [()] * COLUMNS
    for column, run in groupby(
        (pair for pair in pairs if pair.kind != GAP),
        key=lambda pair: min(COLUMNS - 1, int(pair.first_s * scale / width)),
    ):
        counts = Counter(pair.kind for pair in run)
        shares[column] = tuple(
            (kind, counts[kind] / counts.total()) for kind in in_order(set(counts))
        )
    bars, column = [], 0
    for stack, same in groupby(shares):
        count = len(list(same))
        bottom = float(PAIRS_TOP + PAIRS_HEIGHT)
        for kind, share in stack:
            bottom -= share * PAIRS_HEIGHT
            bars.append(
                _rectangle(
                    LEFT + column * width,
                    bottom,
                    count * width,
                    share * PAIRS_HEIGHT,
                    meaning(kind).color,
                    f"{kind}: {share:.0%}",
                )
            )
        column += count
    return bars


def _keyframes(facts: DriveFacts, scale: float) -> str:
    """A stroke for every first frame of a kept pair; no two within a unit of the drawing."""
    places = sorted({round(_x(p.first_s, scale)) for p in facts.pairs if p.kind == KEPT})
    strokes = "".join(f"M{x} {KEYFRAMES_TOP}v{KEYFRAMES_HEIGHT}" for x in places)
    return f'<path class="keys" d="{strokes}"/>'


def _curve(
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    scale: float,
    top: int,
    name: str,
) -> str:
    """Median and range of a measure (0 to 1) over time; broken where there are no frames."""
    frame = (
        f'<rect class="panel" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{CURVE_HEIGHT}"/>'
    )
    known = ~np.isnan(values)
    if not known.any():
        return frame + f'<text x="{LEFT + 8}" y="{top + 22}">not measured</text>'
    times, levels = times_s[known], values[known]
    column = np.minimum((times * scale).astype(int) // 2, COLUMNS - 1)
    # A break is longer than the frames are usually apart, and than a column is wide.
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    longest = max(2.5 * usual, 5 / scale)
    middle: list[str] = []
    band: list[tuple[float, float, float]] = []
    previous_s = -np.inf
    for _, places in groupby(range(len(times)), key=lambda place: column[place]):
        chosen = list(places)
        part = levels[chosen]
        x = _x(float(np.mean(times[chosen])), scale)
        command = "M" if times[chosen[0]] - previous_s > longest else "L"
        middle.append(f"{command}{x:.1f} {_y(float(np.median(part)), top):.1f}")
        band.append((x, _y(float(part.max()), top), _y(float(part.min()), top)))
        previous_s = float(times[chosen[-1]])
    spread = ""
    if len(times) > len(middle):
        strokes = "".join(f"M{x:.1f} {high:.1f}V{low:.1f}" for x, high, low in band)
        spread = f'<path class="{name} spread" d="{strokes}"/>'
    return f'{frame}{spread}<path class="{name}" d="{"".join(middle)}"/>'


def _y(value: float, top: int) -> float:
    return top + 2 + (CURVE_HEIGHT - 4) * (1 - min(max(value, 0.0), 1.0))


def _limit(values: NDArray[np.float64], least: float) -> str:
    if np.isnan(values).all():
        return ""
    y = _y(least, CURVE_TOPS[0])
    return (
        f'<path class="limit" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}">'
        f"<title>limit of sharpness, {least:g}</title></path>"
    )


def _axis(seconds: float, scale: float) -> str:
    step = next((step for step in STEPS_S if seconds / step <= MOST_TICKS), STEPS_S[-1])
    ticks = []
    for number in range(int(seconds / step + 1e-9) + 1):
        x = _x(number * step, scale)
        anchor = "end" if x > WIDTH - RIGHT - 20 else "middle"
        ticks.append(
            f'<path class="tick" d="M{x:.1f} {CURVE_TOPS[1] + CURVE_HEIGHT}v4"/>'
            f'<text x="{x:.1f}" y="{HEIGHT - 4}" text-anchor="{anchor}">'
            f"{clock(number * step, step)}</text>"
        )
    return "".join(ticks)


def _mark(mark: Mark, scale: float) -> str:
    x = _x(mark.time_s, scale)
    return (
        f'<path class="mark" d="M{x:.1f} {PAIRS_TOP - 3}V{CURVE_TOPS[1] + CURVE_HEIGHT}"/>'
        f'<circle class="mark" cx="{x:.1f}" cy="10" r="8"/>'
        f'<text class="mark" x="{x:.1f}" y="14" text-anchor="middle">{mark.letter}</text>'
    )
