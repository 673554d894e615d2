"""Names of the files of a dataset; writers and readers agree on them here."""

from __future__ import annotations

# Of the whole.
MANIFEST, CARD, CHECKSUMS = "manifest.json", "README.md", "checksums.sha256"
SPLITS = {"train": "splits/train.txt", "val": "splits/val.txt"}

# Of a drive.
CALIBRATION, FRAMES, PAIRS = "calibration.json", "frames.jsonl", "pairs.jsonl"
CLAIM, PROVENANCE = "extraction.json", "provenance.json"
