"""Labels, sampling and losses of the cascade, and one whole step of training."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cups_core.errors import InputError  # noqa: E402
from cups_core.network.cascade.box_head import BoxPrediction  # noqa: E402
from cups_core.network.cascade.cascade_loss import (  # noqa: E402
    StageOutcome,
    box_loss,
    cascade_losses,
    classification_loss,
)
from cups_core.network.cascade.cascade_training import CascadeLosses, semantic_loss  # noqa: E402
from cups_core.network.cascade.drop_loss import DropLoss  # noqa: E402
from cups_core.network.cascade.panoptic_cascade import PanopticCascade  # noqa: E402
from cups_core.network.cascade.region_proposal_loss import (  # noqa: E402
    BACKGROUND,
    OBJECT,
    UNDECIDED,
    label_anchors,
)
from cups_core.network.cascade.region_sampling import (  # noqa: E402
    LabeledRegions,
    label_regions,
    sample_regions,
)
from cups_core.network.cascade.sampling import RandomSampler  # noqa: E402
from cups_core.network.cascade.targets import IGNORED, SceneTarget  # noqa: E402

HEIGHT, WIDTH = 64, 96
THINGS, STUFFS = 2, 3


def target_of(boxes: list[list[float]], semantic: int = 1) -> SceneTarget:
    """Full boxes of class 0, 1, 0, ... on one stuff."""
    count = len(boxes)
    masks = torch.zeros(count, HEIGHT, WIDTH, dtype=torch.bool)
    classes = torch.full((HEIGHT, WIDTH), semantic)
    for mask, box in zip(masks, boxes, strict=True):
        left, top, right, bottom = (int(side) for side in box)
        mask[top:bottom, left:right] = True
        classes[mask] = 0
    return SceneTarget(
        torch.tensor(boxes).reshape(-1, 4), torch.arange(count) % THINGS, masks, classes
    )


def outcome_of(regions: list[LabeledRegions], moved: torch.Tensor) -> StageOutcome:
    count = sum(len(image.boxes) for image in regions)
    said = BoxPrediction(torch.zeros(count, THINGS + 1), torch.zeros(count, 4))
    return StageOutcome(tuple(regions), said, moved)


def test_an_object_has_its_best_anchors_however_little_they_overlap() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [90, 90, 100, 100]])
    objects = torch.tensor([[0.0, 0, 10, 10], [95, 95, 97, 97]])
    labels, index = label_anchors(anchors, objects)
    assert labels.tolist() == [OBJECT, OBJECT, UNDECIDED, OBJECT]
    assert index.tolist() == [0, 0, 0, 1]
    labels, _ = label_anchors(anchors, objects[:0])
    assert labels.tolist() == [BACKGROUND] * 4


@pytest.mark.parametrize(("stage", "classes"), [(0, [0, 0, 2]), (1, [0, 2, 2]), (2, [2, 2, 2])])
def test_later_stages_ask_for_more_overlap(stage: int, classes: list[int]) -> None:
    target = target_of([[0.0, 0, 10, 10]])
    regions = torch.tensor([[0.0, 0, 10, 6.5], [0, 0, 10, 5.5], [0, 0, 10, 4.5]])
    assert label_regions(regions, target, THINGS, stage).classes.tolist() == classes


def test_objects_themselves_are_among_the_regions() -> None:
    target = target_of([[0.0, 0, 10, 10], [20, 20, 50, 50]])
    proposals = torch.tensor([[60.0, 60, 90, 90]])
    found = sample_regions(proposals, target, THINGS, RandomSampler())
    assert sorted(found.classes.tolist()) == [0, 1, 2]
    on_object = found.classes < THINGS
    assert torch.equal(found.boxes[on_object], found.object_boxes[on_object])
    nothing = sample_regions(proposals, target_of([]), THINGS, RandomSampler())
    assert nothing.classes.tolist() == [2]


def test_samples_repeat_with_the_generator_and_fill_up_with_background() -> None:
    positive = torch.arange(1000) < 100
    choices = [
        RandomSampler(torch.Generator().manual_seed(seed)).choose(positive, ~positive, 512, 0.25)
        for seed in (1, 1, 2)
    ]
    assert all(len(p) == 100 and len(n) == 412 for p, n in choices)
    assert all(positive[p].all() and not positive[n].any() for p, n in choices)
    assert torch.equal(choices[0][1], choices[1][1])
    assert not torch.equal(choices[0][1], choices[2][1])
    chosen, _ = RandomSampler().choose(~positive, positive, 512, 0.25)
    assert len(set(chosen.tolist())) == 128


def test_only_regions_near_a_label_count_with_drop_loss() -> None:
    """The uncovered region is the only wrong one; its loss goes, but it stays in the mean."""
    targets = [target_of([[0.0, 0, 10, 10]]), target_of([])]
    moved = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    regions = [
        label_regions(boxes, target, THINGS, 0)
        for boxes, target in zip((moved[:2], moved[2:]), targets, strict=True)
    ]
    outcome = outcome_of(regions, moved)
    weights = DropLoss(0.4).of(0, outcome, targets)
    # An image without any label says nothing about what is not labelled.
    assert weights.tolist() == [1, 0, 0]
    logits = torch.tensor([[9.0, 0, 0], [9, 0, 0], [9, 0, 0]])
    classes = torch.tensor([0, 2, 2])
    all_count = classification_loss(logits, classes, None)
    assert all_count.item() == pytest.approx(2 * 9 / 3, abs=0.01)
    assert classification_loss(logits, classes, weights).item() < 0.01
    losses = cascade_losses([outcome], targets, DropLoss(0.4))
    assert losses["loss_cls_stage0"].item() == pytest.approx(torch.log(torch.tensor(3.0)) / 3)


def test_boxes_are_learnt_on_objects_alone_and_averaged_over_all_regions() -> None:
    target = target_of([[0.0, 0, 10, 10]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [60, 60, 70, 70]])
    regions = label_regions(boxes, target, THINGS, 0)
    # The second must move left by a tenth of its width, ten times weighted.
    assert box_loss(outcome_of([regions], boxes), 0).item() == pytest.approx(1.0 / 3, rel=1e-5)


def test_unknown_pixels_and_padding_teach_nothing() -> None:
    target = target_of([], semantic=2)
    target.semantic[:40] = IGNORED
    logits = torch.zeros(1, STUFFS + 1, HEIGHT, 128)
    logits[:, 3, :40] = 100.0
    logits[:, 3, :, WIDTH:] = 100.0
    expected = 0.5 * torch.log(torch.tensor(STUFFS + 1.0))
    torch.testing.assert_close(semantic_loss(logits, [target]), expected)
    target.semantic[:] = IGNORED
    assert semantic_loss(logits, [target]).item() == 0


def test_targets_that_do_not_belong_together_are_refused() -> None:
    good = target_of([[0.0, 0, 10, 10]])
    with pytest.raises(InputError, match=r"masks \(G, 64, 96\), found \(1, 4\), \(1,\) and \(0"):
        SceneTarget(good.boxes, good.classes, good.masks[:0], good.semantic)
    with pytest.raises(InputError, match="box 0 of 1 is empty"):
        SceneTarget(torch.tensor([[5.0, 5, 5, 9]]), good.classes, good.masks, good.semantic)


def test_a_step_reaches_every_parameter_and_repeats() -> None:
    """The second image shows no object; both are small, so that the test is short."""
    torch.manual_seed(3)
    network = PanopticCascade(THINGS, STUFFS).train()
    images = [torch.rand(3, HEIGHT, WIDTH), torch.rand(3, 32, 60)]
    empty = SceneTarget(
        torch.zeros(0, 4),
        torch.zeros(0, dtype=torch.int64),
        torch.zeros(0, 32, 60, dtype=torch.bool),
        torch.full((32, 60), 2),
    )
    targets = [target_of([[10.0, 20, 50, 60], [55, 5, 95, 60]]), empty]

    def losses() -> dict[str, torch.Tensor]:
        sampler = RandomSampler(torch.Generator().manual_seed(1))
        return CascadeLosses(network, sampler, DropLoss(0.1))(images, targets)

    with torch.no_grad():
        before = losses()
    found = losses()
    assert found.keys() == {
        *("loss_sem_seg", "loss_rpn_cls", "loss_rpn_loc", "loss_mask"),
        *(f"loss_{kind}_stage{stage}" for kind in ("cls", "box_reg") for stage in range(3)),
    }
    for name, loss in found.items():
        assert torch.isfinite(loss), name
        torch.testing.assert_close(loss.detach(), before[name])
    torch.stack(list(found.values())).sum().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without
