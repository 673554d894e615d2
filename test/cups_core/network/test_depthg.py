"""DepthG: the golden numbers, and codes from the checkpoints that people have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmark.parity_depthg import compare  # noqa: E402
from cups_core.errors import CheckpointError, InputError  # noqa: E402
from cups_core.network.checkpoint_files import Checkpoint, read_checkpoint  # noqa: E402
from cups_core.network.depthg import DepthG  # noqa: E402
from cups_core.network.segmentation_head import SegmentationHead, save_head  # noqa: E402
from cups_core.network.settings import ComputeSettings  # noqa: E402
from cups_core.network.token_features import TokenFeatures  # noqa: E402
from cups_core.network.vision_transformer import (  # noqa: E402
    TransformerShape,
    VisionTransformer,
)
from cups_core.semantics.scene_view import SceneView  # noqa: E402

SHAPE = TransformerShape(width=64, depth=2, patch=8, side=4)
CPU = ComputeSettings(device="cpu")


def under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + key: tensor for key, tensor in tensors.items()}


@pytest.fixture(scope="module")
def dino() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    network = VisionTransformer(SHAPE)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.state_dict()


@pytest.fixture(scope="module")
def head() -> SegmentationHead:
    torch.manual_seed(6)
    return SegmentationHead(SHAPE.width, 10).eval()


@pytest.fixture(scope="module")
def centroids() -> np.ndarray:
    return np.random.default_rng(6).standard_normal((5, 10), np.float32)


@pytest.fixture(scope="module")
def views() -> list[SceneView]:
    generator = np.random.default_rng(7)
    return [
        SceneView(
            generator.integers(0, 256, (24, 40, 3), np.uint8), np.full((24, 40), 9.0, np.float32)
        )
        for _ in range(3)
    ]


def saved(path: Path, content: object) -> Checkpoint:
    torch.save(content, path)
    return read_checkpoint(path)


def test_golden_numbers_are_met(repository: Path) -> None:
    found = compare(repository / "test/data/goldens/depthg")
    codes = ("code_full", "lowres_code", "tokens_full")
    probabilities = ("slide_logprob", "lowres_logprob", "fused_logprob")
    winners = ("argmax_slide", "argmax_lowres", "argmax_fused")
    inside = ("attention_full_cls_row", "pos_embed_64x64", "pos_embed_64x128", "pos_embed_128x256")
    assert set(found) == {*codes, *probabilities, *winners, *inside}
    assert max(found[name] for name in codes) < 1e-4
    assert max(found[name] for name in probabilities + winners) < 1e-5
    assert max(found[name] for name in inside) < 1e-6


def test_codes_are_the_head_of_normalised_tokens(
    dino: dict[str, torch.Tensor],
    head: SegmentationHead,
    centroids: np.ndarray,
    views: list[SceneView],
) -> None:
    tensors = {
        **under("net.model.", dino),
        **under("net.", head.state_dict()),
        "cluster_probe.clusters": torch.from_numpy(centroids),
    }
    depthg = DepthG(Checkpoint(Path("depthg.ckpt"), "", tensors), None, CPU)
    found = depthg.codes(views)
    assert found.shape == (3, 10, 3, 5)
    assert found.dtype == np.float32
    assert depthg.cell_px == 8
    np.testing.assert_array_equal(depthg.centroids, centroids)
    network = VisionTransformer(SHAPE).eval()
    network.load_state_dict(dino)
    for view, code in zip(views, found, strict=True):
        seen = (view.image / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        with torch.no_grad():
            image = torch.from_numpy(seen.astype(np.float32)).permute(2, 0, 1)[None]
            expected = head(network.grid(image))[0].numpy()
        np.testing.assert_allclose(code, expected, atol=1e-5)


def test_a_halved_view_of_floats_is_seen_as_its_rounded_image(
    dino: dict[str, torch.Tensor], views: list[SceneView]
) -> None:
    features = TokenFeatures(Checkpoint(Path("dino.pth"), "", dino), CPU)
    as_floats = SceneView(views[0].image.astype(np.float32), views[0].depth_m)
    np.testing.assert_array_equal(features.features([as_floats]), features.features([views[0]]))


def test_a_lightning_checkpoint_may_hold_more_than_is_needed(
    dino: dict[str, torch.Tensor], head: SegmentationHead, centroids: np.ndarray, tmp_path: Path
) -> None:
    state = {
        **under("net.model.", dino),
        **under("net.", head.state_dict()),
        "cluster_probe.clusters": torch.from_numpy(centroids),
        "train_cluster_probe.clusters": torch.ones(5, 10),
        "linear_probe.weight": torch.ones(5, 10, 1, 1),
        "decoder.weight": torch.ones(64, 10, 1, 1),
    }
    checkpoint = saved(tmp_path / "depthg.ckpt", {"state_dict": state, "epoch": 3})
    assert DepthG(checkpoint, None, CPU).head_sha256 == checkpoint.sha256


def test_a_head_of_our_own_on_plain_dino(
    dino: dict[str, torch.Tensor],
    head: SegmentationHead,
    centroids: np.ndarray,
    views: list[SceneView],
    tmp_path: Path,
) -> None:
    weights = saved(tmp_path / "dino.pth", dino)
    features = TokenFeatures(weights, CPU)
    save_head(tmp_path / "head.pt", head, centroids, features.sha256)
    depthg = DepthG(weights, read_checkpoint(tmp_path / "head.pt"), CPU)
    with torch.no_grad():
        expected = head(torch.from_numpy(features.features(views))).numpy()
    np.testing.assert_allclose(depthg.codes(views), expected, atol=1e-5)
    assert depthg.head_sha256 != weights.sha256


@pytest.mark.parametrize(
    "wrap",
    [
        lambda dino: dino,
        lambda dino: dino | {"mask_token": torch.ones(1, 64)},
        lambda dino: {"teacher": under("backbone.", dino) | {"head.weight": torch.ones(2)}},
        lambda dino: {"state_dict": under("module.backbone.", dino), "epoch": 1},
    ],
    ids=["plain", "with a mask token", "teacher of a training run", "wrapped"],
)
def test_dino_is_found_in_the_forms_it_comes_in(
    wrap: object, dino: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    checkpoint = saved(tmp_path / "dino.pth", wrap(dino))  # type: ignore[operator]
    features = TokenFeatures(checkpoint, CPU)
    assert (features.width, features.cell_px) == (64, 8)
    found = features.network.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in dino.items())


def test_a_head_is_refused_on_tokens_of_other_weights(
    dino: dict[str, torch.Tensor], head: SegmentationHead, centroids: np.ndarray, tmp_path: Path
) -> None:
    weights = saved(tmp_path / "dino.pth", dino)
    save_head(tmp_path / "head.pt", head, centroids, "ab" * 32)
    with pytest.raises(CheckpointError, match="abab.*cups fit-semantics"):
        DepthG(weights, read_checkpoint(tmp_path / "head.pt"), CPU)


def test_a_transformer_without_a_head_says_how_to_get_one(dino: dict[str, torch.Tensor]) -> None:
    with pytest.raises(CheckpointError, match=r"dino\.pth.*cups fit-semantics"):
        DepthG(Checkpoint(Path("dino.pth"), "", dino), None, CPU)


def test_a_checkpoint_without_a_transformer_is_named() -> None:
    with pytest.raises(CheckpointError, match="expected one vision transformer"):
        TokenFeatures(Checkpoint(Path("raft.pt"), "", {"raft.conv": torch.ones(1)}), CPU)


def test_a_probe_for_other_codes_is_named(
    dino: dict[str, torch.Tensor], head: SegmentationHead
) -> None:
    tensors = {
        **under("net.model.", dino),
        **under("net.", head.state_dict()),
        "cluster_probe.clusters": torch.ones(5, 11),
    }
    with pytest.raises(CheckpointError, match="codes of 11 numbers, the head makes 10"):
        DepthG(Checkpoint(Path("depthg.ckpt"), "", tensors), None, CPU)


def test_views_that_do_not_fit_are_refused(dino: dict[str, torch.Tensor]) -> None:
    features = TokenFeatures(Checkpoint(Path("dino.pth"), "", dino), CPU)
    odd = SceneView(np.zeros((24, 30, 3), np.uint8), np.ones((24, 30), np.float32))
    with pytest.raises(InputError, match="multiple of 8"):
        features.features([odd])
    even = SceneView(np.zeros((24, 32, 3), np.uint8), np.ones((24, 32), np.float32))
    with pytest.raises(InputError, match="one size"):
        features.features([even, odd])
