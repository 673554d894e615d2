"""The page of a dataset: what it says, that it is whole, and that it costs little."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.cli import main
from cups_training.dataset.drive import DriveWriter
from cups_training.overview.overview import MOST_SAMPLES, write_overview
from cups_training.overview.words import clock, length_text, size_text
from cups_training.whole_files import FileError, write_json, write_json_lines

WIDTH, HEIGHT, SHIFT = 256, 96, 8
RIG = StereoRig(np.array([[200.0, 0, 128], [0, 200, 48], [0, 0, 1]]), 0.3, WIDTH, HEIGHT)
STEP_NS, START_NS = 100_000_000, 1_700_000_000_000_000_000
VOID = {"meta", "img", "br", "i/"}


def scene(seed: int) -> NDArray[np.uint8]:
    """A wall with a pattern that both cameras see, shifted."""
    small = np.random.default_rng(seed).integers(0, 255, (HEIGHT // 4, WIDTH // 2)).astype(np.uint8)
    gray = cv2.resize(small, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))


def write_drive(root: Path, name: str, count: int = 6, *, swapped: bool = False) -> list[int]:
    writer = DriveWriter(root / "drives" / name, RIG)
    stamps = [START_NS + index * STEP_NS for index in range(count)]
    for index, stamp in enumerate(stamps):
        wall = scene(index)
        near, far = wall[:, 20 + SHIFT : 20 + SHIFT + WIDTH], wall[:, 20 : 20 + WIDTH]
        left, right = (near, far) if swapped else (far, near)
        writer.add(StereoFrame(np.ascontiguousarray(left), np.ascontiguousarray(right), stamp, RIG))
    writer.finish(stamps)
    return stamps


def write_pairs(root: Path, name: str, stamps: list[int], reasons: dict[int, str]) -> None:
    write_json_lines(
        root / "drives" / name / "pairs.jsonl",
        [
            {
                "first_ns": first,
                "second_ns": second,
                "dt_ns": second - first,
                "kept": index not in reasons,
                "reasons": [reasons[index]] if index in reasons else [],
            }
            for index, (first, second) in enumerate(zip(stamps, stamps[1:], strict=False))
        ],
    )


class Outline(HTMLParser):
    """Sees that every element is closed, and keeps attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " "


