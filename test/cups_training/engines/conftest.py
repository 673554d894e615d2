"""The stand-in machine as a fixture."""

from __future__ import annotations

from ...cups_core.runtime.conftest import machine

__all__ = ["machine"]
