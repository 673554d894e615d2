"""One HTML file that shows a demo run and needs nothing beside it; `cups demo` writes it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from cups_core.drawing import color_of
from cups_core.metrics.motion_masks import MaskCounts
from cups_training.demo.recording import Recording, Track, percentiles
from cups_training.html_parts import base64_of, page_style, table_rows, tiles

CHART_WIDTH = 1000
MOST_TRACKS = 24


def write_report(
    path: Path,
    title: str,
    recording: Recording,
    scores: MaskCounts | None,
    video: Path,
    sheet: Path,
    provenance: Mapping[str, str],
) -> None:
    """Writes the report.

    Args:
        path: the HTML file.
        title: what was played.
        recording: what came out.
        scores: against the truth; None where there is none.
        video: the overlay, MP4.
        sheet: the contact sheet, JPEG.
        provenance: what made it, name by name.
    """
    recipes = sorted({label.recipe for label in recording.labels.values()})
    node = next(iter(recording.diagnostics.values()), {})
    page = Template((files(__package__) / "report.html").read_text()).substitute(
        style=page_style(),
        title=html.escape(title),
        subtitle=html.escape("; ".join(recipes)),
        tiles=_tiles(recording, scores),
        video=base64_of(video),
        scores=_scores(scores),
        tracks=_track_chart(recording),
        latency=_latency_chart(recording),
        sheet=base64_of(sheet),
        diagnostics=table_rows(node.items()),
        provenance=table_rows(provenance.items()),
    )
    path.write_text(page)


def _tiles(recording: Recording, scores: MaskCounts | None) -> str:
    p50, p95, _ = percentiles(recording.latency_ms)
    found = {
        "results per second": f"{recording.labelled_hz:.1f} Hz",
        "frames played, with a result": f"{len(recording.published_ns)}, {len(recording.labels)}",
        "dropped": str(len(recording.dropped)),
        "latency, median": f"{p50:.0f} ms",
        "latency, 95 %": f"{p95:.0f} ms",
        "tracks": str(len(recording.tracks())),
    }
    if scores is not None:
        found["precision"] = f"{scores.precision:.2f}"
        found["recall"] = f"{scores.recall:.2f}"
        found["foreground IoU"] = f"{scores.foreground_iou:.2f}"
    return tiles(found)


def _scores(scores: MaskCounts | None) -> str:
    if scores is None:
        return ""
    wrong = (
        f"{scores.on_static} on things that stand, {scores.on_background} on background, "
        f"{scores.fragments} fragments of a mover"
    )
    rows = {
        "precision (masks with IoU above 0.5)": (
            f"{scores.precision:.3f} ({scores.matched_masks} of {scores.masks})"
        ),
        "recall": f"{scores.recall:.3f} ({scores.found_movers} of {scores.movers})",
        "recall within 40 m": (
            f"{scores.near_recall:.3f} ({scores.found_near_movers} of {scores.near_movers})"
        ),
        "foreground IoU": f"{scores.foreground_iou:.3f}",
        "mean best IoU": f"{scores.mean_best_iou:.3f}",
        "masks that match nothing": wrong,
    }
    return f"<h2>Against the exact truth</h2><table>{table_rows(rows.items())}</table>"


def _track_chart(recording: Recording) -> str:
    tracks = recording.tracks()[:MOST_TRACKS]
    if not tracks:
        return '<p class="dim">Nothing moved.</p>'
    stamps = sorted(recording.labels)
    start, span = stamps[0], max(1, stamps[-1] - stamps[0])
    frame = CHART_WIDTH * 0.8 / len(stamps)
    row = 18
    parts = []
    for place, track in enumerate(sorted(tracks, key=lambda found: found.stamps_ns[0])):
        y = 8 + place * row
        parts.append(f'<text x="8" y="{y + 11}">{_track_name(track)}</text>')
        color = "#{:02x}{:02x}{:02x}".format(*color_of(track.id))
        for stamp in track.stamps_ns:
            x = 180 + (CHART_WIDTH - 200) * (stamp - start) / span
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 2}" width="{frame + 0.5:.1f}" height="11" '
                f'fill="{color}"/>'
            )
    bottom = 8 + len(tracks) * row + 16
    parts.append(f'<text x="180" y="{bottom - 4}">0 s</text>')
    parts.append(f'<text x="{CHART_WIDTH - 40}" y="{bottom - 4}">{span / 1e9:.1f} s</text>')
    return f'<svg viewBox="0 0 {CHART_WIDTH} {bottom}">{"".join(parts)}</svg>'


def _track_name(track: Track) -> str:
    speed = "" if track.speed_mps is None else f", {track.speed_mps:.1f} m/s"
    return f"{track.id}: {len(track.stamps_ns)} frames{speed}"


def _latency_chart(recording: Recording) -> str:
    latency = recording.latency_ms
    if not latency.size:
        return '<p class="dim">No frame has both ends.</p>'
    height = 160
    top = 50 * math.ceil(float(latency.max()) / 50)
    width = (CHART_WIDTH - 60) / len(latency)
    bars = "".join(
        f'<rect x="{50 + place * width:.1f}" y="{height - height * value / top:.1f}" '
        f'width="{max(0.5, width - 1):.1f}" height="{height * value / top:.1f}" '
        'fill="var(--mark)"/>'
        for place, value in enumerate(latency.tolist())
    )
    labels = f'<text x="4" y="12">{top} ms</text><text x="4" y="{height}">0</text>'
    return f'<svg viewBox="0 0 {CHART_WIDTH} {height + 4}">{labels}{bars}</svg>'
