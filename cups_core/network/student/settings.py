"""How the student's losses are weighed; needs no PyTorch, so that commands can list it."""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting


@dataclass(frozen=True)
class StudentLossSettings:
    """Weights of the losses; the defaults are those of Panoptic-DeepLab."""

    semantic_weight: float = setting(1.0, "weight of the classes of pixels", minimum=0.0)
    centre_weight: float = setting(200.0, "weight of the heat at centres of things", minimum=0.0)
    offset_weight: float = setting(0.01, "weight of the way to centres, per pixel", minimum=0.0)
    hard_share: float = setting(
        0.2,
        "share of the pixels whose classes are learned: those that are hardest in the batch",
        minimum=0.001,
        maximum=1.0,
    )
    small_thing_weight: float = setting(
        3.0, "how many times the pixels of small things count", minimum=1.0
    )
    small_thing_share: float = setting(
        1 / 512,
        "things that cover less than this share of the image are small; 64x64 pixels at 2048x1024",
        minimum=0.0,
        maximum=1.0,
    )
