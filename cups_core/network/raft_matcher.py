"""RAFT over the frames of a drive: each image is encoded once, however many pairs it is part of.

Offline motion labelling takes it instead of DIS flow and semi-global matching.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.estimators import StereoLook
from cups_core.network.raft import EncodedImages
from cups_core.network.raft_estimator import RaftEstimator, disparities_of

Map = NDArray[np.float32]
BOTH_WAYS = ((0, 1), (1, 0))


class RaftMatcher:
    """Fits `StereoMatcher`: two encoded images a frame, both directions of a pair in one batch."""

    def __init__(self, estimator: RaftEstimator) -> None:
        self._estimator = estimator

    def look(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> StereoLook[EncodedImages]:
        """See `StereoMatcher.look`."""
        encoded = self._estimator.encode([left, right])
        flows = self._estimator.flows(encoded, BOTH_WAYS, left.shape[:2])
        return StereoLook(*disparities_of(*flows), encoded.rows([0]))

    def compare(
        self,
        first: StereoLook[EncodedImages],
        second: StereoLook[EncodedImages],
        start_forward: Map | None = None,
        start_backward: Map | None = None,
    ) -> tuple[Map, Map]:
        """See `StereoMatcher.compare`; RAFT compares all with all and needs no first guess."""
        encoded = first.memory.joined(second.memory)
        forward, backward = self._estimator.flows(encoded, BOTH_WAYS, first.disparity.shape)
        return forward, backward
