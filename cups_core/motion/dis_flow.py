"""Dense inverse search optical flow (Kroeger et al., ECCV 2016) as OpenCV computes it.

The online motion chain calls it twice per frame, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.gray import gray_pair
from cups_core.settings import setting

# Sensor noise grows with the root of the brightness: in the root image a dark surface has as much
# contrast above its noise as a bright one.
_ROOT_OF_BRIGHTNESS = np.sqrt(np.arange(256) * 255.0).round().astype(np.uint8)


@dataclass(frozen=True)
class DisFlowSettings:
    """What decides the accuracy and the time of `DisFlow`.

    The defaults hold the online rate at 640x1280; `benchmark/flow.py` prints what others cost and
    bring.
    """

    finest_scale: int = setting(
        1, "finest pyramid level searched; 0 is the full size", minimum=0, maximum=2
    )
    patch_stride: int = setting(
        6, "distance between matched patches of 8 x 8, pixels", minimum=2, maximum=8
    )
    search_iterations: int = setting(8, "descent steps per patch and level", minimum=1, maximum=64)
    refinement_iterations: int = setting(
        1, "variational refinement steps per level", minimum=0, maximum=32
    )


class DisFlow:
    """Optical flow by inverse search over patches, then variational refinement.

    Gives the same flow whatever the number of threads; may be called from several threads at once.
    """

    def __init__(self, settings: DisFlowSettings = DisFlowSettings()) -> None:
        self.settings = settings
        # A search keeps its buffers, which saves a third of the time, but it also keeps the first
        # guess and the pyramid of earlier calls: it may only meet images of one size, and either
        # always or never a first guess.
        self._idle: dict[tuple[tuple[int, ...], bool], list[cv2.DISOpticalFlow]] = {}

    def flow(
        self,
        first: NDArray[np.uint8],
        second: NDArray[np.uint8],
        start: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Displacement from `first` to `second`, float32 (H, W, 2), pixels; see `FlowEstimator`.

        A patch tries the first guess beside what the coarser level and its neighbours found and
        goes on from the best: a wrong guess costs little, a right one carries the search over
        large motions and repeated patterns.

        Raises:
            InputError: the images differ in size or have another type, or the first guess has
                another shape or type or is not finite.
        """
        grays = gray_pair(first, second, "first and second")
        before, after = (cv2.LUT(gray, _ROOT_OF_BRIGHTNESS) for gray in grays)
        if start is not None:
            _check_start(start, before.shape)
        idle = self._searches(before.shape, start is not None)
        try:
            search = idle.pop()
        except IndexError:
            search = self._new_search()
        # An empty array means that there is no first guess; the search writes into any other.
        found = search.calc(
            before, after, np.empty((0, 0), np.float32) if start is None else start.copy()
        )
        idle.append(search)
        return np.asarray(found, np.float32)

    def _searches(self, shape: tuple[int, ...], has_start: bool) -> list[cv2.DISOpticalFlow]:
        if any(known != shape for known, _ in list(self._idle)):
            self._idle = {}
        return self._idle.setdefault((shape, has_start), [])

    def _new_search(self) -> cv2.DISOpticalFlow:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        search.setFinestScale(self.settings.finest_scale)
        search.setPatchStride(self.settings.patch_stride)
        search.setGradientDescentIterations(self.settings.search_iterations)
        search.setVariationalRefinementIterations(self.settings.refinement_iterations)
        return search


def _check_start(start: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if start.shape != (*shape, 2) or start.dtype != np.float32:
        raise InputError(
            f"first guess of the flow: expected float32 {(*shape, 2)}, "
            f"found {start.dtype} {start.shape}"
        )
    # OpenCV follows a NaN out of its buffers and ends the process.
    if not np.isfinite(start).all():
        raise InputError(
            "first guess of the flow: expected finite values, found "
            f"{np.count_nonzero(~np.isfinite(start))} others; fill them, with zero for instance"
        )
