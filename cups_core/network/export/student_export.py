"""The one-stage student of a checkpoint as a plan of its graph; `checkpoint_export` asks for it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

from torch import nn

from cups_core.centre_grouping import GroupingSettings
from cups_core.network.export.model_writing import GraphPlan
from cups_core.network.student.student_checkpoints import load_student
from cups_core.network.student.student_graph import StudentGraph

# By their weights: cheap, and what they say is used as it is.
LAST_LAYERS = ("semantic_head.1", "centre_head.1", "offset_head.1")


def student_plan(checkpoint: Path) -> GraphPlan:
    """What the graph of a checkpoint is made of.

    Raises:
        CheckpointError: the weights cannot be used.
    """
    student = load_student(checkpoint)

    def make(is_half: bool) -> nn.Module:
        one = copy.deepcopy(student)
        return StudentGraph(one.half() if is_half else one)

    return GraphPlan(
        make,
        student.things,
        student.stuffs,
        dataclasses.asdict(GroupingSettings()),
        LAST_LAYERS,
    )
