"""Networks with the weights that a user brings; PyTorch is loaded by those alone who ask for one.

Labelling builds its estimators and extractors here where weights are given.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cups_core.errors import CupsError
from cups_core.network.settings import ComputeSettings, RaftSettings

if TYPE_CHECKING:
    from cups_core.network.depthg import DepthG
    from cups_core.network.raft_matcher import RaftMatcher


class MissingPyTorchError(CupsError):
    """Weights are given and PyTorch is not installed."""


def load_raft(weights: Path, settings: RaftSettings) -> RaftMatcher:
    """Flow and disparity by RAFT.

    Raises:
        CupsError: PyTorch is missing, or the file does not hold these weights.
    """
    _need_pytorch(weights)
    from cups_core.network.checkpoint_files import read_checkpoint
    from cups_core.network.raft_estimator import RaftEstimator
    from cups_core.network.raft_matcher import RaftMatcher

    return RaftMatcher(RaftEstimator(read_checkpoint(weights), settings))


def load_depthg(weights: Path, head: Path | None, settings: ComputeSettings) -> DepthG:
    """Codes and classes by a vision transformer.

    Args:
        weights: `depthg.ckpt`, or a state dict of DINO or DINOv2.
        head: what `cups fit-semantics --features dino` made; None where `weights` brings its own.
        settings: device and precision.

    Raises:
        CupsError: PyTorch is missing, or a file does not hold what is expected.
    """
    _need_pytorch(weights)
    from cups_core.network.checkpoint_files import read_checkpoint
    from cups_core.network.depthg import DepthG

    return DepthG(
        read_checkpoint(weights), None if head is None else read_checkpoint(head), settings
    )


def _need_pytorch(weights: Path) -> None:
    if find_spec("torch") is None:
        raise MissingPyTorchError(
            f"{weights}: networks need PyTorch, which is not installed: "
            "pip install 'cups-ros[networks]', or leave these weights out"
        )
