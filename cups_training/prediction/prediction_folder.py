"""The folder of predictions: COCO panoptic maps and their JSON, and pictures for people.

`cups predict` writes it: panoptic/<name>.png, overlay/<name>.png and panoptic.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.panoptic import PanopticMap
from cups_core.panoptic_drawing import overlay_panoptic
from cups_core.runtime.sidecar import ModelClass
from cups_training.labelling.coco_panoptic import encode
from cups_training.whole_files import write_json, write_png


class PredictionFolder:
    """Writes maps as they come, and the JSON at the end.

    Args:
        root: made where it is missing; files of the same names are replaced.
        classes: names and colors.
    """

    def __init__(self, root: Path, classes: Sequence[ModelClass]) -> None:
        self.root = root
        self._classes = classes
        self._color_of = {item.id: item.color for item in classes}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, path: Path, image: NDArray[np.uint8], found: PanopticMap) -> None:
        """Write the map and the overlay of one image.

        Raises:
            FileError: a file cannot be written.
        """
        number, name = len(self._images) + 1, f"{path.stem}.png"
        pixels, segments = encode(found, lambda item: self._color_of[item.class_id])
        write_png(self.root / "panoptic" / name, pixels, is_map=True)
        write_png(self.root / "overlay" / name, overlay_panoptic(image, found, self._color_of))
        height, width = found.segments.shape
        self._images.append(
            {"id": number, "file_name": str(path), "width": width, "height": height}
        )
        self._annotations.append({"image_id": number, "file_name": name, "segments_info": segments})

    def finish(self, about: dict[str, Any]) -> None:
        """Write panoptic.json.

        Args:
            about: what made the predictions, kept under `info`.

        Raises:
            FileError: it cannot be written.
        """
        categories = [
            {
                "id": item.id,
                "name": item.name,
                "supercategory": "thing" if item.is_thing else "stuff",
                "isthing": int(item.is_thing),
                "color": list(item.color),
            }
            for item in self._classes
            if not item.is_ignored
        ]
        content = {
            "info": about,
            "images": self._images,
            "annotations": self._annotations,
            "categories": categories,
        }
        write_json(self.root / "panoptic.json", content)
