from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.semantics.appearance import PARTS, describe
from cups_core.semantics.scene_view import SceneView
from cups_core.semantics.weight_free_codes import WeightFreeCodes, WeightFreeSettings
from cups_core.semantics.weight_free_model import WeightFreeModel

CELL = 8


def street_view(seed: int = 0, height: int = 64, width: int = 96) -> SceneView:
    """Upper half: a far gray wall with noise; lower half: a plain road; all geometry known."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2] = random.integers(60, 200, (height // 2, width, 1), np.uint8)
    is_wall = np.arange(height)[:, None].repeat(width, 1) < height // 2
    surface = np.stack(
        [
            np.where(is_wall, 4.0, 0.0) + random.normal(0, 0.05, is_wall.shape),
            np.where(is_wall, 0.0, 1.0),
            np.where(is_wall, 1.0, 0.0),
            np.linspace(0.3, -0.3, height)[:, None].repeat(width, 1),
        ],
        axis=-1,
    ).astype(np.float32)
    depth = np.where(is_wall, 30.0, 8.0).astype(np.float32)
    return SceneView(image, depth, surface)


def fitted(settings: WeightFreeSettings = WeightFreeSettings()) -> WeightFreeCodes:  # noqa: B008
    cells = [
        describe(street_view(seed), CELL).reshape(-1, sum(PARTS.values())) for seed in range(4)
    ]
    return WeightFreeCodes.fitted(np.concatenate(cells), settings)


def part(features: np.ndarray, name: str) -> np.ndarray:
    first = sum(
        count
        for other, count in PARTS.items()
        if list(PARTS).index(other) < list(PARTS).index(name)
    )
    return features[..., first : first + PARTS[name]]


def test_every_cell_has_finite_features_even_without_any_geometry() -> None:
    known = street_view()
    unknown = SceneView(
        known.image, np.full_like(known.depth_m, np.nan), np.full_like(known.surface, np.nan)
    )
    unknown.surface[..., 3] = known.surface[..., 3]
    features = describe(unknown, CELL)
    assert features.shape == (8, 12, sum(PARTS.values()))
    assert np.isfinite(features).all()
    assert (part(features, "height") == 0).all()
    assert (part(features, "normal") == 0).all()
    assert (part(features, "distance")[..., 1] == 1).all()


def test_mirroring_a_view_mirrors_its_features() -> None:
    view = street_view(3)
    mirrored = describe(view.mirrored(), CELL)[:, ::-1]
    np.testing.assert_allclose(mirrored, describe(view, CELL), atol=1e-3)


def test_equal_views_have_equal_features_wherever_they_lie_in_memory() -> None:
    expected = describe(street_view(), CELL)
    elsewhere = []
    for size in range(1, 40):
        elsewhere.append(np.empty(97 * size))
        np.testing.assert_array_equal(describe(street_view(), CELL), expected)


def test_texture_tells_a_rough_wall_from_a_plain_road() -> None:
    strength = part(describe(street_view(), CELL), "texture")[..., 0]
    assert strength[:3].min() > strength[5:].max() + 1


def test_each_part_of_the_codes_has_the_variance_of_its_weight() -> None:
    weights = WeightFreeSettings(colour=2.0, texture=0.5)
    cells = np.concatenate(
        [describe(street_view(seed), CELL).reshape(-1, sum(PARTS.values())) for seed in range(4)]
    )
    codes = (cells - fitted(weights).mean) @ fitted(weights).transform
    texture = codes[:, PARTS["colour"] : PARTS["colour"] + PARTS["texture"]]
    total = float(texture.var(axis=0).sum())
    assert 0.5**2 * 0.3 < total <= 0.5**2 * 1.01
    np.testing.assert_allclose(codes.mean(axis=0), 0.0, atol=1e-3)


def test_a_part_without_weight_is_left_out() -> None:
    everything, without = fitted(), fitted(WeightFreeSettings(colour=0.0))
    lost = everything.transform.shape[1] - without.transform.shape[1]
    assert lost == PARTS["colour"]
    painted, view = street_view(), street_view()
    painted.image[..., 0] = painted.image[..., 1]
    recoloured = SceneView(view.image[..., ::-1].copy(), view.depth_m, view.surface)
    np.testing.assert_allclose(without.codes([recoloured]), without.codes([painted]), atol=0.05)


def test_codes_of_windows_are_those_of_the_view_away_from_the_border() -> None:
    view = street_view(height=160, width=320)
    codes = fitted().codes([view])[0]
    window = fitted().codes([view.crop(80, 0, 160, 160)])[0]
    inside = np.s_[:, 8:12, 8:12]
    np.testing.assert_allclose(window[inside], codes[:, 8:12, 18:22], atol=0.02)


def test_a_view_without_its_surface_is_refused() -> None:
    view = street_view()
    with pytest.raises(InputError, match="make the view from a stereo frame"):
        fitted().codes([SceneView(view.image, view.depth_m)])


def test_views_of_different_size_are_refused() -> None:
    with pytest.raises(InputError, match="one size"):
        fitted().codes([street_view(), street_view(height=128)])


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(InputError, match="give more frames"):
        WeightFreeCodes.fitted(np.zeros((5, sum(PARTS.values())), np.float32), WeightFreeSettings())


def test_a_model_comes_back_from_its_file_and_equal_models_have_equal_bytes(tmp_path: Path) -> None:
    extractor = fitted()
    centroids = np.random.default_rng(0).standard_normal((4, extractor.transform.shape[1]))
    model = WeightFreeModel(extractor, centroids.astype(np.float32), {"frames": 7, "seed": 0})
    path = tmp_path / "model.npz"
    path.write_bytes(model.content())
    again = WeightFreeModel.read(path)
    np.testing.assert_array_equal(again.centroids, model.centroids)
    np.testing.assert_array_equal(
        again.extractor.codes([street_view()]), extractor.codes([street_view()])
    )
    assert again.provenance == model.provenance
    assert again.content() == model.content()


@pytest.mark.parametrize(
    "content",
    [b"", b"some words", b"PK\x03\x04 not an archive", np.lib.format.MAGIC_PREFIX + b"\x01\x00"],
    ids=["empty", "text", "broken archive", "broken array"],
)
def test_foreign_files_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="foreign.npz.*fit-semantics"):
        WeightFreeModel.read(path)


def test_archives_of_other_arrays_or_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(InputError, match="found weights"):
        WeightFreeModel.read(path)
    np.savez(path, header=np.array([print], dtype=object))
    with pytest.raises(InputError, match="found something else"):
        WeightFreeModel.read(path)
    with pytest.raises(InputError, match="No such file"):
        WeightFreeModel.read(tmp_path / "absent.npz")


def test_centroids_of_another_extractor_are_refused() -> None:
    with pytest.raises(InputError, match="as the extractor's codes are"):
        WeightFreeModel(fitted(), np.ones((4, 3), np.float32), {})
