"""Do the checkpoints that people have fill the network, and are those that do not fit explained?"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from cups_core.errors import CheckpointError  # noqa: E402
from cups_core.network.cascade.panoptic_cascade import PanopticCascade  # noqa: E402
from cups_core.network.checkpoint_files import Checkpoint, read_checkpoint  # noqa: E402
from cups_core.network.panoptic_checkpoints import (  # noqa: E402
    classes_of,
    load_backbone,
    load_panoptic,
    panoptic_part,
    save_detectron2,
    save_safetensors,
)
from cups_core.network.weight_kinds import WeightKind, recognised  # noqa: E402

from .panoptic_files import (  # noqa: E402
    STUFFS,
    TEACHER_SHIFT,
    THINGS,
    RunsCode,
    backbone_tensors,
    panoptic_tensors,
    torchvision_tensors,
    write_detectron2_pickle,
    write_lightning,
)


def assert_filled(network: nn.Module, expected: Mapping[str, Tensor]) -> None:
    """Every tensor holds the one number of its key."""
    state = network.state_dict()
    assert state.keys() == expected.keys()
    for key, tensor in state.items():
        assert (tensor == expected[key].flatten()[0]).all(), key


@pytest.fixture(scope="module")
def lightning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "cups.ckpt"
    write_lightning(path)
    return path


@pytest.mark.parametrize(("which", "shift"), [("student", 0.0), ("teacher", TEACHER_SHIFT)])
def test_the_published_checkpoint_fills_all_431_tensors(
    lightning: Path, which: str, shift: float
) -> None:
    network = load_panoptic(lightning, which)
    assert (network.things, network.stuffs) == (THINGS, STUFFS)
    assert not network.training
    assert len(network.state_dict()) == 431
    assert_filled(network, panoptic_tensors(shift))
    assert "yacs" not in sys.modules


def test_a_checkpoint_that_runs_code_is_refused_without_running_it(tmp_path: Path) -> None:
    proof, path = tmp_path / "it_ran", tmp_path / "cups.ckpt"
    write_lightning(path, extra=RunsCode(proof))
    with pytest.raises(CheckpointError, match=r"refused.*(posix|nt)\.system.*do not open it"):
        load_panoptic(path)
    assert not proof.exists()


def test_what_detectron2_reads_is_written_and_read(lightning: Path, tmp_path: Path) -> None:
    network = load_panoptic(lightning)
    path = tmp_path / "model.pth"
    save_detectron2(network, path)
    content = torch.load(path, weights_only=True)
    assert content["model"].keys() == panoptic_tensors().keys()
    file = recognised(read_checkpoint(path))
    assert file.kind is WeightKind.PANOPTIC
    assert_filled(load_panoptic(path), panoptic_tensors())


def test_our_own_form_says_where_it_comes_from(lightning: Path, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "model.safetensors"
    save_safetensors(load_panoptic(lightning), path, {"backbone": "DINO, Apache-2.0"})
    checkpoint = read_checkpoint(path)
    assert checkpoint.about["backbone"] == "DINO, Apache-2.0"
    assert recognised(checkpoint).kind is WeightKind.OWN
    assert_filled(load_panoptic(path), panoptic_tensors())
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_in_a_bare_pickle_are_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "weights.pkl"
    arrays = {
        "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "halves": np.array([1.5, -2], np.float16),
        "count": np.array(7),
        "bytes": np.arange(256, dtype=np.uint8),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 4), np.float32),
    }
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}, protocol))
    found = read_checkpoint(path).tensors
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        assert found[key].numpy().dtype == array.dtype
        np.testing.assert_array_equal(found[key].numpy(), array)


def test_arrays_of_python_2_are_read(tmp_path: Path) -> None:
    """Byte strings and module names as Python 2 pickled them."""
    numbers = np.array([1.0, -2.5], "<f4")
    raw = numbers.tobytes()
    stream = (
        b"\x80\x02}U\x05modelq\x00}U\x01wq\x01cnumpy.core.multiarray\n_reconstruct\n"
        b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\n"
        b"U\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(raw)]) + raw + b"tbss."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(stream)
    assert torch.equal(read_checkpoint(path).tensors["w"], torch.tensor([1.0, -2.5]))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"w": np.array([{}], dtype=object)}, "damaged.*an array of type"),
        ({"w": np.array([1.0], ">f4")}, "damaged.*an array of type >f4"),
        ({"w": np.array(["word"])}, "damaged.*an array of type"),
    ],
    ids=["objects", "big-endian", "words"],
)
def test_arrays_of_other_things_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"model": arrays}))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


def test_a_bare_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    proof, path = tmp_path / "it_ran", tmp_path / "weights.pkl"
    content = {"model": {"w": np.ones(2, np.float32)}, "matching": RunsCode(proof)}
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match=r"refused.*(posix|nt)\.system"):
        read_checkpoint(path)
    assert not proof.exists()


def test_no_damage_to_a_bare_pickle_escapes_as_another_error(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    whole = pickle.dumps({"model": {"w": np.ones((2, 3), np.float32)}}, 2)
    refused = 0
    for place in range(2, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_checkpoint(path)
        except CheckpointError:
            refused += 1
    assert refused > len(whole) / 2
    for share in (0.2, 0.5, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match="damaged"):
            read_checkpoint(path)


def test_backbones_of_detectron2_and_torchvision_are_the_same_network(tmp_path: Path) -> None:
    network = PanopticCascade(1, 1)
    expected = backbone_tensors()
    cutler, torchvision = tmp_path / "dino.pkl", tmp_path / "resnet50.pth"
    without_counters = {k: v for k, v in expected.items() if "num_batches" not in k}
    write_detectron2_pickle(cutler, without_counters, 4)
    torch.save(torchvision_tensors(), torchvision)
    assert load_backbone(network, cutler).kind is WeightKind.BACKBONE
    counters = {k: torch.tensor(0) for k in expected if "num_batches" in k}
    assert_filled(network.backbone.bottom_up, {**expected, **counters})
    nn.init.zeros_(network.backbone.bottom_up.stem.conv1.weight)
    file = load_backbone(network, torchvision)
    assert file.kind is WeightKind.TORCHVISION
    assert file.beside == ("fc.bias", "fc.weight")
    assert_filled(network.backbone.bottom_up, expected)


def test_another_resnet_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "resnet101.pth"
    tensors = torchvision_tensors()
    tensors["layer3.22.conv1.weight"] = torch.ones(256, 1024, 1, 1)
    torch.save(tensors, path)
    network = PanopticCascade(1, 1)
    with pytest.raises(CheckpointError, match=r"expected a ResNet-50.*res4\.22\.conv1\.weight"):
        load_backbone(network, path)


def test_other_class_counts_are_explained(lightning: Path) -> None:
    with pytest.raises(
        CheckpointError, match="expected 8 things and 19 stuffs, found 5 and 22.*pseudo-classes"
    ):
        load_panoptic(lightning, classes=(8, 19))


def file_of(tensors: Mapping[str, Tensor]) -> Checkpoint:
    return Checkpoint(Path("some.pth"), "0" * 64, dict(tensors))


def test_networks_that_are_not_this_one_are_explained() -> None:
    tensors = panoptic_tensors()
    one_mask = {**tensors, "roi_heads.mask_head.predictor.bias": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="know 5 things and its masks 1: one mask for all"):
        classes_of(file_of(one_mask))
    without = {k: v for k, v in tensors.items() if not k.startswith("sem_seg_head")}
    with pytest.raises(CheckpointError, match=r"with .*sem_seg_head\.predictor\.bias; found roi_"):
        classes_of(file_of(without))
    with pytest.raises(CheckpointError, match=r"expected the student.*found backbone"):
        panoptic_part(file_of(backbone_tensors()))
    with pytest.raises(CheckpointError, match=r"expected the teacher.*found student"):
        panoptic_part(file_of(tensors), "teacher")
    with pytest.raises(CheckpointError, match=r"expected the student.*found other things"):
        panoptic_part(file_of({"raft.feature_encoder.conv.weight": torch.ones(1)}))


def test_prefixes_of_other_trainers_are_taken_off() -> None:
    wrapped = {f"module.{key}": value for key, value in panoptic_tensors().items()}
    file = recognised(file_of({**wrapped, "step": torch.tensor(1)}))
    assert file.kind is WeightKind.PANOPTIC
    assert file.parts["student"].tensors.keys() == panoptic_tensors().keys()
    assert file.beside == ("step",)
