"""The exceptions of the perception library.

Each message says what was expected, what was found, where, and what to do next; callers catch
`CupsError` at the seams.
"""

from __future__ import annotations


class CupsError(Exception):
    """Base of everything that the perception library raises on purpose."""


class CalibrationError(CupsError, ValueError):
    """The stereo calibration cannot be used."""


class InputError(CupsError, ValueError):
    """An image or a map does not have the shape, type or stamp that the operation needs."""


class CheckpointError(CupsError, ValueError):
    """A file of network weights is missing, is not what was expected, or would run code."""


class ModelError(CupsError, ValueError):
    """A model on disk is missing, damaged, or contradicts the sidecar that describes it."""
