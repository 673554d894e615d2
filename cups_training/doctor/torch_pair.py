"""Whether the installed PyTorch and torchvision are built for each other, judged without importing.

The doctor asks it. torchvision from PyPI is linked against CUDA libraries, pip lets it join a
CPU-only torch without a word, and the import then fails with a message that names neither of them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions

from cups_training.doctor.findings import Finding, Verdict

SUBJECT = "torch and torchvision"
INSTALL = "pip install --force-reinstall 'torch>=2.14,<2.16' 'torchvision>=0.29.1,<0.30'"
# A file of the wheel that only a CUDA build carries, wherever no label on the version tells.
CUDA_FILES = {"torch": "libtorch_cuda", "torchvision": "libcudart"}


def has_cuda(distribution: Distribution) -> bool | None:
    """Whether an installed torch or torchvision was built for CUDA; None where nothing tells.

    Its version may carry a local label (2.13.0+cpu, 2.15.0+cu132); if not, its list of files tells.
    """
    label = distribution.version.partition("+")[2]
    if label:
        return label.startswith("cu")
    if distribution.files is None:
        return None
    mark = CUDA_FILES[distribution.metadata["Name"].lower()]
    return any(mark in file.name for file in distribution.files)


def check_torch_pair(installed: Iterable[Distribution] | None = None) -> Finding:
    """Judges the pair by the metadata of the installed distributions.

    Args:
        installed: the distributions to look among; None = those of this environment.
    """
    found = {
        name: distribution
        for distribution in (distributions() if installed is None else installed)
        if (name := (distribution.metadata["Name"] or "").lower()) in CUDA_FILES
    }
    state = ", ".join(f"{name} {found[name].version}" for name in CUDA_FILES if name in found)
    if len(found) < len(CUDA_FILES):
        return Finding(
            SUBJECT,
            Verdict.MISSING,
            state or "not installed",
            "only training needs them: pip install 'cups-ros[train]'",
        )
    torch_has, vision_has = has_cuda(found["torch"]), has_cuda(found["torchvision"])
    if vision_has and torch_has is False:
        return Finding(
            SUBJECT,
            Verdict.WRONG,
            f"{state}: torch is a CPU-only build, torchvision needs CUDA libraries and will fail "
            "with 'operator torchvision::nms does not exist'",
            f"take both from one index: {INSTALL}, or the CPU builds of both",
        )
    if torch_has and vision_has is False:
        return Finding(
            SUBJECT,
            Verdict.WRONG,
            f"{state}: torchvision is a CPU-only build, its nms and roi_align will fail on the GPU",
            f"take both from one index: {INSTALL}",
        )
    return Finding(SUBJECT, Verdict.OK, state)


def check_torch_import() -> Finding:
    """Imports both in a process of their own, which is the last word; takes some seconds."""
    found = subprocess.run(
        [sys.executable, "-c", "import torch, torchvision; torchvision.ops.nms"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return Finding("import of torchvision", Verdict.OK, "works")
    complaint = (found.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding(
        "import of torchvision", Verdict.WRONG, complaint, f"take both from one index: {INSTALL}"
    )
