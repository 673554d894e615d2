"""torchvision's operators, for tensors on a GPU alone; `roi_align` and `suppression` ask for them.

A torchvision that does not fit the installed PyTorch fails at import with other errors than a
missing one, and a CPU-only PyTorch can load none (`cups doctor` says which).
"""

from __future__ import annotations

import functools
from types import ModuleType

from cups_core.errors import CupsError


class MissingTorchvisionError(CupsError):
    """A network runs on a GPU and there is no torchvision that fits PyTorch."""


@functools.cache
def torchvision_ops() -> ModuleType:
    """The module `torchvision.ops`.

    Raises:
        MissingTorchvisionError: it cannot be imported.
    """
    try:
        import torchvision.ops
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingTorchvisionError(
            f"this network on a GPU needs torchvision, importing it failed ({error}): install the "
            "pair that fits, pip install 'cups-ros[train]', or choose device: cpu"
        ) from error
    return torchvision.ops
