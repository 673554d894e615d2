"""Features of regions from the atlas against those from each level."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cups_core.network.cascade.feature_pyramid import STRIDES  # noqa: E402
from cups_core.network.cascade.roi_pooling import pooled  # noqa: E402
from cups_core.network.export.feature_atlas import FeatureAtlas  # noqa: E402


@pytest.mark.parametrize(("height", "width"), [(64, 64), (512, 1024), (1024, 96)])
def test_regions_of_every_size_and_at_every_border_look_the_same(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(height)
    features = [
        torch.randn(1, 8, -(-height // stride), -(-width // stride), generator=generator)
        for stride in STRIDES
    ]
    size = torch.tensor([width, height, width, height])
    corners = torch.rand(200, 2, 2, generator=generator).sort(1).values.flatten(1) * size
    whole = torch.tensor(
        [[0, 0, width, height], [0, 0, 3, 3], [width - 5, height - 2, width, height]]
    )
    boxes = torch.cat([corners, whole.float()])
    expected = pooled(features, [boxes], 7)
    found = FeatureAtlas(features).pooled(boxes, 7)
    # Places are rounded after they are moved: a thousandth of a pixel at most.
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
