"""A detector of faces and plates that the user brings: an ONNX file with a YAML file beside it.

`cups export --privacy-detector` uses it; docs/privacy.md says which models fit.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from cups_core.errors import InputError
from cups_training.privacy.detector_description import DetectorDescription, hidden_classes
from cups_training.privacy.detector_input import PADDING, InputTensor, View, tiles
from cups_training.privacy.detector_outputs import YOLO_V5, YOLO_V8, Floats, Tensor, find_layout
from cups_training.privacy.regions import FrameContext, Region
from cups_training.whole_files import FileError

RUNTIME_ERRORS = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)
# A box of shares of the input is no larger than this, one in pixels hardly ever that small.
LARGEST_SHARE = 2.0


class OnnxDetector:
    """A model and its description, `model.yaml` beside `model.onnx`.

    It runs on a CUDA device where ONNX Runtime has one, on one core otherwise: pictures are
    independent, so exports run in as many processes as there are cores, and bytes stay the same.

    Args:
        model: the ONNX file.

    Raises:
        FileError: a file is missing or broken.
        InputError: the model takes or gives something that cannot be understood.
    """

    def __init__(self, model: Path) -> None:
        self._path = model
        sidecar = model.with_suffix(".yaml")
        try:
            content = model.read_bytes()
        except OSError as problem:
            raise FileError(f"{model}: cannot be read ({problem.strerror})") from problem
        self._sha256 = hashlib.sha256(content).hexdigest()
        self.description = DetectorDescription.read(sidecar)
        self._settings = self.description.settings
        self._session = _session(model)
        try:
            self._names = self._class_names()
            self._hidden = hidden_classes(self._names, self.description)
            self._input = InputTensor.of(self._session.get_inputs(), self.description)
            self._layout = find_layout(self._probe(), len(self._names), self.description)
        except InputError as problem:
            raise InputError(f"{model} with {sidecar.name}: {problem}") from problem

    def __reduce__(self) -> tuple[type[OnnxDetector], tuple[Path]]:
        return OnnxDetector, (self._path,)

    def regions(self, frame: FrameContext) -> list[Region]:
        """See `RegionDetector.regions`.

        Raises:
            InputError: the model cannot run on this picture, or gives what makes no sense.
        """
        try:
            return self._found_in(frame.picture)
        except InputError as problem:
            raise InputError(
                f"{self._path} on {frame.drive}, {frame.side} picture at {frame.stamp_ns} ns: "
                f"{problem}"
            ) from problem

    def provenance(self) -> dict[str, Any]:
        """See `RegionDetector.provenance`."""
        return {
            "kind": "ONNX detector",
            "file": self._path.name,
            "sha256": self._sha256,
            "names": list(self._names),
            "kinds": dict(self.description.kinds),
            "thresholds": {name: self._threshold(name) for name in self._hidden.values()},
            "settings": dataclasses.asdict(self._settings),
            "mean": list(self.description.mean),
            "std": list(self.description.std),
            "output_layout": str(self._layout),
            "runtime": f"onnxruntime {onnxruntime.__version__} {self._session.get_providers()[0]}",
        }

    def _found_in(self, picture: NDArray[np.uint8]) -> list[Region]:
        looks = [self._look(picture, window) for window in tiles(picture.shape, self._settings)]
        boxes, scores = (np.concatenate(parts) for parts in zip(*looks, strict=True))
        return self._regions(boxes, scores)

    def _look(
        self, picture: NDArray[np.uint8], window: tuple[slice, slice]
    ) -> tuple[Floats, Floats]:
        """Boxes (N, 4), corners in pixels of the picture, and scores (N, C), of one window."""
        view = self._input.view(window)
        outputs = self._run(self._input.filled(picture[window], view))
        boxes, scores = self._layout.decode(outputs, len(self._names))
        likely = np.zeros(len(scores), np.bool_)
        for number, name in self._hidden.items():
            likely |= scores[:, number] >= self._threshold(name)
        return self._corners(boxes[likely], view), scores[likely]

    def _corners(self, boxes: Floats, view: View) -> Floats:
        """Boxes as the model states them, as corners in pixels of the picture."""
        is_yolo = self._layout.kind in (YOLO_V8, YOLO_V5)
        form = self._settings.box_form
        form = ("center" if is_yolo else "corners") if form == "auto" else form
        if form == "center":
            half = boxes[:, 2:] / 2
            boxes = np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])
        elif form == "corners_yx":
            boxes = boxes[:, [1, 0, 3, 2]]
        self._check(boxes, form)
        if self._settings.box_units == "shares":
            boxes = boxes * np.array([view.width, view.height] * 2)
        return view.in_picture(boxes)

    def _check(self, boxes: Floats, form: str) -> None:
        if not boxes.size:
            return
        if not (np.isfinite(boxes).all() and (boxes[:, 2:] >= boxes[:, :2]).all()):
            raise InputError(
                f"boxes: expected {form}, found one from {boxes.min(axis=0)} to "
                f"{boxes.max(axis=0)} whose corners are swapped or not finite; say box_form"
            )
        largest, units = float(np.abs(boxes).max()), self._settings.box_units
        if (largest <= LARGEST_SHARE) != (units == "shares"):
            raise InputError(
                f"boxes: expected {units}, but the largest coordinate is {largest:.3g}; say "
                f"box_units: {'shares' if units == 'pixels' else 'pixels'}"
            )

    def _regions(self, boxes: Floats, scores: Floats) -> list[Region]:
        """One region for each thing; classes do not suppress each other."""
        found = []
        sizes = boxes[:, 2:] - boxes[:, :2]
        rectangles = np.hstack([boxes[:, :2], sizes])
        has_area = (sizes > 0).all(axis=1)
        for number, name in self._hidden.items():
            threshold = self._threshold(name)
            own = np.flatnonzero(has_area & (scores[:, number] >= threshold))
            kept = cv2.dnn.NMSBoxes(
                rectangles[own].tolist(),
                scores[own, number].tolist(),
                0.0,
                self._settings.nms_overlap,
            )
            kind = self.description.kinds[name]
            for index in own[np.asarray(kept, np.int64).ravel()]:
                x, y, width, height = rectangles[index].tolist()
                found.append(Region(x, y, width, height, kind, float(scores[index, number])))
        return found

    def _threshold(self, name: str) -> float:
        return self.description.thresholds.get(name, self._settings.score_threshold)

    def _class_names(self) -> tuple[str, ...]:
        """Names of all classes, from the YAML file or the metadata that Ultralytics writes."""
        written = self._session.get_modelmeta().custom_metadata_map.get("names")
        try:
            known = ast.literal_eval(written) if written else {}
        except (ValueError, SyntaxError):
            known = {}
        own = tuple(str(known[k]) for k in sorted(known)) if isinstance(known, dict) else ()
        said = self.description.names
        if own and said and own != said:
            raise InputError(f"names: the file says {list(said)}, the model itself {list(own)}")
        if not (own or said):
            raise InputError("names: the model carries none; list all its classes in their order")
        return own or said

    def _probe(self) -> list[Tensor]:
        """The outputs for a blank picture: exporters do not state all shapes."""
        blank = np.full((self._input.height or 640, self._input.width or 640, 3), PADDING, np.uint8)
        view = self._input.view((slice(0, blank.shape[0]), slice(0, blank.shape[1])))
        outputs = self._run(self._input.filled(blank, view))
        return [
            Tensor(name, found.shape, bool(np.issubdtype(found.dtype, np.integer)))
            for name, found in outputs.items()
        ]

    def _run(self, tensor: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        names = [output.name for output in self._session.get_outputs()]
        try:
            found = self._session.run(names, {self._input.name: tensor})
        except RUNTIME_ERRORS as problem:
            raise InputError(
                f"input {self._input.name}: the model does not run on {tensor.dtype} "
                f"{tensor.shape}; does it need another input_width and input_height? {problem}"
            ) from problem
        return dict(zip(names, found, strict=True))


def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=providers)
    except RUNTIME_ERRORS as problem:
        raise FileError(
            f"{model}: expected a model that ONNX Runtime reads; {problem}"
        ) from problem
