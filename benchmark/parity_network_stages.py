"""The cascade's stages in training against golden numbers, each also on the stored inputs alone.

`benchmark.parity_network_losses` calls it. A stage's outcome depends on the one before, so rounding
can move a region over a threshold: regions are compared one by one only on stored inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.golden_folder import largest_difference
from benchmark.golden_losses import GoldenLosses, reference_objects
from cups_core.network.cascade.boxes import decoded
from cups_core.network.cascade.cascade_head import DELTA_WEIGHTS
from cups_core.network.cascade.cascade_loss import StageOutcome, classification_loss
from cups_core.network.cascade.drop_loss import largest_overlap
from cups_core.network.cascade.region_sampling import LabeledRegions, label_regions

# A region in five hundred may be pooled with another sampling grid.
QUANTILE = 0.995


def compare_stages(
    stored: GoldenLosses, outcomes: Sequence[StageOutcome], things: int
) -> dict[str, float]:
    """Largest difference by part."""
    found: dict[str, float] = {}
    for stage, outcome in enumerate(outcomes):
        of_stage = _on_stored_inputs(stored, stage, things)
        for name, expected in (("logits", outcome.said.logits), ("deltas", outcome.said.deltas)):
            of_stage[f"{name}_after_the_stages_before"] = quantile(
                expected.detach().numpy(), stored.array(f"s{stage}_{name}")
            )
        found.update({f"stage{stage}_{part}": value for part, value in of_stage.items()})
    return found


def _on_stored_inputs(stored: GoldenLosses, stage: int, things: int) -> dict[str, float]:
    """Cross-entropy, moved boxes, labels and DropLoss from the stored logits, deltas and boxes."""
    logits, classes = stored.tensor(f"s{stage}_logits"), stored.tensor(f"s{stage}_gt_classes")
    boxes = stored.tensor(f"s{stage}_roi_boxes")
    moved = decoded(boxes, stored.tensor(f"s{stage}_deltas"), DELTA_WEIGHTS[stage])
    entropy = torch.stack(
        [
            classification_loss(row[None], label[None], None)
            for row, label in zip(logits, classes, strict=True)
        ]
    )
    labeled = [
        label_regions(image, target, things, stage)
        for image, target in zip(stored.by_image("roi_boxes", stage), stored.targets, strict=True)
    ]
    reference = _overlaps(
        stored, stage, [reference_objects(gt) for gt in stored.by_image("gt_boxes", stage)]
    )
    intended = _overlaps(stored, stage, [target.boxes for target in stored.targets])
    found = {
        "moved_boxes_px": largest_difference(moved.numpy(), stored.array(f"s{stage}_decoded")),
        "entropy": largest_difference(entropy.numpy(), stored.array(f"s{stage}_ce")),
        "labels_differ": _labels_differ(stored, stage, labeled),
        "overlap_reference": largest_difference(
            reference.numpy(), stored.array(f"s{stage}_max_iou_reference")
        ),
        "overlap_intended": largest_difference(
            intended.numpy(), stored.array(f"s{stage}_max_iou_intended")
        ),
        "weights_reference": differing(
            (reference > 0.4).numpy(), stored.array(f"s{stage}_weights_reference_tau0.4")
        ),
    }
    for tau in (0.2, 0.4):
        expected = stored.scalars["intended_droploss_cls"][f"loss_cls_stage{stage}_tau{tau}"]
        loss = classification_loss(logits, classes, (intended > tau).float())
        found[f"loss_intended_tau{tau}"] = abs(loss.item() - expected) / expected
    return found


def _overlaps(stored: GoldenLosses, stage: int, objects: Sequence[torch.Tensor]) -> torch.Tensor:
    """Largest overlap of the stored moved boxes with the objects of their image."""
    moved = stored.by_image("decoded", stage)
    return torch.cat([largest_overlap(b, o) for b, o in zip(moved, objects, strict=True)])


def _labels_differ(stored: GoldenLosses, stage: int, labeled: Sequence[LabeledRegions]) -> float:
    """Share of regions with another class or another object."""
    classes = torch.cat([image.classes for image in labeled]).numpy()
    objects = torch.cat([image.object_boxes for image in labeled]).numpy()
    return max(
        differing(classes, stored.array(f"s{stage}_gt_classes")),
        differing(objects, stored.array(f"s{stage}_gt_boxes")),
    )


def differing(found: NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    """Share of entries that are not equal; 1 where even the number is another."""
    return float((found != expected).mean()) if found.shape == expected.shape else 1.0


def quantile(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """What all but a few entries stay below; 1 where a region more or less came through."""
    if found.shape != expected.shape:
        return 1.0
    return float(np.quantile(np.abs(found - expected), QUANTILE))
