"""Are checkpoints of strangers read without running them, and are wrong ones explained?"""

from __future__ import annotations

import hashlib
import os
import sys
import types
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from cups_core.errors import CheckpointError  # noqa: E402
from cups_core.network.checkpoint_files import (  # noqa: E402
    Checkpoint,
    load_weights,
    read_checkpoint,
)
from cups_core.network.inert_pickle import KNOWN  # noqa: E402

TENSORS = OrderedDict(
    weight=torch.arange(6.0).view(2, 3),
    turned=torch.arange(6.0).view(2, 3).t(),
    part=torch.arange(10.0)[4:7],
    half=torch.tensor([1.5, -2.0], dtype=torch.float16),
    short=torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    count=torch.tensor(5),
    empty=torch.zeros(0, 4),
)


class RunsCode:
    """Pickled so that a careless reader creates a file."""

    def __init__(self, proof: Path) -> None:
        self.command = f"touch {proof}"

    def __reduce__(self) -> object:
        return os.system, (self.command,)


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor)


def foreign_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str, base: type) -> type:
    """A class that can be pickled now and whose module is gone once the patch is undone."""
    made = type(name, (base,), {"__module__": module})
    for place in (module.partition(".")[0], module):
        monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
    setattr(sys.modules[module], name, made)
    return made


@pytest.mark.parametrize("nesting", [(), ("state_dict",), ("model",), ("state_dict", "model")])
@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before version 1.6"])
def test_the_state_dict_is_found_where_trainers_put_it(
    tmp_path: Path, nesting: tuple[str, ...], is_archive: bool
) -> None:
    content: object = TENSORS
    for name in reversed(nesting):
        content = {name: content, "epoch": 3}
    path = tmp_path / "weights.pt"
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)
    checkpoint = read_checkpoint(path)
    assert_same(checkpoint.tensors, TENSORS)
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_parameters_and_attributes_of_a_module_are_read_as_tensors(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 3)
    state = layer.state_dict(keep_vars=True)
    torch.save({"state_dict": state}, tmp_path / "weights.pt")
    found = read_checkpoint(tmp_path / "weights.pt").tensors
    assert_same(found, {key: value.detach() for key, value in layer.state_dict().items()})
    assert not any(tensor.requires_grad for tensor in found.values())


def test_configuration_objects_of_other_packages_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "lightning.ckpt"
    with pytest.MonkeyPatch.context() as patch:
        config = foreign_class(patch, "omegaconf.dictconfig", "DictConfig", object)()
        config.content = {"dim": 100, "kind": dict, "nested": defaultdict(list, a=[1])}
        node = foreign_class(patch, "yacs.config", "CfgNode", dict)(scale=0.5)
        items = foreign_class(patch, "omegaconf.listconfig", "ListConfig", list)([1, 2])
        hyper = {"cfg": config, "config": node, "items": items, "where": Path("a"), "n": {1, 2}}
        torch.save({"state_dict": TENSORS, "hyper_parameters": hyper}, path)
    assert_same(read_checkpoint(path).tensors, TENSORS)
    assert "omegaconf" not in sys.modules


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before version 1.6"])
def test_a_file_that_runs_code_is_refused_by_the_name_of_what_it_calls(
    tmp_path: Path, is_archive: bool
) -> None:
    proof, path = tmp_path / "it_ran", tmp_path / "weights.pt"
    torch.save(
        {"state_dict": TENSORS, "hyper_parameters": RunsCode(proof)},
        path,
        _use_new_zipfile_serialization=is_archive,
    )
    with pytest.raises(CheckpointError, match=r"refused.*(posix|nt)\.system"):
        read_checkpoint(path)
    assert not proof.exists()


def test_the_file_that_runs_code_would_have_run_it(tmp_path: Path) -> None:
    proof, path = tmp_path / "it_ran", tmp_path / "weights.pt"
    torch.save(RunsCode(proof), path)
    torch.load(path, weights_only=False)
    assert proof.exists()


