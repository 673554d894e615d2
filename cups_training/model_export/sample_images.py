"""Some images of a dataset or of a folder, spread evenly over all of it; the export asks for them.

They calibrate models of 8 bits and show how well a model of reduced precision agrees.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cups_training.dataset.dataset import Dataset
from cups_training.whole_files import FileError, read_picture

Item = TypeVar("Item")
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def sample_images(place: Path, count: int) -> list[NDArray[np.uint8]]:
    """At most `count` RGB images (H, W, 3).

    Args:
        place: a dataset, whose left pictures are taken, or any folder of pictures.
        count: how many.

    Raises:
        FileError: there are none, or one is broken.
    """
    if (place / "drives").is_dir():
        drives = Dataset(place).drives
        frames = [(drive, index) for drive in drives for index in range(len(drive))]
        return [drive.frame(index).left for drive, index in _spread(frames, count)]
    pictures = sorted(path for path in place.rglob("*") if path.suffix.lower() in ENDINGS)
    if not pictures:
        raise FileError(
            f"{place}: expected a dataset with drives/ or a folder of pictures "
            f"({', '.join(sorted(ENDINGS))}), found neither"
        )
    return [_rgb(path) for path in _spread(pictures, count)]


def _spread(items: list[Item], count: int) -> list[Item]:
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[index] for index in chosen]


def _rgb(path: Path) -> NDArray[np.uint8]:
    picture = read_picture(path)
    if picture.dtype != np.uint8:
        raise FileError(f"{path}: expected 8 bits per channel, found {picture.dtype}")
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
