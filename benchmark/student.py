"""Whether the student can be taught: two small pictures by heart, and what its map then is worth.

python -m benchmark.student [--backbone mobilenet_v3_large|resnet18] [--steps N] [--rounds N]
    [--json]

It also measures how long the grouping of pixels takes at 512x1024; the network's own latency is
measured by `benchmark.inference`.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.student_scenes import IS_THING, STUFFS, THINGS, picture
from benchmark.table import Row, print_rows
from cups_core.centre_grouping import STRIDE, CentreVotes, GroupingSettings, group
from cups_core.metrics.panoptic_quality import panoptic_scores
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.student.panoptic_student import BACKBONES, PanopticStudent
from cups_core.network.student.settings import StudentLossSettings
from cups_core.network.student.student_graph import StudentGraph
from cups_core.network.student.student_loss import student_losses
from cups_core.network.student.student_targets import StudentTargets
from cups_core.panoptic import UNKNOWN_CLASS, PanopticMap

PICTURES, SIZE = 2, (128, 256)
HIGHEST_RATE = 2e-3
SAME = (1.0, 1.0)
CLASSES, HEIGHT, WIDTH, BLUR, LOGIT, OFFSET_PX = 27, 512, 1024, 4.0, 20.0, 200.0
# Share of classes that are things, and centres: a street, and the worst that can come.
LOADS = ((0.2, 30), (1.0, 100))


def main() -> None:
    """Teach, group, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="mobilenet_v3_large", choices=BACKBONES)
    parser.add_argument("--steps", type=int, default=140, help="of training")
    parser.add_argument("--rounds", type=int, default=10, help="of grouping; the best counts")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = {
        f"{arguments.backbone}, two pictures by heart": [
            taught(arguments.backbone, arguments.steps)
        ],
        f"grouping at {HEIGHT}x{WIDTH}, {CLASSES} classes, one thread": [
            grouped(share, count, arguments.rounds) for share, count in LOADS
        ],
    }
    print_rows(tables, arguments.json)


def taught(backbone: str, steps: int) -> Row:
    """Losses and panoptic quality after some steps on the same two pictures."""
    torch.manual_seed(0)
    student = PanopticStudent(backbone, THINGS, STUFFS).train()
    pictures = [picture(seed, SIZE) for seed in range(PICTURES)]
    images = ImageBatch.of([image for image, _ in pictures]).images
    settings = StudentLossSettings()
    truths = [truth for _, truth in pictures]
    targets = StudentTargets.of(truths, THINGS, STUFFS, SIZE, settings)
    optimizer = torch.optim.Adam(student.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, HIGHEST_RATE, steps)
    history = []
    for _ in range(steps):
        losses = student_losses(student(images), targets, settings)
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
        history.append(total.item())
    _take_statistics(student, images)
    graph = StudentGraph(student)
    tables = [
        _compared(_map_of(graph, image), truth) for image, truth in zip(images, truths, strict=True)
    ]
    scores = panoptic_scores(tables, np.arange(THINGS + STUFFS), np.array(IS_THING))
    return {
        "parameters M": sum(tensor.numel() for tensor in student.parameters()) / 1e6,
        "steps": steps,
        "first loss": history[0],
        "last loss": history[-1],
        "PQ": scores.official.all.pq,
        "PQ things": scores.official.things.pq,
        "void": scores.void_fraction,
    }


def grouped(thing_share: float, count: int, rounds: int) -> Row:
    """Best time of the grouping of smooth noise."""
    random = np.random.default_rng(0)
    shape = (HEIGHT // STRIDE, WIDTH // STRIDE)

    def smooth(channels: int, scale: float) -> NDArray[np.float32]:
        noise = random.normal(0, scale, (channels, *shape)).astype(np.float32)
        return np.stack([cv2.GaussianBlur(plane, (0, 0), BLUR) for plane in noise])

    semantic, offsets = smooth(CLASSES, LOGIT), smooth(2, OFFSET_PX)
    centres = random.uniform([0, 0, 0.2], [WIDTH, HEIGHT, 1], (count, 3)).astype(np.float32)
    votes = CentreVotes(semantic, centres, offsets)
    labels = _winners(semantic, (HEIGHT, WIDTH))
    is_thing = (np.arange(CLASSES) >= CLASSES * (1 - thing_share)).tolist()
    times_ms = []
    for _ in range(1 + rounds):
        start_ns = time.perf_counter_ns()
        found = group(votes, labels, is_thing, SAME, GroupingSettings())
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    things = np.asarray(is_thing)[labels].mean()
    return {
        "centres": count,
        "pixels of things": float(things),
        "segments": len(found.table),
        "ms": min(times_ms[1:]),
    }


def _take_statistics(student: PanopticStudent, images: torch.Tensor) -> None:
    """Means and deviations of what was trained on: so few steps have not settled them."""
    for module in student.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        student(images)


def _map_of(graph: StudentGraph, image: torch.Tensor) -> PanopticMap:
    with torch.inference_mode():
        semantic, centres, offsets = (output.numpy() for output in graph(image[None]))
    height, width = image.shape[1:]
    labels = _winners(semantic[0], (height, width))
    votes = CentreVotes(semantic[0], centres, offsets[0])
    return group(votes, labels, IS_THING, SAME, GroupingSettings())


def _winners(semantic: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    enlarged = [cv2.resize(plane, size[::-1]) for plane in semantic]
    return np.stack(enlarged).argmax(0).astype(np.uint8)


def _compared(found: PanopticMap, truth: PanopticMap) -> SegmentIntersections:
    found_class, found_instance = _classes_and_instances(found)
    true_class, true_instance = _classes_and_instances(truth)
    return intersect(
        predicted_class=found_class,
        predicted_instance=found_instance,
        truth_class=true_class,
        truth_instance=true_instance,
    )


def _classes_and_instances(made: PanopticMap) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    classes = np.full(made.segments.max() + 1, UNKNOWN_CLASS, np.uint16)
    instances = np.zeros_like(classes)
    for segment in made.table:
        classes[segment.id] = segment.class_id
        instances[segment.id] = segment.id if segment.is_thing else 0
    return classes[made.segments], instances[made.segments]


if __name__ == "__main__":
    main()
