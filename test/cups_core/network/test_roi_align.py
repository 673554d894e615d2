"""RoIAlign against its definition: samples one by one, read by PyTorch's own sampler."""

from __future__ import annotations

import math
import sys

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from cups_core.errors import CupsError  # noqa: E402
from cups_core.network.cascade.roi_align import roi_align  # noqa: E402
from cups_core.network.cascade.roi_pooling import pooled  # noqa: E402
from cups_core.network.cascade.torchvision_operators import torchvision_ops  # noqa: E402


def defined(features: Tensor, regions: Tensor, scale: float, size: int) -> Tensor:
    """Every cell's samples read with borders continued, and nothing beyond a pixel outside."""
    height, width = features.shape[2:]
    outcome = []
    for region in regions:
        image = features[int(region[0])][None]
        x0, y0, x1, y1 = (float(side) * scale - 0.5 for side in region[1:])
        rows, columns = math.ceil((y1 - y0) / size), math.ceil((x1 - x0) / size)
        y = y0 + (torch.arange(size * rows) + 0.5) * (y1 - y0) / (size * max(rows, 1))
        x = x0 + (torch.arange(size * columns) + 0.5) * (x1 - x0) / (size * max(columns, 1))
        if not len(x) or not len(y):
            outcome.append(torch.zeros(features.shape[1], size, size))
            continue
        at = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]
        normalised = (2 * at + 1) / torch.tensor([width, height]) - 1
        read = functional.grid_sample(
            image, normalised, padding_mode="border", align_corners=False
        )[0]
        seen = ((y >= -1) & (y <= height))[:, None] & ((x >= -1) & (x <= width))[None]
        cells = (read * seen).unflatten(1, (size, rows)).unflatten(3, (size, columns))
        outcome.append(cells.mean((2, 4)))
    return torch.stack(outcome)


def some_regions(count: int, height: int, width: int, scale: float) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    center = torch.rand(count, 2, generator=generator) * torch.tensor([width, height]) / scale
    half = 1 + torch.rand(count, 2, generator=generator) ** 2 * min(height, width) / scale
    image = torch.randint(0, 2, (count, 1), generator=generator)
    return torch.cat([image.float(), center - half, center + half], 1)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_regions_are_pooled_and_differentiated_as_defined(size: int, scale: float) -> None:
    """Regions reach far beyond the image as well."""
    generator = torch.Generator().manual_seed(6)
    features = torch.randn(2, 5, 13, 21, generator=generator)
    regions = some_regions(40, 13, 21, scale)
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    found, expected = roi_align(ours, regions, scale, size), defined(theirs, regions, scale, size)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    pull = torch.randn(found.shape, generator=generator)
    found.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=2e-4, rtol=1e-3)


def test_memory_formats_and_number_types_do_not_matter() -> None:
    features = torch.randn(1, 4, 9, 11)
    regions = torch.tensor([[0, 1.5, 2.5, 8.0, 7.25]])
    expected = roi_align(features, regions, 1.0, 3)
    turned = features.contiguous(memory_format=torch.channels_last)
    assert torch.equal(roi_align(turned, regions, 1.0, 3), expected)
    found = roi_align(features.bfloat16(), regions, 1.0, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=0)


def test_no_region_and_an_empty_one_are_fine() -> None:
    features = torch.ones(1, 4, 9, 11, requires_grad=True)
    assert roi_align(features, torch.zeros(0, 5), 1.0, 3).shape == (0, 4, 3, 3)
    empty = roi_align(features, torch.tensor([[0, 4.0, 4.0, 4.0, 4.0]]), 1.0, 3)
    assert not empty.any()
    empty.sum().backward()
    assert not features.grad.any()


def test_a_region_is_seen_in_the_level_that_fits_its_size() -> None:
    """Level 4 is for 224 px; the limits lie at 112 and 448 px; larger and smaller ones stay."""
    levels = [torch.full((1, 1, 256 >> k, 256 >> k), float(k + 2)) for k in range(5)]
    sides = [8.0, 111.9, 112.0, 223.9, 224.0, 447.9, 448.0, 1000.0]
    boxes = torch.tensor([[0.0, 0.0, side, side] for side in sides])
    found = pooled(levels, [boxes], 1)[:, 0, 0, 0]
    assert found.tolist() == pytest.approx([2, 2, 3, 3, 4, 4, 5, 5], abs=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_pools_the_same() -> None:
    features, regions = torch.randn(2, 5, 13, 21), some_regions(40, 13, 21, 0.25)
    ours, theirs = features.clone().requires_grad_(), features.cuda().requires_grad_()
    found = roi_align(theirs, regions.cuda(), 0.25, 7)
    expected = roi_align(ours, regions, 0.25, 7)
    torch.testing.assert_close(found.cpu(), expected, atol=2e-5, rtol=1e-4)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(theirs.grad.cpu(), ours.grad, atol=2e-4, rtol=1e-3)


def test_a_gpu_without_torchvision_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision_ops.cache_clear()
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(CupsError, match=r"on a GPU needs torchvision.*cups-ros\[train\].*cpu"):
        torchvision_ops()
    torchvision_ops.cache_clear()


def test_operators_are_registered_soundly() -> None:
    """PyTorch's own check of schema, autograd and fake tensors."""
    features = torch.randn(1, 3, 8, 8, requires_grad=True)
    regions = torch.tensor([[0, 1.0, 1.0, 6.0, 5.0]])
    torch.library.opcheck(torch.ops.cups.roi_align, (features, regions, 1.0, 2))
