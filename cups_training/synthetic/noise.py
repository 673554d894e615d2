"""Band-limited noise and stripes: patterns that fade where a pixel covers their period.

The material kernels call them for every pixel, so they are compiled by Numba.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_SIZE = 32
# One fixed lattice for every drive: materials differ by their offset in it.
LATTICE = (
    np.random.default_rng(20240917).uniform(-1.0, 1.0, (_SIZE, _SIZE, _SIZE)).astype(np.float32)
)


@njit(cache=True, error_model="numpy", fastmath=True)
def value_noise(lattice: NDArray[np.float32], x: float, y: float, z: float) -> float:
    """Smooth noise in -1..1 at a point in lattice units; repeats every 32."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i0, j0, k0 = int(fx) & 31, int(fy) & 31, int(fz) & 31
    i1, j1, k1 = (i0 + 1) & 31, (j0 + 1) & 31, (k0 + 1) & 31
    a, b, c = x - fx, y - fy, z - fz
    a, b, c = a * a * (3 - 2 * a), b * b * (3 - 2 * b), c * c * (3 - 2 * c)
    n00 = lattice[i0, j0, k0] + c * (lattice[i0, j0, k1] - lattice[i0, j0, k0])
    n01 = lattice[i0, j1, k0] + c * (lattice[i0, j1, k1] - lattice[i0, j1, k0])
    n10 = lattice[i1, j0, k0] + c * (lattice[i1, j0, k1] - lattice[i1, j0, k0])
    n11 = lattice[i1, j1, k0] + c * (lattice[i1, j1, k1] - lattice[i1, j1, k0])
    n0 = n00 + b * (n01 - n00)
    n1 = n10 + b * (n11 - n10)
    return n0 + a * (n1 - n0)


@njit(cache=True, error_model="numpy", fastmath=True)
def fractal_noise(
    lattice: NDArray[np.float32],
    x: float,
    y: float,
    z: float,
    frequency: float,
    octaves: int,
    footprint: float,
) -> float:
    """Octaves from `frequency` (cycles per metre) up, damped by the footprint (metres)."""
    total = 0.0
    amplitude = 0.5
    for _ in range(octaves):
        blur = frequency * footprint
        if blur > 1.2:
            break
        # Fades from 1 at wide periods to 0 near the Nyquist rate, as a pixel that averages would
        # see it.
        damp = math.exp(-2.2 * blur * blur)
        total += (
            amplitude * damp * value_noise(lattice, x * frequency, y * frequency, z * frequency)
        )
        frequency *= 2.13
        # Natural surfaces hold about as much contrast in every octave.
        amplitude *= 0.86
        x += 5.2
        z += 3.7
    return total


@njit(cache=True, error_model="numpy", fastmath=True)
def stripes(x: float, period: float, width: float, footprint: float) -> float:
    """Share of the `footprint` around x that stripes [k period, k period + width) cover."""
    half = 0.5 * max(footprint, 1e-4)
    return (_covered(x + half, period, width) - _covered(x - half, period, width)) / (2 * half)


@njit(cache=True, error_model="numpy", fastmath=True)
def _covered(x: float, period: float, width: float) -> float:
    whole = math.floor(x / period)
    return whole * width + min(x - whole * period, width)


@njit(cache=True, error_model="numpy", fastmath=True)
def band(x: float, low: float, high: float, footprint: float) -> float:
    """Share of the interval of length `footprint` around x that lies in [low, high]."""
    half = 0.5 * max(footprint, 1e-4)
    return max(0.0, min(x + half, high) - max(x - half, low)) / (2 * half)
