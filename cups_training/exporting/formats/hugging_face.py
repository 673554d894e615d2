"""Hugging Face: folders of images with metadata.jsonl by split, and a card.

`datasets.load_dataset` reads the folder as it is, and the Hub shows the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cups_core.settings import setting
from cups_training.exporting.format import Format
from cups_training.exporting.frames import ExportedDrive, ExportedFrame
from cups_training.exporting.spool import WITHOUT_LABEL, Row, Spool
from cups_training.exporting.streamed_files import compact, write_pieces
from cups_training.privacy.anonymizer import Anonymizer
from cups_training.whole_files import write_whole

LABEL_COLUMNS = (
    "| `panoptic` | segment of each pixel: id = R + 256 G + 65536 B, 0 = void |\n"
    "| `segments` | class, area, box and, for things, track and score of each segment |\n"
)
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class HuggingFaceSettings:
    """What the card says and the dataset does not know."""

    license: str = setting(
        "", "identifier of the licence, as the Hub lists them; default: what the dataset says"
    )


class HuggingFace(Format[HuggingFaceSettings]):
    """<split>/left, right, panoptic, <split>/metadata.jsonl and README.md."""

    PURPOSE = "Hugging Face image folder with metadata.jsonl and card"
    SETTINGS = HuggingFaceSettings

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        for frame in drive.frames():
            if self.target.classes and not frame.is_labelled:
                yield WITHOUT_LABEL
                continue
            left = self.target.pictures.write(frame, "left", f"{drive.split}/left/{frame.name}")
            right = self.target.pictures.write(frame, "right", f"{drive.split}/right/{frame.name}")
            line = {
                "file_name": left.file.partition("/")[2],
                "right_file_name": right.file.partition("/")[2],
                **_measures(frame),
            }
            if frame.labels is not None and frame.entry is not None:
                place = f"panoptic/{frame.name}.png"
                self.target.pictures.place(frame.labels.file(frame.entry), f"{drive.split}/{place}")
                line |= {"panoptic_file_name": place, "segments": _segments(frame.entry)}
            yield {"regions": [left.regions, right.regions], "line": line}

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        lengths = {}
        for split in spool.splits:
            lengths[split] = sum("line" in row for row in spool.rows(split))
            lines = (row["line"] for row in spool.rows(split) if "line" in row)
            place = self.target.root / split / "metadata.jsonl"
            write_pieces(place, (f"{compact(line)}\n" for line in lines))
        card = self._front_matter(lengths) + self._text(lengths)
        write_whole(self.target.root / "README.md", card.encode())
        return {}

    def _front_matter(self, lengths: dict[str, int]) -> str:
        license_name = self.target.settings.license or self.target.card.get("licence") or "unknown"
        total = sum(lengths.values())
        size = next((name for most, name in SIZES if total < most), "1M<n<10M")
        files = "".join(
            f"  - split: {'validation' if split == 'val' else split}\n    path: {split}/**\n"
            for split, length in lengths.items()
            if length
        )
        return (
            f"---\npretty_name: {compact(self.target.dataset)}\n"
            f"license: {license_name}\n"
            "task_categories:\n- image-segmentation\n- depth-estimation\n"
            "tags:\n- stereo\n- driving\n- unsupervised\n"
            f"size_categories:\n- {size}\n"
            f"configs:\n- config_name: default\n  data_files:\n{files}---\n"
        )

    def _text(self, lengths: dict[str, int]) -> str:
        splits = "".join(f"| {split} | {length} |\n" for split, length in lengths.items())
        text = (
            f"\n# {self.target.dataset}\n\nRectified stereo pictures of recorded drives. "
            f"No person labelled anything.\n\n| split | frames |\n|---|---|\n{splits}\n"
            "| column | holds |\n|---|---|\n"
            "| `image`, `right` | left and right picture |\n"
            "| `drive`, `clip`, `stamp_ns` | recording, gap-free part of it, time stamp |\n"
            "| `fx`, `fy`, `cx`, `cy`, `baseline_m` | rig: pixels, and metres between cameras |\n"
            f"{LABEL_COLUMNS if self.target.classes else ''}"
        )
        text += f"\n{_privacy(self.target.pictures.anonymizer)}\n"
        for subject in ("location", "consent"):
            if self.target.card.get(subject):
                text += f"\n{subject.capitalize()}: {self.target.card[subject]}\n"
        if not self.target.classes:
            return text
        classes = "".join(
            f"| {known.id} | {known.name} | {'thing' if known.is_thing else 'stuff'} |\n"
            for known in self.target.classes
        )
        return (
            f"{text}\nLabels are pseudo-labels (recipe `{self.target.recipe}`): classes are "
            "clusters, numbered and not named; objects are what was seen moving. Void pixels are "
            f"not judged.\n\n| class | name | kind |\n|---|---|---|\n{classes}"
        )


def _privacy(anonymizer: Anonymizer | None) -> str:
    if anonymizer is None:
        return "Faces and number plates are as the cameras saw them."
    kinds = ", ".join(str(one.provenance()["kind"]) for one in anonymizer.detectors)
    return f"Faces and number plates were made unreadable where found ({kinds})."


def _measures(frame: ExportedFrame) -> dict[str, Any]:
    rig = frame.drive.rig
    return {
        "drive": frame.drive.name,
        "clip": frame.clip,
        "stamp_ns": frame.stamp_ns,
        "fx": rig.fx,
        "fy": rig.fy,
        "cx": rig.cx,
        "cy": rig.cy,
        "baseline_m": rig.baseline_m,
    }


def _segments(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every segment with every key: tables want equal rows."""
    return [
        {
            "id": one["id"],
            "category_id": one["category_id"],
            "area": one["area"],
            "bbox": one["bbox"],
            "track_id": one.get("track_id", 0),
            "score": one.get("score", 1.0),
        }
        for one in entry["segments_info"]
    ]