def test_a_call_hidden_behind_an_allowed_package_is_not_made(tmp_path: Path) -> None:
    """Only names decide about refusing; that nothing is called holds for every name."""
    path = tmp_path / "weights.pt"

    class CallsTorch:
        def __reduce__(self) -> object:
            return torch.hub.load, ("nobody/nothing", "model")

    torch.save({"state_dict": TENSORS, "extra": CallsTorch()}, path)
    assert_same(read_checkpoint(path).tensors, TENSORS)


@pytest.mark.parametrize(
    "name",
    ["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "os system"],
)
def test_a_file_cannot_change_what_reads_it(tmp_path: Path, name: str) -> None:
    """The instructions set an attribute of the very thing that a name stands for."""
    path = tmp_path / "weights.pt"
    set_attribute = f"c{name}\n(N}}(Vleft_behind\nI1\nutb.".replace(" ", "\n")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", set_attribute.encode())
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)
    assert not any(hasattr(known, "left_behind") for known in KNOWN.values())


def test_no_damage_to_the_instructions_escapes_as_another_error(tmp_path: Path) -> None:
    path, damaged = tmp_path / "weights.pt", tmp_path / "damaged.pt"
    torch.save({"state_dict": {"weight": torch.ones(2), "bias": torch.ones(1)}}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    outcomes = {True: 0, False: 0}
    for place in range(0, len(entries[pickled]), 3):
        changed = bytearray(entries[pickled])
        changed[place] ^= 0x55
        with zipfile.ZipFile(damaged, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, bytes(changed) if name == pickled else content)
        try:
            read_checkpoint(damaged)
            outcomes[True] += 1
        except CheckpointError:
            outcomes[False] += 1
    assert outcomes[False] > outcomes[True]


def test_a_tensor_that_reaches_beyond_its_numbers_is_damage(tmp_path: Path) -> None:
    path, damaged = tmp_path / "weights.pt", tmp_path / "damaged.pt"
    torch.save({"weight": torch.ones(4)}, path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(damaged, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            written.writestr(name, content[:8] if name.endswith("data/0") else content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(damaged)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>log in first</html>", "a web page"),
        (b"\n  <html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"", "truncated or no PyTorch file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "truncated or no PyTorch file"),
    ],
    ids=["web page", "web page after blanks", "LFS pointer", "empty", "picture"],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "weights.pt"
    torch.save(TENSORS, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        read_checkpoint(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.pt.*found nothing"):
        read_checkpoint(tmp_path / "nothing.pt")
    with pytest.raises(CheckpointError, match="found a directory"):
        read_checkpoint(tmp_path)


def test_archives_without_a_state_dict_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"epoch": 3, "loss": [1.0]}, path)
    with pytest.raises(CheckpointError, match="found a mapping with epoch, loss"):
        read_checkpoint(path)
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"found one torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(CheckpointError, match=r"one data\.pkl, found 0"):
        read_checkpoint(path)


def test_differing_keys_and_shapes_are_listed() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    tensors = {f"net.{key}": tensor for key, tensor in network.state_dict().items()}
    del tensors["net.0.bias"]
    tensors["net.1.weight"] = torch.ones(5, 3)
    tensors["decoder"] = torch.ones(1)
    with pytest.raises(CheckpointError) as error:
        load_weights(network, Checkpoint(Path("w.pt"), "", tensors), "two layers", "net.")
    message = str(error.value)
    assert "w.pt: expected two layers" in message
    assert "1 of 4 are missing: net.0.bias" in message
    assert "net.1.weight is (5, 3) instead of (1, 3)" in message
    assert "1 are not part of it: decoder" in message


def test_weights_that_are_not_finite_are_refused() -> None:
    network = torch.nn.Linear(2, 1)
    tensors = {"weight": torch.tensor([[1.0, float("nan")]]), "bias": torch.ones(1)}
    with pytest.raises(CheckpointError, match="weight holds values that are not finite"):
        load_weights(network, Checkpoint(Path("w.pt"), "", tensors), "a layer")


def test_reading_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(TENSORS, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_checkpoint(path)
