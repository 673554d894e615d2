"""The card of a dataset (README.md) as Hugging Face reads it, filled from the manifest alone.

Extraction writes it anew whenever the dataset changes. What nobody said is "not stated".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

NOT_STATED = "not stated"
SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
LARGEST_CATEGORY = "100K<n<1M"
LONGEST_TITLE = 80


def card(manifest: Mapping[str, Any]) -> str:
    """The text, Markdown with YAML front matter.

    Args:
        manifest: content of manifest.json.
    """
    said, totals = manifest["card"], manifest["totals"]
    title = said["title"] or f"Stereo drives {', '.join(manifest['drives'])}"[:LONGEST_TITLE]
    parts = [
        _front_matter(title, said, totals["frames"]),
        f"# {title}",
        f"{totals['frames']} rectified stereo frames of {totals['drives']} drives, "
        f"{totals['seconds'] / 60:.1f} minutes; {totals['kept_pairs']} pairs of consecutive frames "
        "are worth learning motion from.",
        "| | |\n|---|---|\n"
        + "\n".join(
            f"| {name} | {said[key] or NOT_STATED} |"
            for name, key in (("licence", "licence"), ("consent", "consent"), ("where", "location"))
        ),
        _drives(manifest),
        _losses(manifest),
        _splits(manifest),
        _cameras(manifest),
        _how_made(manifest),
        _PRIVACY,
        _USE,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _front_matter(title: str, said: Mapping[str, str], frames: int) -> str:
    category = next((name for most, name in SIZE_CATEGORIES if frames < most), LARGEST_CATEGORY)
    content = {
        "pretty_name": title,
        "license": said["licence"].lower() or "unknown",
        "task_categories": ["image-segmentation", "depth-estimation"],
        "tags": ["stereo", "video", "driving", "robotics", "unsupervised"],
        "size_categories": [category],
    }
    return f"---\n{yaml.safe_dump(content, sort_keys=False)}---"


def _drives(manifest: Mapping[str, Any]) -> str:
    split_of = {name: split for split, names in manifest["splits"].items() for name in names}
    rows = []
    for name, drive in manifest["drives"].items():
        counts, time = drive["counts"], drive.get("time", {})
        interval = time.get("usual_interval_ns")
        pictures = drive.get("pictures")
        rows.append(
            (
                name,
                split_of[name],
                counts["frames"],
                f"{1e9 / interval:.1f} Hz" if interval else "",
                f"{pictures['width']}x{pictures['height']}" if pictures else "",
                counts.get("clips", ""),
                counts.get("kept_pairs", ""),
                len(drive.get("gaps", ())),
            )
        )
    heads = ("drive", "split", "frames", "rate", "size", "clips", "kept pairs", "gaps")
    return "## Drives\n\n" + _table(heads, rows)


def _losses(manifest: Mapping[str, Any]) -> str:
    rows: list[Sequence[Any]] = []
    for name, drive in manifest["drives"].items():
        for reason, loss in drive.get("dropped", {}).items():
            rows.append((name, reason, loss["count"], loss["first"]))
        if left_out := drive["counts"].get("left_out"):
            rows.append((name, "frames of pairs that were not kept", left_out, ""))
        for reason, count in drive["counts"].get("rejected_pairs", {}).items():
            rows.append((name, f"pairs not kept: {reason}", count, ""))
    notes = [
        f"- {name}: {note}"
        for name, drive in manifest["drives"].items()
        for note in drive.get("notes", ())
    ]
    if not rows and not notes:
        return "## What is missing\n\nNothing: every recorded pair became a frame."
    text = "## What is missing"
    if rows:
        text += "\n\n" + _table(("drive", "what", "how many", "the first case"), rows)
    return text + ("\n\n" + "\n".join(notes) if notes else "")


def _splits(manifest: Mapping[str, Any]) -> str:
    counts = {
        split: sum(manifest["drives"][name]["counts"]["frames"] for name in names)
        for split, names in manifest["splits"].items()
    }
    text = (
        "## Splits\n\nWhole drives, and drives that show the same together: "
        + ", ".join(f"{count} frames in {split}" for split, count in counts.items())
        + "."
    )
    if not manifest["splits"]["val"]:
        text += " There is too little for a validation split."
    if not manifest["leaks"]:
        return text + " The leak check found no drive of one split that shows what another does."
    leaks = "\n".join(
        f"- {' and '.join(leak['drives'])}: {leak['kind']}; {leak['found']}"
        for leak in manifest["leaks"]
    )
    return f"{text}\n\n**The splits leak:**\n\n{leaks}"


def _cameras(manifest: Mapping[str, Any]) -> str:
    rows = []
    for name, drive in manifest["drives"].items():
        if "topics" in drive["source"]:
            topics = drive["source"]["topics"]
            source = f"{topics['left_image']['name']} ({topics['left_image']['type']})"
        else:
            source = drive["source"]["kind"]
        verdict = (drive.get("rig") or {}).get("verdict", "not judged")
        rows.append((name, source, verdict))
    text = _table(("drive", "left camera", "rig, measured on the pictures"), rows)
    return f"## Sensors\n\n{text}\n\nCalibration: `drives/<drive>/calibration.json`."


def _how_made(manifest: Mapping[str, Any]) -> str:
    made = [drive for drive in manifest["drives"].values() if "configuration" in drive]
    if not made:
        return ""
    versions = sorted(
        {
            ", ".join(f"{name} {found}" for name, found in drive["software"].items())
            for drive in made
        }
    )
    return (
        f"## How it was made\n\nExtracted with {'; '.join(versions)}. `manifest.json` holds the "
        "configuration verbatim, the recorded files with sha256, all counts and gaps; the same "
        "recordings and configuration give the same bytes."
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(heads), "|".join("---" for _ in heads)]
    lines += [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


_PRIVACY = """## Privacy

The pictures are as they were recorded: faces and number plates are not blurred. `cups export`
blurs them; do not pass this folder on instead."""

_USE = """## Use

`cups label DATASET` adds panoptic pseudo-labels, `cups export` writes other formats,
`sha256sum -c --quiet checksums.sha256` verifies a copy. The layout is described in
`docs/dataset.md` of CUPS for ROS 2. Pixel centers lie at whole numbers counted from 0; stamps are
those of the left image's header, in nanoseconds."""
