"""Can somebody else read the labels? COCO panoptic, decoded here without the project's code."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.motion.segments import areas_and_boxes
from cups_core.panoptic import PanopticMap, Segment
from cups_training.labelling.coco_panoptic import encode

from .conftest import FRAMES


def decode(path: Path) -> NDArray[np.int64]:
    """Ids as the COCO panoptic format defines them: R + 256 G + 65536 B."""
    blue, green, red = np.moveaxis(cv2.imread(str(path)).astype(np.int64), -1, 0)
    return np.asarray(red + 256 * green + 65536 * blue)


@pytest.fixture(scope="module")
def coco(labelled: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((labelled / "labels/fast/panoptic.json").read_text())


def test_ids_areas_and_boxes_are_those_of_the_maps(labelled: Path, coco: dict) -> None:
    images = {item["id"]: item for item in coco["images"]}
    assert len(images) == len(coco["images"]) == len(coco["annotations"])
    for annotation in coco["annotations"]:
        image = images[annotation["image_id"]]
        ids = decode(labelled / "labels/fast/panoptic" / annotation["file_name"])
        assert ids.shape == (image["height"], image["width"])
        assert (labelled / image["file_name"]).exists()
        listed = {item["id"]: item for item in annotation["segments_info"]}
        assert set(np.unique(ids).tolist()) - {0} == set(listed)
        for number, item in listed.items():
            rows, columns = np.nonzero(ids == number)
            left, top = columns.min(), rows.min()
            assert item["area"] == len(rows)
            assert item["bbox"] == [
                left,
                top,
                columns.max() - left + 1,
                rows.max() - top + 1,
            ]
            assert item["iscrowd"] == 0


def test_segments_have_the_class_of_the_semantic_map(labelled: Path, coco: dict) -> None:
    things = {item["id"] for item in coco["categories"] if item["isthing"]}
    split = json.loads((labelled / "labels/fast/thing_stuff.json").read_text())
    assert things == set(split["things"])
    assert [item["id"] for item in coco["categories"]] == sorted(split["things"] + split["stuff"])
    for annotation in coco["annotations"]:
        ids = decode(labelled / "labels/fast/panoptic" / annotation["file_name"])
        pair = labelled / "labels/fast/pairs" / annotation["file_name"].removesuffix(".png")
        semantic = cv2.imread(f"{pair}_semantic.png", cv2.IMREAD_UNCHANGED)
        instances = cv2.imread(f"{pair}_instance.png", cv2.IMREAD_UNCHANGED)
        assert (semantic.dtype, instances.dtype) == (np.uint8, np.uint16)
        for item in annotation["segments_info"]:
            inside = ids == item["id"]
            assert set(semantic[inside].tolist()) == {item["category_id"]}
            if item["category_id"] in things:
                (number,) = set(instances[inside].tolist())
                assert (instances == number).sum() == item["area"]
                assert item["track_id"] > 0
            else:
                assert not instances[inside].any()
        # Void is what training must ignore, no more and no less.
        is_thing = np.isin(semantic, list(things))
        assert np.array_equal(ids == 0, is_thing != (instances > 0))


def test_an_object_keeps_its_track_over_the_clips_of_a_drive(coco: dict) -> None:
    # Ten frames are three clips; what moves for longer than four frames crosses a seam.
    tracks: dict[int, list[str]] = {}
    for annotation in coco["annotations"]:
        for item in annotation["segments_info"]:
            if annotation["file_name"].startswith("waiting/") and "track_id" in item:
                tracks.setdefault(item["track_id"], []).append(annotation["file_name"])
    assert max(len(frames) for frames in tracks.values()) > 4


def test_every_frame_is_in_the_quality_file_once_and_in_order(labelled: Path) -> None:
    lines = (labelled / "labels/fast/quality.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    keys = [(row["drive"], row["stamp_ns"]) for row in rows]
    assert keys == sorted(set(keys))
    assert len(keys) == 2 * FRAMES
    for row in rows:
        assert set(row) == {
            "drive", "stamp_ns", "status", "masks", "dropped_masks", "coverage", "ignored",
            "consistency", "valid_fraction", "reason",
        }  # fmt: skip
        assert (row["reason"] == "") == (row["status"] == "labelled")
        assert (row["masks"] > 0) == (row["status"] == "labelled")


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_colors_of_an_image_are_never_shared(seed: int, count: int) -> None:
    # Many segments of one class and one track wish for the same color.
    random = np.random.default_rng(seed)
    segments = random.integers(0, count + 1, (9, 11)).astype(np.uint16)
    unknown = np.full(3, np.nan)
    table = tuple(
        Segment(
            number,
            int(random.integers(3)),
            "",
            bool(random.integers(2)),
            1.0,
            *found,
            int(random.integers(1, 3)),
            unknown,
            unknown,
        )
        for number, found in areas_and_boxes(segments).items()
    )
    colors, entries = encode(PanopticMap(segments, table))
    ids = colors.astype(np.int64) @ np.array([1, 256, 65536])
    assert len({item["id"] for item in entries}) == len(table)
    for segment, item in zip(table, entries, strict=True):
        assert np.array_equal(ids == item["id"], segments == segment.id)
    assert np.array_equal(ids == 0, segments == 0)


class Sources(HTMLParser):
    """Everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_report_needs_nothing_beside_it(labelled: Path) -> None:
    page = (labelled / "labels/fast/report.html").read_text()
    parser = Sources()
    parser.feed(page)
    assert parser.found
    assert all(source.startswith("data:") for source in parser.found)
    for words in ("bend", "waiting", "The gate is passed", "minimum_speed_mps"):
        assert words in page
    assert "$" not in page


def test_the_contact_sheet_is_a_picture(labelled: Path, tmp_path: Path) -> None:
    copy = shutil.copy(labelled / "labels/fast/contact_sheet.jpg", tmp_path)
    sheet = cv2.imread(str(copy))
    assert sheet.shape[1] > 1000
    assert sheet.std() > 20
