"""Losses, gradients and training-mode features of the network against golden numbers.

`benchmark.parity_network` and the tests call it. Losses and norms of gradients are told as relative
differences; labels, weights and counts as the share that differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.golden_folder import largest_difference
from benchmark.golden_losses import IMAGES, GoldenLosses, ReferenceDropLoss
from benchmark.parity_network_stages import compare_stages, differing, quantile
from cups_core.network.cascade.cascade_loss import cascade_losses, run_stages
from cups_core.network.cascade.cascade_training import semantic_loss
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.cascade.mask_loss import mask_loss, mask_targets
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.cascade.region_proposal_loss import (
    BACKGROUND,
    OBJECT,
    UNDECIDED,
    SampledAnchors,
    label_anchors,
    region_proposal_losses,
)
from cups_core.network.cascade.region_proposals import TRAINING, propose
from cups_core.network.cascade.region_sampling import LabeledRegions, label_regions
from cups_core.network.cascade.targets import SceneTarget

VARIANTS = {
    "without_droploss": None,
    "with_droploss_tau0.2_reference": ReferenceDropLoss(0.2),
    "with_droploss_tau0.4_reference": ReferenceDropLoss(0.4),
}
# Gradients are stored of the last one.
WITH_GRADIENTS = "with_droploss_tau0.4_reference"
WITHOUT_OBJECTS = "second_image_without_gt_droploss_tau0.4_reference"


def compare_losses(network: PanopticCascade, folder: Path) -> dict[str, float]:
    """Largest difference by part; uses up the network's statistics and gradients."""
    stored = GoldenLosses(folder)
    batch = ImageBatch.of(stored.images)
    features = network.backbone(batch.images)
    said = network.proposal_generator(features)
    proposals = [image.boxes for image in propose(said, batch.sizes, TRAINING)]
    regions = stored.regions()
    outcomes = run_stages(network.roi_heads, features, regions, stored.targets, network.things)
    common = {
        "loss_sem_seg": semantic_loss(network.sem_seg_head(features), stored.targets),
        **region_proposal_losses(said, _sampled_anchors(stored, said.anchors)),
        "loss_mask": mask_loss(
            network.roi_heads.mask_head, features, regions, stored.targets, network.things
        ),
    }
    losses = {
        variant: {**common, **cascade_losses(outcomes, stored.targets, weights)}
        for variant, weights in VARIANTS.items()
    }
    torch.stack(list(losses[WITH_GRADIENTS].values())).sum().backward()
    found = {
        "anchor_labels": _of_anchors(stored, said.anchors),
        "training_proposals_missing": _of_proposals(stored, proposals),
        **compare_stages(stored, outcomes, network.things),
        "mask_targets": _of_mask_targets(stored, regions, network.things),
        **{
            f"losses_{variant}": _largest_ratio(found, stored.scalars[variant])
            for variant, found in losses.items()
        },
        **_of_gradients(stored, network),
    }
    with torch.no_grad():
        found.update(_without_objects(stored, network, features))
        found.update(_of_batch_statistics(stored, network, batch))
    return found


def _of_anchors(stored: GoldenLosses, anchors: Tensor) -> float:
    """Share of images whose anchors lie on other objects."""
    differ = []
    for name, target in zip(IMAGES, stored.targets, strict=True):
        labels, _ = label_anchors(anchors, target.boxes)
        counts = [int((labels == label).sum()) for label in (BACKGROUND, OBJECT, UNDECIDED)]
        differ.append(
            int(stored.array(f"rpn_anchor_count_{name}")) != len(labels)
            or counts != stored.array(f"rpn_label_counts_neg_pos_ignore_{name}").tolist()
            or torch.nonzero(labels == OBJECT)[:, 0].tolist()
            != stored.array(f"rpn_all_pos_{name}").tolist()
        )
    return float(np.mean(differ))


def _sampled_anchors(stored: GoldenLosses, anchors: Tensor) -> list[SampledAnchors]:
    sampled = []
    for name, target in zip(IMAGES, stored.targets, strict=True):
        positive = stored.tensor(f"rpn_sampled_pos_{name}").long()
        negative = stored.tensor(f"rpn_sampled_neg_{name}").long()
        _, index = label_anchors(anchors, target.boxes)
        sampled.append(SampledAnchors(positive, negative, target.boxes[index[positive]]))
    return sampled


def _of_proposals(stored: GoldenLosses, proposals: Sequence[Tensor]) -> float:
    """Share of the stored training proposals that are not found, or of those too many or few."""
    missing = []
    for name, boxes in zip(IMAGES, proposals, strict=True):
        wanted = stored.tensor(f"train_proposal_boxes50_{name}")
        distance = torch.cdist(wanted, boxes, p=float("inf")).amin(1)
        count = int(stored.array(f"train_proposal_count_{name}"))
        missing += [float((distance > 0.01).float().mean()), abs(len(boxes) - count) / count]
    return max(missing)


