"""RAFT over the frames of a drive: each image is encoded once, each direction matched once.

Offline motion labelling takes it instead of DIS flow and semi-global matching.
"""

from __future__ import annotations

from cups_core.frames import StereoFrame
from cups_core.motion.estimators import StereoMatches
from cups_core.network.raft import EncodedImages
from cups_core.network.raft_estimator import RaftEstimator, disparities_of


class RaftStream:
    """Fits `StreamMatcher`: per frame two encoded images and four flows, all in one batch."""

    def __init__(self, estimator: RaftEstimator) -> None:
        """Starts without a past."""
        self._estimator = estimator
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame counts as the first."""
        self._last: EncodedImages | None = None
        self._last_shape = (0, 0)

    def advance(self, frame: StereoFrame) -> StereoMatches:
        """See `StreamMatcher.advance`."""
        shape = frame.rig.shape
        encoded = self._estimator.encode([frame.left, frame.right])
        last = self._last if shape == self._last_shape else None
        self._last, self._last_shape = encoded.rows([0]), shape
        stereo = [(0, 1), (1, 0)]
        if last is None:
            flows = self._estimator.flows(encoded, stereo, shape)
            return StereoMatches(*disparities_of(*flows), None, None)
        in_time = [(0, 2), (2, 0)]
        *views, backward, forward = self._estimator.flows(
            encoded.joined(last), stereo + in_time, shape
        )
        return StereoMatches(*disparities_of(*views), backward, forward)
