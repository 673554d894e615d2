"""Does the correlation read what an explicit volume and PyTorch's own sampler give?"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from cups_core.network.correlation import Correlation, volume_bytes  # noqa: E402


def sampled(first: Tensor, second: Tensor, points: Tensor) -> Tensor:
    """The definition of the paper: pool the volume, sample a 9x9 window of each level."""
    batch, channels, height, width = first.shape
    volume = torch.einsum("bchw,bcyx->bhwyx", first, second) / channels**0.5
    volume = volume.reshape(-1, 1, height, width)
    center = points.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    steps = torch.arange(-4.0, 5.0)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    levels = []
    for level in range(4):
        rows, columns = volume.shape[2:]
        at = center / 2**level + torch.stack([dx, dy], -1)
        normalised = 2 * at / (torch.tensor([columns, rows]) - 1) - 1
        levels.append(functional.grid_sample(volume, normalised, align_corners=True).flatten(1))
        volume = functional.avg_pool2d(volume, 2)
    return torch.cat(levels, 1).view(batch, height, width, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0], ids=["at the grid", "near it", "far outside"])
def test_windows_agree_with_an_explicit_volume(spread: float) -> None:
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(2, 16, 17, 24, generator=generator) for _ in range(2))
    y, x = torch.meshgrid(torch.arange(17.0), torch.arange(24.0), indexing="ij")
    points = torch.stack([x, y]) + spread * torch.randn(2, 2, 17, 24, generator=generator)
    found = Correlation(first, second).around(points)
    torch.testing.assert_close(found, sampled(first, second, points), atol=2e-4, rtol=0)


def test_points_that_are_no_numbers_stay_in_memory() -> None:
    features = torch.ones(1, 4, 8, 8)
    points = torch.full((1, 2, 8, 8), float("nan"))
    points[:, :, 0] = float("inf")
    points[:, :, 1] = 1e30
    found = Correlation(features, features).around(points)
    assert found.shape == (1, 324, 8, 8)
    assert (found[:, :, 1] == 0).all()


def test_the_memory_estimate_is_what_is_taken() -> None:
    features = torch.ones(1, 4, 17, 24)
    taken = sum(volume.nbytes for volume in Correlation(features, features)._volumes)
    assert volume_bytes(17, 24) == taken