def _of_mask_targets(stored: GoldenLosses, regions: Sequence[LabeledRegions], things: int) -> float:
    """Share of cells that differ; 1 where other regions lie on objects."""
    on_objects = [image.rows(image.classes < things) for image in regions]
    boxes = torch.cat([image.boxes for image in on_objects]).numpy()
    if differing(boxes, stored.array("mask_fg_boxes")):
        return 1.0
    masks = torch.cat(
        [mask_targets(i, target) for i, target in zip(on_objects, stored.targets, strict=True)]
    ).numpy()
    cells = masks[0].size
    wanted = np.unpackbits(stored.array("mask_targets_packed"), axis=-1)[:, :cells]
    return differing(masks.reshape(-1, cells), wanted.astype(bool))


def _largest_ratio(found: Mapping[str, Tensor], expected: Mapping[str, float]) -> float:
    """Largest relative difference of losses; of those that both have where some are left out."""
    return max(abs(found[name].item() - expected[name]) / expected[name] for name in found)


def _of_gradients(stored: GoldenLosses, network: PanopticCascade) -> dict[str, float]:
    """Relative differences of the norms by module and absolute ones of sampled entries."""
    norms = stored.scalars["grad_norms_total_loss_with_droploss_tau0.4"]
    of_norms = []
    for prefix, expected in norms.items():
        gradients = [
            parameter.grad.norm() ** 2
            for parameter in network.get_submodule(prefix).parameters()
            if parameter.grad is not None
        ]
        of_norms.append(abs(float(torch.stack(gradients).sum().sqrt()) - expected) / expected)
    of_entries = []
    for name in (n for n in stored.golden.arrays if n.startswith("grad_idx:")):
        key = name.removeprefix("grad_idx:")
        gradient = network.get_parameter(key).grad
        assert gradient is not None
        entries = gradient.flatten()[stored.tensor(name)].numpy()
        wanted = stored.array(f"grad_val:{key}")
        of_entries.append(largest_difference(entries, wanted))
    return {"gradient_norms": max(of_norms), "gradient_entries": max(of_entries)}


def _without_objects(
    stored: GoldenLosses, network: PanopticCascade, features: Sequence[Tensor]
) -> dict[str, float]:
    """Losses, logits, labels and weights when the second image shows no object."""
    first, second = stored.targets
    nothing = torch.zeros(0, dtype=torch.int64)
    targets = [
        first,
        SceneTarget(second.boxes[:0], nothing, second.masks[:0], second.semantic),
    ]
    regions = [
        label_regions(boxes, target, network.things, stage=0)
        for boxes, target in zip(stored.by_image("roi_boxes", 0, "nogt_"), targets, strict=True)
    ]
    outcomes = run_stages(network.roi_heads, features, regions, targets, network.things)
    losses = cascade_losses(outcomes, targets, ReferenceDropLoss(0.4))
    masks = mask_loss(network.roi_heads.mask_head, features, regions, targets, network.things)
    differ, logits = [], []
    kept = stored.scalars["second_image_without_gt_weights_sum"]
    for stage, outcome in enumerate(outcomes):
        classes = torch.cat([image.classes for image in outcome.regions]).numpy()
        differ.append(differing(classes, stored.array(f"nogt_s{stage}_gt_classes")))
        weights = ReferenceDropLoss(0.4).of(stage, outcome, targets)
        counts = [len(image.boxes) for image in outcome.regions]
        sums = None if weights is None else [float(w.sum()) for w in weights.split(counts)]
        differ.append(float(sums != kept[stage]))
        logits.append(quantile(outcome.said.logits.numpy(), stored.array(f"nogt_s{stage}_logits")))
    return {
        f"losses_{WITHOUT_OBJECTS}": _largest_ratio(
            {**losses, "loss_mask": masks}, stored.scalars[WITHOUT_OBJECTS]
        ),
        "regions_without_objects": max(differ),
        "stage0_logits_without_objects": logits[0],
        "stage1_logits_without_objects": logits[1],
        "stage2_logits_without_objects": logits[2],
    }


def _of_batch_statistics(
    stored: GoldenLosses, network: PanopticCascade, batch: ImageBatch
) -> dict[str, float]:
    """Features with the statistics of the batch."""
    network.backbone.train()
    features = network.backbone(batch.images)
    network.backbone.eval()
    found = {}
    for level, values in enumerate(features, 2):
        name = f"trainbn_p{level}"
        stored.golden.arrays[f"{name}_shape"] = np.array(values.shape)
        found[name] = stored.golden.difference(name, values.numpy())
    return found
