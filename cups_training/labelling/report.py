"""report.html: the labels of a dataset on one page that needs nothing beside it.

Finishing writes it for people; whatever it says is also in the JSON files beside it.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from statistics import NormalDist
from string import Template
from typing import Any

import numpy as np

from cups_core.thing_stuff import ClassEvidence, ClassStatistics, ThingStuff, ThingStuffSettings
from cups_training.html_parts import page_style, table_rows, tiles
from cups_training.labelling.clip_result import EMPTY, FAILED, LABELLED
from cups_training.labelling.coco_panoptic import class_color
from cups_training.labelling.finished import Finished
from cups_training.labelling.gate import ADVICE, Verdict
from cups_training.labelling.quality import FrameQuality

MOST_DRIVES = 200
STRIP_WIDTH, STRIP_HEIGHT = 320, 24
COLOR_OF_STATUS = {LABELLED: "var(--mark)", EMPTY: "var(--line)", FAILED: "#e03131"}
FILES = {
    "panoptic.json, panoptic/": "COCO panoptic: the labels; 0 (black) = ignore",
    "pairs/": "class (8 bit, 255 = unknown) and instance (16 bit) of each pixel before the split",
    "thing_stuff.json": "which classes are things, with the counts behind it",
    "quality.jsonl": "one line per frame, to leave the worst out",
    "clips/": "what is known of each clip: objects with track, class, place and velocity",
    "recipe.json": "the configuration, verbatim",
    "semantics.npz": "the semantic model, where it was fitted on this dataset",
    "contact_sheet.jpg": "the pictures above",
}


def report_page(
    title: str,
    finished: Finished,
    sheet: bytes,
    recipe: Mapping[str, Any],
    split_settings: ThingStuffSettings,
) -> str:
    """The page.

    Args:
        title: dataset and recipe.
        finished: what there is to say.
        sheet: JPEG of labels over their pictures.
        recipe: the configuration as it is written beside the labels.
        split_settings: when a class is a thing.
    """
    drives = [
        (name, list(frames))
        for name, frames in groupby(finished.qualities, lambda quality: quality.drive)
    ]
    shown = sorted(drives, key=lambda drive: _share(drive[1], LABELLED))[:MOST_DRIVES]
    return Template((files(__package__) / "report.html").read_text()).substitute(
        style=page_style(),
        title=html.escape(title),
        subtitle=html.escape(f"recipe {finished.recipe}"),
        verdict=_verdict(finished.verdict),
        tiles=tiles(_figures(finished)),
        sheet=base64.b64encode(sheet).decode("ascii"),
        drives_note=_drives_note(len(drives)),
        drives=_drive_table(sorted(shown)),
        causes=_cause_table(finished.verdict, finished.qualities),
        split_note=_split_note(split_settings),
        classes=_class_table(finished.statistics, finished.split),
        recipe=table_rows(_flat(recipe)),
        files=table_rows(FILES.items()),
    )


def _verdict(verdict: Verdict) -> str:
    if verdict.is_passed:
        return '<div class="verdict passed">The gate is passed: these labels may be used.</div>'
    faults = "".join(f"<p>{html.escape(fault)}.</p>" for fault in verdict.faults)
    return f'<div class="verdict refused">The gate is closed.{faults}</div>'


def _figures(finished: Finished) -> dict[str, str]:
    frames = finished.qualities
    with_masks = [frame for frame in frames if frame.status == LABELLED]
    return {
        "frames": f"{len(frames)}",
        "with masks": f"{_share(frames, LABELLED):.0%}",
        "without a mask": f"{_share(frames, EMPTY):.0%}",
        "failed": f"{_share(frames, FAILED):.0%}",
        "masks": f"{sum(frame.masks for frame in frames)}",
        "masks per frame that has any": _mean(float(frame.masks) for frame in with_masks),
        "things, stuff": f"{len(finished.split.things)}, {len(finished.split.stuff)}",
        "coverage where there are masks": _mean((f.coverage for f in with_masks), "%"),
        "consistency of the masks": _mean(frame.consistency for frame in with_masks),
        "ignored": _mean((frame.ignored for frame in frames), "%"),
    }


def _drives_note(count: int) -> str:
    note = "Each bar is a frame, as high as it has masks: grey = none, red = failed."
    if count > MOST_DRIVES:
        note += f" The {MOST_DRIVES} of {count} drives with the fewest labelled frames."
    return note


def _drive_table(drives: Sequence[tuple[str, list[FrameQuality]]]) -> str:
    most = max((frame.masks for _, frames in drives for frame in frames), default=1)
    head = _head("drive", "frames", "with masks", "failed", "masks", "coverage", "valid", "time →")
    rows = "".join(
        _row(
            [
                html.escape(name),
                str(len(frames)),
                f"{_share(frames, LABELLED):.0%}",
                f"{_share(frames, FAILED):.0%}",
                str(sum(frame.masks for frame in frames)),
                _mean((frame.coverage for frame in frames if frame.status != FAILED), "%"),
                _mean((frame.valid_fraction for frame in frames), "%"),
                _strip(frames, max(1, most)),
            ]
        )
        for name, frames in drives
    )
    return head + rows


def _strip(frames: Sequence[FrameQuality], most: int) -> str:
    width = STRIP_WIDTH / len(frames)
    bars = []
    for place, frame in enumerate(frames):
        height = STRIP_HEIGHT * {LABELLED: frame.masks / most, EMPTY: 0.12, FAILED: 1}[frame.status]
        bars.append(
            f'<rect x="{place * width:.1f}" y="{STRIP_HEIGHT - height:.1f}" '
            f'width="{max(0.5, width - 0.6):.1f}" height="{height:.1f}" '
            f'fill="{COLOR_OF_STATUS[frame.status]}"/>'
        )
    box = f'viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" preserveAspectRatio="none"'
    return f"<svg {box}>{''.join(bars)}</svg>"


def _cause_table(verdict: Verdict, frames: Sequence[FrameQuality]) -> str:
    if not verdict.causes:
        return '<tr><td class="dim">None: every frame has a mask.</td></tr>'
    head = _head("cause", "frames", "for example", "what to do")
    rows = []
    for cause, count in verdict.causes:
        example = next(f for f in frames if f.status != LABELLED and f.cause == cause)
        texts = (example.reason, ADVICE[cause])
        rows.append(
            f'<tr><td>{html.escape(cause)}</td><td class="n">{count}</td>'
            + "".join(f'<td class="text dim">{html.escape(text)}</td>' for text in texts)
            + "</tr>"
        )
    return head + "".join(rows)


def _split_note(settings: ThingStuffSettings) -> str:
    if settings.thing_test == "normalised":
        return (
            f"A class is a thing where its part of the sum of all shares is above "
            f"{settings.thing_share:g} (the paper's test)."
        )
    return (
        "A class is a thing where motion masks surely hold more of it than "
        f"{settings.thing_lift:g} times what they hold of all pixels: where the significance, in "
        f"standard deviations, is above {NormalDist().inv_cdf(settings.thing_confidence):.2f}."
    )


def _class_table(statistics: ClassStatistics, split: ThingStuff) -> str:
    evidence = {item.class_id: item for item in split.evidence}
    order = [
        *split.things,
        *sorted(split.stuff, key=lambda k: (-evidence[k].share_in_masks, k)),
    ]
    largest = max((item.share_in_masks for item in split.evidence), default=0.0) or 1.0
    head = _head(
        *("class", "", "of all pixels", "inside masks", "", "lift", "worth objects"),
        *("significance", "objects", "masks"),
    )
    total = max(1, int(statistics.pixels.sum()))
    return head + "".join(
        _row(_class_cells(evidence[k], statistics, total, largest)) for k in order
    )


def _class_cells(
    item: ClassEvidence, statistics: ClassStatistics, total: int, largest: float
) -> list[str]:
    k = item.class_id
    color = "#{:02x}{:02x}{:02x}".format(*class_color(k))
    return [
        f'<span class="swatch" style="background:{color}"></span> {k}',
        "<b>thing</b>" if item.is_thing else "stuff",
        f"{statistics.pixels[k] / total:.2%}",
        f"{item.share_in_masks:.2%}",
        f'<span class="bar" style="width:{120 * item.share_in_masks / largest:.0f}px"></span>',
        f"{item.lift:.2f}",
        f"{item.effective_objects:.1f}",
        f"{item.significance:.1f}",
        str(statistics.objects[k]),
        str(statistics.masks[k]),
    ]


def _head(*names: str) -> str:
    return "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _share(frames: Sequence[FrameQuality], status: str) -> float:
    return sum(frame.status == status for frame in frames) / max(1, len(frames))


def _mean(values: Iterable[float], unit: str = "") -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "–"
    return f"{np.mean(known):.1%}" if unit == "%" else f"{np.mean(known):.2f}"


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{prefix}{key}"
        rows += _flat(value, f"{name}: ") if isinstance(value, Mapping) else [(name, str(value))]
    return rows
