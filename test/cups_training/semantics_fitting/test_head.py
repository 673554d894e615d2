"""Does a head learn without labels to tell apart what its transformer tells apart?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from cups_core.errors import InputError  # noqa: E402
from cups_core.frames import StereoFrame  # noqa: E402
from cups_core.network.checkpoint_files import Checkpoint, read_checkpoint  # noqa: E402
from cups_core.network.depthg import DepthG  # noqa: E402
from cups_core.network.settings import ComputeSettings  # noqa: E402
from cups_core.network.token_features import TokenFeatures  # noqa: E402
from cups_core.network.vision_transformer import TransformerShape, VisionTransformer  # noqa: E402
from cups_core.rig import StereoRig  # noqa: E402
from cups_core.semantics.clustering import ClusteringSettings  # noqa: E402
from cups_training.cli import main  # noqa: E402
from cups_training.dataset.drive import DriveWriter  # noqa: E402
from cups_training.semantics_fitting.head.feature_correspondence import (  # noqa: E402
    PairWeight,
    correspondence_loss,
)
from cups_training.semantics_fitting.head.training import (  # noqa: E402
    HeadSettings,
    nearest_crops,
    train_head,
)
from cups_training.semantics_fitting.head.transformer_fit import (  # noqa: E402
    CROP_PX,
    fit_transformer,
    five_crops,
)

CPU = torch.device("cpu")
SHORT = HeadSettings(dimension=8, steps=80, batch=8, points=32, neighbours=3, learning_rate=3e-3)


def tiny_features() -> TokenFeatures:
    """A random transformer of two blocks; random ones tell textures apart already."""
    torch.manual_seed(0)
    network = VisionTransformer(TransformerShape(width=64, depth=2, patch=16, side=14))
    for name, parameter in network.named_parameters():
        if "norm" not in name:
            nn.init.normal_(parameter, std=0.01 if name == "pos_embed" else 0.08)
    return TokenFeatures(
        Checkpoint(Path("tiny.pth"), "00" * 32, dict(network.state_dict())),
        ComputeSettings(device="cpu", precision="float32"),
    )


def striped_frames(count: int) -> tuple[list[StereoFrame], np.ndarray]:
    """Frames of 448 x 896: a yellow check to the left, dark stripes to the right."""
    rig = StereoRig(np.array([[500.0, 0, 447.5], [0, 500, 223.5], [0, 0, 1]]), 0.5, 896, 448)
    columns, rows = np.meshgrid(np.arange(896), np.arange(448))
    frames = []
    for number in range(count):
        random = np.random.default_rng(number)
        is_left = columns < 448
        check = ((columns // 8 + rows // 8) % 2 * 160 + 80)[..., None] * np.array([1.0, 1.0, 0.2])
        stripes = ((rows // 4) % 2 * 60)[..., None] * np.array([0.3, 0.5, 1.0])
        image = np.where(is_left[..., None], check, stripes) + random.normal(0, 6, (448, 896, 3))
        picture = image.clip(0, 255).astype(np.uint8)
        frames.append(StereoFrame(picture, picture, number + 1, rig))
    return frames, is_left


def test_the_loss_is_the_papers_formula() -> None:
    random = np.random.default_rng(0)
    features, codes = random.standard_normal((2, 2, 3, 5, 4)).astype(np.float32)
    expected = 0.0
    for image in range(3):
        for p in range(5):
            for q in range(5):

                def cosine(pair: np.ndarray, image: int = image, p: int = p, q: int = q) -> float:
                    a, b = pair[0, image, p], pair[1, image, q]
                    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

                expected -= max(cosine(codes), 0.0) * (cosine(features) - 0.3)
    found = correspondence_loss(
        tuple(torch.from_numpy(features)), tuple(torch.from_numpy(codes)), PairWeight(2.0, 0.3)
    )
    assert float(found) == pytest.approx(2.0 * expected / 75, rel=1e-5)


def test_the_nearest_crops_are_others_of_like_mean() -> None:
    directions = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.2, 0.9]])
    tokens = directions[:, None].repeat(1, 4, 1)
    found = nearest_crops(tokens, 2)
    assert found[0].tolist() == [1, 4]
    assert found[2].tolist() == [3, 4]
    assert all(number not in row for number, row in enumerate(found.tolist()))


def test_training_lowers_the_loss_and_parts_what_the_features_part() -> None:
    torch.manual_seed(1)
    kinds = functional.normalize(torch.randn(2, 64), dim=1)
    owner = torch.arange(24 * 40).reshape(24, 40) % 2
    tokens = kinds[owner] + 0.1 * torch.randn(24, 40, 64)
    losses: list[float] = []
    head = train_head(tokens, SHORT, CPU, lambda step, loss: losses.append(loss))
    assert len(losses) == SHORT.steps
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.1
    with torch.inference_mode():
        codes = functional.normalize(head(tokens.reshape(-1, 64).T[None, :, :, None])[0, :, :, 0].T)
    alike = codes @ codes.T
    same = owner.reshape(-1, 1) == owner.reshape(1, -1)
    assert alike[same].mean() > 0.8
    assert alike[~same].mean() < 0.2


def test_the_same_seed_trains_the_same_head() -> None:
    tokens = torch.randn(12, 30, 64, generator=torch.Generator().manual_seed(0))
    few = HeadSettings(dimension=4, steps=3, batch=8, points=16, neighbours=3)
    first, second = (train_head(tokens, few, CPU).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_five_crops_lie_amid_the_quarters_and_the_image() -> None:
    frames, _ = striped_frames(1)
    crops = five_crops(frames[0])
    assert {crop.shape for crop in crops} == {(CROP_PX, CROP_PX)}
    yellow = [float(crop.image[..., 0].mean()) > 80 for crop in crops]
    assert yellow[:4] == [True, False, True, False]


def test_a_transformer_is_fitted_from_frames_to_classes() -> None:
    frames, is_left = striped_frames(4)
    fit = fit_transformer(
        frames, tiny_features(), SHORT, ClusteringSettings(classes=2), lambda step, loss: None
    )
    features = tiny_features()
    crops = five_crops(frames[0])
    codes = features.into(fit.head, crops[:2])
    nearest = np.einsum("ndhw,cd->nchw", codes, fit.clustering.centroids).argmax(1)
    left, right = (np.bincount(found.ravel(), minlength=2) for found in nearest)
    assert left.argmax() != right.argmax()
    assert left.max() > 0.9 * left.sum()
    assert right.max() > 0.9 * right.sum()


def test_the_command_trains_a_head_that_the_classifier_can_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, _ = striped_frames(8)
    writer = DriveWriter(tmp_path / "drives" / "stripes", frames[0].rig)
    for frame in frames:
        writer.add(frame)
    writer.finish([frame.stamp_ns for frame in frames])
    weights, head = tmp_path / "tiny.pth", tmp_path / "head.pt"
    torch.save(dict(tiny_features().network.state_dict()), weights)
    words = ["--features", "dino", "--weights", str(weights), "--steps", "3", "--classes", "4"]
    assert main(["fit-semantics", str(tmp_path), *words, "--out", str(head)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["classes"] == 4
    depthg = DepthG(read_checkpoint(weights), read_checkpoint(head), ComputeSettings(device="cpu"))
    assert depthg.centroids.shape == (4, HeadSettings().dimension)
    assert np.isfinite(depthg.codes(five_crops(frames[0])[:1])).all()


def test_too_few_crops_for_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match="sample more frames"):
        train_head(torch.randn(8, 30, 64), SHORT, CPU)
