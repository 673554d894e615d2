"""What a user chooses about running networks; needs no PyTorch, so that commands can list it."""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting


@dataclass(frozen=True)
class ComputeSettings:
    """Where a network runs and how precisely."""

    device: str = setting(
        "auto",
        "where networks run; auto = a CUDA device where there is one",
        choices=("auto", "cpu", "cuda"),
    )
    precision: str = setting(
        "auto",
        "number type of most layers; auto = 16 bits on a GPU, float32 on a processor",
        choices=("auto", "float32", "bfloat16", "float16"),
    )


@dataclass(frozen=True)
class RaftSettings(ComputeSettings):
    """What RAFT costs and brings."""

    iterations: int = setting(
        16, "corrections of each flow; fewer are faster", minimum=1, maximum=64
    )
    correlation_mib: int = setting(
        4096,
        "memory that the correlations of one batch may take on a GPU, MiB; a processor takes one "
        "direction at a time",
        minimum=1,
    )
