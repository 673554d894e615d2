"""The trainer's pseudo-labels: maps by Pillow, statistics by PyTorch, split by its rules."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from cups_training.exporting.torch_archive import torch_archive
from cups_training.whole_files import write_png

from .conftest import RECIPE, SPLIT, Export, Painted, use_suffixes

COUNTS = (
    "distribution all pixels",
    "distribution inside object proposals",
    "distribution per object proposal",
)


def maps(folder: Path) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Semantic and instance map by name, as the trainer reads them: first channel of RGB."""
    return {
        path.name.removesuffix("_semantic.png"): (
            np.array(Image.open(path).convert("RGB"))[..., 0],
            np.array(
                Image.open(path.with_name(path.name.replace("semantic", "instance"))).convert("RGB")
            )[..., 0],
        )
        for path in sorted(folder.glob("*_semantic.png"))
    }


def test_names_are_those_of_the_cityscapes_layout(export: Export) -> None:
    """The trainer looks for leftImg8bit_sequence/train/<city>/<name>.png of each map."""
    labels, pictures = export("cups-pseudo-labels"), export("cityscapes")
    found = maps(labels / "train")
    assert len(found) == 6
    for name in found:
        city = name.split("_")[0]
        assert (pictures / "leftImg8bit_sequence" / "train" / city / f"{name}.png").exists()


def test_maps_give_back_classes_and_objects(painted: Painted, export: Export) -> None:
    for name, (semantic, instances) in maps(export("cups-pseudo-labels") / "train").items():
        index = int(name.split("_")[2])
        label = painted.label("day_1", index)
        assert np.array_equal(
            semantic, painted.value_map("day_1", index, lambda one: one.class_id, 255)
        )
        things = [one for one in label.table if one.is_thing]
        assert sorted(np.unique(instances)) == list(range(len(things) + 1))
        for one in things:
            (value,) = np.unique(instances[label.segments == one.id])
            assert np.array_equal(instances == value, label.segments == one.id)


def test_maps_have_8_bits_and_one_channel(export: Export) -> None:
    for path in (export("cups-pseudo-labels") / "train").glob("*.png"):
        assert Image.open(path).mode == "L"


def trainer_split(files: list[dict[str, Any]], threshold: float) -> tuple[list[int], list[int]]:
    """Things and stuff by the rules of the trainer's dataset class."""
    torch = pytest.importorskip("torch")
    inside = torch.stack([one[COUNTS[1]] for one in files]).sum(dim=0)
    everywhere = torch.stack([one[COUNTS[0]] for one in files]).sum(dim=0)
    shares, order = torch.sort(inside / (everywhere + 1e-6), descending=True)
    count = int((shares / shares.sum() > threshold).float().argmin())
    return order[:count].tolist(), order[count:].tolist()


def test_torch_loads_the_statistics_of_the_maps(export: Export) -> None:
    torch = pytest.importorskip("torch")
    folder = export("cups-pseudo-labels") / "train"
    (file,) = [path for path in folder.iterdir() if ".pt" in path.name]
    read = torch.load(file, weights_only=True)
    assert tuple(read) == COUNTS
    expected = {name: np.zeros(6, np.int64) for name in COUNTS}
    for semantic, instances in maps(folder).values():
        for k in range(6):
            expected[COUNTS[0]][k] += (semantic == k).sum()
            expected[COUNTS[1]][k] += ((semantic == k) & (instances > 0)).sum()
            expected[COUNTS[2]][k] += len(np.unique(instances[(semantic == k) & (instances > 0)]))
    for name, tensor in read.items():
        assert tensor.dtype == torch.int64
        assert tensor.tolist() == expected[name].tolist()
        assert not tensor.requires_grad


@pytest.mark.parametrize("statistics", ["counted", "recipe"])
def test_the_trainer_arrives_at_the_split_that_the_manifest_promises(
    export: Export, statistics: str
) -> None:
    torch = pytest.importorskip("torch")
    output = export("cups-pseudo-labels", "--set", f"statistics={statistics}")
    note = json.loads((output / "manifest.json").read_text())["result"]["notes"]["train"]
    files = [torch.load(output / "train" / "pseudo_classes_split_1.pt", weights_only=True)]
    assert sorted(trainer_split(files, 0.08)[0]) == note["things_at_threshold_0.08"]
    threshold = note["trainer_options"]["DATA.THING_STUFF_THRESHOLD"]
    things, stuff = trainer_split(files, threshold)
    assert sorted(things) == sorted(SPLIT.things) == note["things_of_the_recipe"]
    assert sorted(stuff) == sorted(SPLIT.stuff)
    assert note["trainer_options"]["DATA.CROP_RESOLUTION"] == [24, 40]


