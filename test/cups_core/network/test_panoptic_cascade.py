"""Panoptic Cascade Mask R-CNN: the golden numbers of inference and of the losses."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from benchmark.parity_network import compare  # noqa: E402
from cups_core.network.cascade.panoptic_cascade import PanopticCascade  # noqa: E402
from cups_core.network.panoptic_checkpoints import panoptic_shapes  # noqa: E402

# Of the goldens' README; the longest name that fits counts.
LIMITS = {
    "padded_size": 0.0,
    "p": 2e-4,
    "proposals_missing": 0.01,
    "proposal_boxes": 0.01,
    "proposal_logits": 1e-4,
    "detections_differ": 0.0,
    "detection_boxes": 2e-2,
    "detection_scores": 2e-4,
    "mask": 3e-3,
    "semantic_logits": 5e-4,
    # 20 and 30 pixels.
    "semantic_map": 20 / (312 * 660),
    "segments_differ": 0.0,
    "segment_scores": 2e-4,
    "segment_areas": 30 / (312 * 660),
    "panoptic_map": 30 / (312 * 660),
    "class_map": 30 / (312 * 660),
    "instance_map": 30 / (312 * 660),
    "anchor_labels": 0.0,
    "training_proposals": 0.01,
    "stage": 1e-6,
    "stage0_logits": 2e-3,
    "stage1_logits": 2e-3,
    "stage2_logits": 2e-3,
    "stage0_deltas": 2e-3,
    "stage1_deltas": 2e-3,
    "stage2_deltas": 2e-3,
    "mask_targets": 0.0,
    "losses": 1e-4,
    "gradient_norms": 5e-3,
    # Those of the first layer carry the rounding of all others; they are up to 0.4.
    "gradient_entries": 5e-3,
    "regions_without": 0.0,
    "trainbn": 5e-4,
}


@pytest.fixture(scope="module")
def found(repository: Path) -> dict[str, float]:
    return compare(repository / "test/data/goldens/network")


def limit(quantity: str) -> float:
    return LIMITS[max((name for name in LIMITS if quantity.startswith(name)), key=len)]


def test_every_part_of_the_golden_numbers_is_compared(found: dict[str, float]) -> None:
    unused = [name for name in LIMITS if not any(quantity.startswith(name) for quantity in found)]
    assert not unused
    assert len(found) > 60


def test_golden_numbers_are_met(found: dict[str, float]) -> None:
    beyond = {name: value for name, value in found.items() if not value <= limit(name)}
    assert not beyond


def test_the_state_dict_has_the_431_tensors_of_the_reference() -> None:
    shapes = panoptic_shapes(things=5, stuffs=22)
    assert len(shapes) == 431
    assert shapes["roi_heads.box_predictor.2.cls_score.weight"] == (6, 1024)
    assert shapes["roi_heads.box_head.0.fc1.weight"] == (1024, 256 * 7 * 7)
    assert shapes["roi_heads.mask_head.predictor.weight"] == (5, 256, 1, 1)
    assert shapes["sem_seg_head.p5.4.norm.weight"] == (128,)
    assert shapes["sem_seg_head.predictor.bias"] == (23,)
    assert shapes["backbone.bottom_up.res5.0.shortcut.norm.running_var"] == (2048,)
    assert shapes["backbone.fpn_lateral2.norm.num_batches_tracked"] == ()


def test_images_of_a_batch_do_not_mix_and_may_show_nothing() -> None:
    torch.manual_seed(2)
    network = PanopticCascade(things=2, stuffs=3).eval()
    # Without statistics of its own an untrained residual network lets its numbers grow without end.
    for name, parameter in network.named_parameters():
        if name.endswith("conv3.norm.weight"):
            torch.nn.init.constant_(parameter, 0.1)
    images = [torch.rand(3, 60, 90), torch.rand(3, 60, 90)]
    with torch.inference_mode():
        for least_score, is_seen in ((0.99, False), (0.3, True)):
            together = network(images, least_score)
            for image, scene in zip(images, together, strict=True):
                (alone,) = network([image], least_score)
                count = len(scene.found.boxes)
                assert count == len(alone.found.boxes)
                assert (count > 0) == is_seen
                assert scene.masks.shape == (count, 28, 28)
                assert scene.semantic.shape == (4, 60, 90)
                torch.testing.assert_close(scene.semantic, alone.semantic, atol=1e-4, rtol=0)
                torch.testing.assert_close(
                    scene.found.scores, alone.found.scores, atol=1e-5, rtol=0
                )