def read(page: Path) -> Outline:
    outline = Outline()
    outline.feed(page.read_text())
    outline.close()
    return outline


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with a manifest, losses, a gap, a stand, a leak and one swapped drive."""
    root = tmp_path_factory.mktemp("data")
    stamps = write_drive(root, "city", 8)
    reasons = {2: "standing: nothing moves", 3: "standing: nothing moves", 5: "gap: 0.3 s"}
    write_pairs(root, "city", stamps, reasons)
    rows = [
        {
            "stamp_ns": stamp,
            "right_stamp_ns": stamp + 250_000,
            "sharpness": 0.5,
            "brightness": 0.4,
            "clip": 0,
        }
        for stamp in stamps
    ]
    write_json_lines(root / "drives/city/frames.jsonl", rows)
    write_json(
        root / "drives/city/provenance.json",
        {
            "dropped": {"left: no partner": {"count": 3, "first": ""}},
            "notes": ["the clock jumped once"],
            "source": {"kind": "bag", "calibration": "/left/camera_info"},
        },
    )
    write_drive(root, "swapped", swapped=True)
    write_json(
        root / "manifest.json",
        {
            "card": {"title": "a <b> & c"},
            "leaks": [{"drives": ["city", "swapped"], "kind": "same time", "found": "one minute"}],
        },
    )
    (root / "splits").mkdir()
    (root / "splits/train.txt").write_text("city\n")
    (root / "splits/val.txt").write_text("swapped\n")
    label = root / "labels/fast"
    write_json_lines(label / "quality.jsonl", [{"status": "labelled"}] * 3 + [{"status": "empty"}])
    write_json(label / "thing_stuff.json", {"things": [1, 2], "stuff": [3]})
    (label / "report.html").write_text("")
    write_overview(root)
    return root


def test_the_page_is_well_formed_and_needs_nothing_beside_it(spoilt: Path) -> None:
    outline = read(spoilt / "overview.html")
    assert outline.open == []
    tags = {tag for tag, _, _ in outline.attributes}
    assert not tags & {"script", "link", "iframe"}
    sources = [value for _, name, value in outline.attributes if name == "src"]
    assert sources
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
    links = [value for _, name, value in outline.attributes if name == "href"]
    assert set(links) == {"#city", "#swapped", "labels/fast/report.html"}
    assert "url(http" not in (spoilt / "overview.html").read_text()


def test_the_drawings_are_well_formed(spoilt: Path) -> None:
    drawings = re.findall(r"<svg.*?</svg>", (spoilt / "overview.html").read_text(), re.DOTALL)
    assert len(drawings) == 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_it_says_what_is_wrong_what_was_dropped_and_why(spoilt: Path) -> None:
    text = re.sub(r"\s+", " ", read(spoilt / "overview.html").text)
    assert "To be mended before training" in text
    assert "city and swapped are in different splits and show the same: one minute" in text
    assert "left and right are swapped" in text
    assert "the clock jumped once" in text
    assert "left: no partner 3" in text
    assert "standing 2 16.7%" in text
    assert "gap 1 8.3%" in text
    assert "left and right within 0.25 ms (at most 0.25)" in text
    assert "4 of 7 pairs kept" in text
    assert "5 pairs, never selected from" in text
    assert "fast 75% 25% 0% 2 1" in text
    assert "0.3000 m" in text
    assert "a <b> & c" in text


def test_the_time_line_shows_each_run_once(spoilt: Path) -> None:
    page = (spoilt / "overview.html").read_text()
    titles = re.findall(r"<title>(.*?)</title>", page.split('id="city"')[1].split("</section>")[0])
    assert titles == [
        "kept: 2 pairs, 0.0 to 0.2 s",
        "standing: 2 pairs, 0.2 to 0.4 s",
        "kept: 1 pairs, 0.4 to 0.5 s",
        "kept: 1 pairs, 0.6 to 0.7 s",
        "gap of 0.10 s after 0.5 s",
        "limit of sharpness, 0.25",
    ]


def test_every_drive_has_a_sheet(spoilt: Path) -> None:
    for name in ("city", "swapped"):
        sheet = cv2.imread(str(spoilt / "overview" / f"{name}.jpg"))
        assert sheet.shape[1] > 3 * 480


def test_the_same_dataset_gives_the_same_bytes_wherever_it_lies(
    spoilt: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(spoilt, tmp_path / "elsewhere"))
    (copy / "overview.html").unlink()
    shutil.rmtree(copy / "overview")
    write_overview(copy)
    pages = [path.relative_to(spoilt) for path in spoilt.glob("overview*/*")]
    for path in (*pages, Path("overview.html")):
        assert (copy / path).read_bytes() == (spoilt / path).read_bytes()
    assert len(pages) == 2


def test_a_dataset_without_a_manifest_is_shown_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_drive(tmp_path, "plain")
    assert main(["overview", str(tmp_path)]) == 0
    page = Path(capsys.readouterr().out.strip())
    text = read(page).text
    assert "Nothing looks wrong" in text
    assert "rig in order" in text
    assert "not measured" not in text
    assert "No labels yet" in text


def test_a_picture_that_cannot_be_read_is_told_in_its_place(tmp_path: Path) -> None:
    stamps = write_drive(tmp_path, "holes", 3)
    for stamp in stamps:
        (tmp_path / "drives/holes/left" / f"{stamp}.png").unlink()
    text = read(write_overview(tmp_path)).text
    assert f"left/{stamps[0]}.png: cannot be read" in text
    assert "2 of 2 frames look wrong" in text


def test_a_long_drive_makes_no_long_page(tmp_path: Path) -> None:
    first = write_drive(tmp_path, "long", 1)[0]
    rows: list[dict[str, Any]] = [
        {
            "stamp_ns": first + index * STEP_NS,
            "left": f"left/{first}.png",
            "right": f"right/{first}.png",
            "sharpness": 0.3 + 0.4 * (index % 7) / 7,
            "brightness": 0.5,
        }
        for index in range(20_000)
    ]
    write_json_lines(tmp_path / "drives/long/frames.jsonl", rows)
    reasons = {
        index: "standing: nothing moves" if index % 3 else "blurred: much" for index in range(9000)
    }
    write_pairs(tmp_path, "long", [row["stamp_ns"] for row in rows], reasons)
    page = write_overview(tmp_path)
    assert page.stat().st_size < 600_000
    assert "20 000 frames" in read(page).text.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_of_many_drives_some_are_shown_and_all_are_listed(tmp_path: Path) -> None:
    for number in range(MOST_SAMPLES + 4):
        write_drive(tmp_path, f"drive_{number:02}", 1)
    page = write_overview(tmp_path)
    text = page.read_text()
    assert text.count("<section") == MOST_SAMPLES
    assert all(f"<td>drive_{number:02}</td>" in text for number in range(MOST_SAMPLES + 4))
    assert "36 of 40 drives are shown" in text


def test_a_folder_without_a_drive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="found none"):
        write_overview(tmp_path)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    stamps = write_drive(tmp_path, "odd", 2)
    rows = [{"stamp_ns": stamp, "right_stamp_ns": "late"} for stamp in stamps]
    (tmp_path / "drives/odd/frames.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    with pytest.raises(FileError, match="frames.jsonl, line 1"):
        write_overview(tmp_path)


def test_a_pair_that_is_dropped_without_a_reason_is_named(tmp_path: Path) -> None:
    stamps = write_drive(tmp_path, "odd", 2)
    row = {"first_ns": stamps[0], "second_ns": stamps[1], "kept": False, "reasons": []}
    write_json_lines(tmp_path / "drives/odd/pairs.jsonl", [row])
    with pytest.raises(FileError, match="pairs.jsonl, line 1"):
        write_overview(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "on_axis", "in_words"),
    [(7.5, "0:08", "7.5 s"), (125, "2:05", "2 min"), (3725, "1:02:05", "1 h 02 min")],
)
def test_times_are_said_as_people_say_them(seconds: float, on_axis: str, in_words: str) -> None:
    assert clock(seconds) == on_axis
    assert length_text(seconds) == in_words


def test_sizes_are_said_in_the_unit_that_fits() -> None:
    assert [size_text(n) for n in (7, 1500, 999_999, 141_200_000_000)] == [
        "7.0 B",
        "1.5 kB",
        "1.0 MB",
        "141 GB",
    ]
