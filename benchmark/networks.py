"""Time and memory of RAFT and of DepthG's transformer per 640x1280 frame; weights are random.

python -m benchmark.networks [--device auto|cpu|cuda] [--precision ...] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmark.table import Row, print_rows
from cups_core.frames import StereoFrame
from cups_core.network.checkpoint_files import Checkpoint
from cups_core.network.raft import Raft
from cups_core.network.raft_estimator import RaftEstimator
from cups_core.network.raft_matcher import RaftMatcher
from cups_core.network.settings import ComputeSettings, RaftSettings
from cups_core.network.token_features import TokenFeatures
from cups_core.network.vision_transformer import TransformerShape, VisionTransformer
from cups_core.rig import StereoRig
from cups_core.semantics.scene_view import SceneView

HEIGHT, WIDTH = 640, 1280
VIT_BASE = TransformerShape(width=768, depth=12, patch=8, side=28)
# As in CUPS: windows of half the height with half of it as overlap; the whole at half size, twice.
CROP, CROPS = HEIGHT // 2, 3 * 7


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "float32", "bfloat16", "float16")
    )
    parser.add_argument("--rounds", type=int, default=1, help="of these the best counts")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = arguments.device, arguments.precision
    rows = _raft(RaftSettings(*given), arguments.rounds)
    rows += _tokens(ComputeSettings(*given), arguments.rounds)
    title = f"640x1280, device {given[0]}, precision {given[1]}, {torch.get_num_threads()} thread"
    print_rows({title: rows}, arguments.json)


def _raft(settings: RaftSettings, rounds: int) -> list[Row]:
    estimator = RaftEstimator(_random_weights(Raft(), "raft."), settings)
    frames = _frames(2)
    matcher = RaftMatcher(estimator)
    looks = [matcher.look(frame.left, frame.right) for frame in frames]
    count = settings.iterations
    return [
        _row(
            f"RAFT, one flow, {count} updates",
            lambda: estimator.flow(frames[0].left, frames[1].left),
            rounds,
        ),
        _row(
            f"RAFT, a frame: 2 images encoded, 2 flows, {count} updates",
            lambda: matcher.look(frames[0].left, frames[0].right),
            rounds,
        ),
        _row(
            f"RAFT, a pair of frames: 2 flows, {count} updates",
            lambda: matcher.compare(looks[0], looks[1]),
            rounds,
        ),
    ]


def _tokens(settings: ComputeSettings, rounds: int) -> list[Row]:
    features = TokenFeatures(_random_weights(VisionTransformer(VIT_BASE), ""), settings)
    crops, halves = (
        [SceneView(np.zeros((*size, 3), np.uint8), np.zeros(size, np.float32))] * count
        for size, count in (((CROP, CROP), CROPS), ((HEIGHT // 2, WIDTH // 2), 2))
    )
    return [
        _row(f"ViT-B/8, {CROPS} crops of 320x320", lambda: features.features(crops), rounds),
        _row("ViT-B/8, 2 views of 320x640", lambda: features.features(halves), rounds),
    ]


def _frames(count: int) -> list[StereoFrame]:
    generator = np.random.default_rng(0)
    rig = StereoRig(np.diag([1400.0, 1400.0, 1.0]), 0.2, WIDTH, HEIGHT)
    images = generator.integers(0, 256, (count, 2, HEIGHT, WIDTH, 3), np.uint8)
    return [StereoFrame(left, right, stamp, rig) for stamp, (left, right) in enumerate(images)]


def _random_weights(network: torch.nn.Module, prefix: str) -> Checkpoint:
    tensors = {prefix + key: tensor for key, tensor in network.state_dict().items()}
    return Checkpoint(Path("random weights"), "", tensors)


def _row(name: str, work: Callable[[], object], rounds: int) -> Row:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    row: Row = {"work": name, "s": best, "process peak GB": peak_gb}
    if torch.cuda.is_available():
        row = {**row, "GPU peak GB": torch.cuda.max_memory_allocated() / 1e9}
    return row


if __name__ == "__main__":
    main()