def test_the_trainer_learns_from_the_pixels_that_the_label_judges(
    own: Painted, export: Export
) -> None:
    """Its targets by its rules: void where the panoptic label is void, the same stuff elsewhere."""
    torch = pytest.importorskip("torch")
    stamp, label = own.stamps("night")[0], own.label("night", 0)
    pairs = own.root / "labels" / RECIPE / "pairs" / "night"
    semantic = np.array(Image.open(pairs / f"{stamp}_semantic.png"))
    ids = np.array(Image.open(pairs / f"{stamp}_instance.png")).astype(np.uint16)
    columns = np.broadcast_to(np.arange(40), (24, 40))
    is_void = label.segments == 0
    semantic[is_void & (columns < 20)] = 4  # a thing that nothing has seen moving
    semantic[is_void & (columns > 30)] = 2  # and a mask whose class is stuff
    ids[is_void & (columns > 30)] = 300
    write_png(pairs / f"{stamp}_semantic.png", semantic)
    write_png(pairs / f"{stamp}_instance.png", ids)
    output = export("cups-pseudo-labels", "--set", "statistics=recipe", root=own.root)
    note = json.loads((output / "manifest.json").read_text())["result"]["notes"]["val"]
    options = note["trainer_options"]
    file = torch.load(output / "val" / "pseudo_classes_split_1.pt", weights_only=True)
    things, stuff = trainer_split([file], options["DATA.THING_STUFF_THRESHOLD"])
    found, instances = maps(output / "val")["night_000000_000000_leftImg8bit"]
    target = np.full(256, 255)
    target[things] = 0
    target[stuff] = np.arange(len(stuff)) + 1
    sem_seg = target[found]
    assert options["DATA.IGNORE_UNKNOWN_THING_REGIONS"] is True
    sem_seg[(instances == 0) & (sem_seg == 0)] = 255
    kept = []
    for number in range(1, int(instances.max()) + 1):
        mask = instances == number
        if found[mask].max() in things:
            kept.append(mask)
        else:
            sem_seg[mask] = 255
    assert np.array_equal(sem_seg == 255, is_void)
    objects = [one for one in label.table if one.is_thing]
    assert len(kept) == len(objects)
    assert all(
        any(np.array_equal(mask, label.segments == one.id) for mask in kept) for one in objects
    )
    for one in label.table:
        value = 0 if one.is_thing else 1 + stuff.index(one.class_id)
        assert (sem_seg[label.segments == one.id] == value).all()


def test_more_than_255_objects_lose_the_smallest_and_say_so(own: Painted, export: Export) -> None:
    stamp = own.stamps("night")[0]
    rows, columns = np.mgrid[:24, :40]
    ids = np.where(rows < 20, 1 + (rows // 2) * 40 + columns, 0).astype(np.uint16)
    ids[:2] = 1  # one large object: 361 are left
    pairs = own.root / "labels" / RECIPE / "pairs" / "night"
    write_png(pairs / f"{stamp}_instance.png", ids)
    write_png(pairs / f"{stamp}_semantic.png", np.full((24, 40), 4, np.uint8))
    output = export("cups-pseudo-labels", root=own.root)
    semantic, instances = maps(output / "val")["night_000000_000000_leftImg8bit"]
    assert sorted(np.unique(instances)) == list(range(256))
    assert (instances[:2] == 1).all()
    is_dropped = (ids > 0) & (instances == 0)
    assert (semantic[is_dropped] == 255).all()
    assert (semantic[~is_dropped] == 4).all()
    counts = json.loads((output / "manifest.json").read_text())["result"]["counts"]
    assert counts["objects_beyond_255"] == 361 - 255


def test_pictures_are_not_needed(own: Painted, export: Export) -> None:
    use_suffixes(own, "webp", "jpg")
    assert len(maps(export("cups-pseudo-labels", root=own.root) / "val")) == 3


TABLES = st.dictionaries(
    st.text(max_size=12),
    arrays.arrays(np.int64, st.integers(0, 60)),
    max_size=4,
)


@given(TABLES)
def test_torch_reads_every_table(tables: dict[str, NDArray[np.int64]]) -> None:
    torch = pytest.importorskip("torch")
    content = torch_archive(tables)
    read = torch.load(io.BytesIO(content), weights_only=True)
    assert {name: tensor.tolist() for name, tensor in read.items()} == {
        name: one.tolist() for name, one in tables.items()
    }
    for tensor in read.values():
        tensor += 1  # a whole tensor of its own, not a view of nothing
    assert torch_archive(tables) == content


def test_the_pickle_names_nothing_but_tensors() -> None:
    content = torch_archive({"a": np.arange(3)})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        opcodes = list(pickletools.genops(archive.read("archive/data.pkl")))
    names = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert names == {
        "torch LongStorage",
        "torch._utils _rebuild_tensor_v2",
        "collections OrderedDict",
    }
