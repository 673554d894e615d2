"""Pictures on their way out: bit for bit, as PNG where a format insists, unreadable where asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cups_training.dataset.dataset import Dataset
from cups_training.exporting.export import Request
from cups_training.exporting.export import export as carry_out
from cups_training.exporting.registry import all_formats
from cups_training.privacy.anonymizer import Anonymizer
from cups_training.privacy.blurring import BlurSettings
from cups_training.privacy.regions import FACE, FrameContext, Region

from .conftest import RECIPE, Export, Painted, all_bytes, use_suffixes


def test_pictures_are_linked_and_cost_no_space(painted: Painted, export: Export) -> None:
    output = export("kitti", recipe="")
    stamp = painted.stamps("night")[0]
    source = painted.root / "drives/night/left" / f"{stamp}.png"
    target = output / "val/sequences/night/image_2/0000000000.png"
    assert source.samefile(target)


def test_copies_are_files_of_their_own(painted: Painted, export: Export) -> None:
    output = export("kitti", "--copy", recipe="")
    stamp = painted.stamps("night")[0]
    source = painted.root / "drives/night/left" / f"{stamp}.png"
    target = output / "val/sequences/night/image_2/0000000000.png"
    assert not source.samefile(target)
    assert source.read_bytes() == target.read_bytes()


def test_a_disk_without_links_gets_copies(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = all_bytes(export("cityscapes", out="linked"))

    def no_link(source: Any, target: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("cups_training.exporting.pictures.os.link", no_link)
    assert all_bytes(export("cityscapes", out="copied")) == linked


@pytest.mark.parametrize("name", ["kitti", "cityscapes"])
def test_formats_of_png_get_png(own: Painted, export: Export, name: str) -> None:
    use_suffixes(own, "webp", "jpg")
    output = export(name, root=own.root, recipe="")
    pictures = [path for path in output.rglob("*") if path.suffix in (".png", ".webp", ".jpg")]
    assert {path.suffix for path in pictures} == {".png"}
    stamp = own.stamps("night")[1]
    left, right = (
        sorted(path for path in pictures if "night" in str(path) and side in str(path))[1]
        for side in (("image_2", "image_3") if name == "kitti" else ("leftImg8bit", "rightImg8bit"))
    )
    # WebP without loss comes back exactly; of a JPEG the very pixels that everybody decodes.
    assert np.array_equal(np.array(Image.open(left)), own.pictures["night", stamp, "left"])
    source = cv2.imread(str(own.root / f"drives/night/right/{stamp}.jpg"))
    assert np.array_equal(np.array(Image.open(right)), source[..., ::-1])


@pytest.mark.parametrize("name", ["coco-panoptic", "hugging-face", "label-studio"])
def test_other_formats_keep_the_very_bytes(own: Painted, export: Export, name: str) -> None:
    use_suffixes(own, "webp", "jpg")
    output = export(name, root=own.root)
    drives = own.root / "drives"
    sources = {path.read_bytes() for path in drives.rglob("*.webp")}
    found = list(output.rglob("*.webp"))
    assert found
    assert all(path.read_bytes() in sources for path in found)


class UpperLeftCorner:
    """Finds one face in pictures of the first drive, on the side that it is told."""

    def __init__(self, side: str) -> None:
        self._side = side

    def regions(self, frame: FrameContext) -> list[Region]:
        is_there = frame.drive == "day_1" and frame.side == self._side
        return [Region(2, 2, 10, 8, FACE, 0.9)] if is_there else []

    def provenance(self) -> dict[str, Any]:
        return {"kind": "corner"}


def anonymous(painted: Painted, output: Path, name: str, side: str) -> dict[str, Any]:
    one = all_formats()[name]
    detector = Anonymizer([UpperLeftCorner(side)], BlurSettings())
    dataset = Dataset(painted.root)
    recipe = RECIPE if one.NEEDS_LABELS else ""
    request = Request(dataset, name, one, output, recipe, (), one.SETTINGS(), detector, False)
    return carry_out(request, lambda done: None)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["kitti", "cityscapes", "hugging-face"])
def test_faces_leave_neither_in_left_nor_in_right_pictures(
    painted: Painted, tmp_path: Path, name: str, side: str
) -> None:
    manifest = anonymous(painted, tmp_path / "out", name, side)
    originals = {picture.tobytes(): key for key, picture in painted.pictures.items()}
    blurred = 0
    for path in sorted((tmp_path / "out").rglob("*.png")):
        picture = np.array(Image.open(path))
        if picture.ndim == 3 and picture.tobytes() not in originals:
            blurred += 1
    drive = [key for key in painted.pictures if key[0] == "day_1" and key[2] == side]
    times = 2 if name == "cityscapes" else 1
    assert blurred == times * len(drive)
    privacy = manifest["result"]["privacy"]
    assert privacy["regions"] == {"face": len(drive)}
    assert privacy["pictures"] == len(painted.pictures)
    assert manifest["request"]["privacy"]["detectors"] == [{"kind": "corner"}]


def test_unreadable_pictures_have_the_same_bytes_every_time(
    painted: Painted, tmp_path: Path
) -> None:
    for name in ("once", "again"):
        anonymous(painted, tmp_path / name, "kitti", "left")
    assert all_bytes(tmp_path / "once") == all_bytes(tmp_path / "again")


def test_untouched_pictures_stay_bit_for_bit(painted: Painted, tmp_path: Path) -> None:
    anonymous(painted, tmp_path / "out", "kitti", "left")
    stamp = painted.stamps("day_1")[0]
    right = tmp_path / "out/train/sequences/day_1/image_3/0000000000.png"
    assert right.samefile(painted.root / f"drives/day_1/right/{stamp}.png")
    source = Image.open(painted.root / f"drives/day_1/left/{stamp}.png")
    assert np.array_equal(np.array(source), painted.pictures["day_1", stamp, "left"])


@pytest.mark.parametrize("name", sorted(all_formats()))
def test_no_format_lets_a_readable_left_picture_out(
    painted: Painted, tmp_path: Path, name: str
) -> None:
    anonymous(painted, tmp_path / "out", name, "left")
    readable = {
        picture[2:10, 2:12].tobytes()
        for (drive, _, side), picture in painted.pictures.items()
        if (drive, side) == ("day_1", "left")
    }
    for path in (tmp_path / "out").rglob("*.png"):
        assert np.array(Image.open(path))[2:10, 2:12].tobytes() not in readable
    assert json.loads((tmp_path / "out/manifest.json").read_text())["result"]["privacy"][
        "anonymized"
    ]
