"""A detector of faces and plates that the user brings as an ONNX file with a YAML beside it.

`cups export --privacy-detector` uses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cups_core.errors import InputError
from cups_training.privacy.regions import FrameContext, Region


class OnnxDetector:
    """A model file and its description."""

    def __init__(self, model: Path) -> None:
        self._model = model
        if not model.is_file():
            raise InputError(f"{model}: expected an ONNX file, found none")

    def regions(self, frame: FrameContext) -> list[Region]:
        """See `RegionDetector.regions`."""
        raise InputError(f"{self._model}: ONNX detectors are read by the next version of this file")

    def provenance(self) -> dict[str, Any]:
        """See `RegionDetector.provenance`."""
        return {"kind": "ONNX detector", "file": self._model.name}
