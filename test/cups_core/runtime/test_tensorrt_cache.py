"""The cache gives the engine of this machine and model or none, and names what differs."""

from __future__ import annotations

import threading
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.runtime.tensorrt_cache import EngineCache, default_folder, engine_key
from cups_core.runtime.tensorrt_engine_file import (
    WORDS,
    EngineFileError,
    EngineKey,
    read_engine,
    read_key,
    write_engine,
)

from .small_graphs import cascade_sidecar

KEY = EngineKey("ab" * 32, "Orin", "8.7", "10.3.0", "fp16", "1x3x512x1024")
PLAN = bytes(range(256)) * 8
MODEL = Path("cascade.onnx")
NAMES = [item.name for item in fields(EngineKey)]


def stored(folder: Path, key: EngineKey = KEY, model: Path = MODEL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = EngineCache(folder).path(model, key)
    write_engine(path, key, PLAN)
    return path


def test_a_key_says_model_gpu_version_precision_and_shape() -> None:
    key = engine_key(cascade_sidecar(precision="int8"), "Orin", "8.7", "10.3.0")
    assert key == EngineKey("0" * 64, "Orin", "8.7", "10.3.0", "int8", "1x3x64x128")


@pytest.mark.parametrize("name", NAMES)
def test_each_field_makes_another_engine_and_is_named(name: str, tmp_path: Path) -> None:
    stored(tmp_path, replace(KEY, **{name: "other"}))
    cache = EngineCache(tmp_path)
    assert cache.find(MODEL, KEY) is None
    (words,) = cache.others(MODEL, KEY)
    assert words.endswith(f": {WORDS[name]}: built for other, here {getattr(KEY, name)}")


def test_an_engine_that_fits_is_found(tmp_path: Path) -> None:
    path = stored(tmp_path)
    assert EngineCache(tmp_path).find(MODEL, KEY) == PLAN
    assert EngineCache(tmp_path).others(MODEL, KEY) == ()
    assert read_key(path) == KEY


def test_an_engine_that_lies_in_the_place_of_another_is_named(tmp_path: Path) -> None:
    other = stored(tmp_path, replace(KEY, gpu="Xavier"))
    path = EngineCache(tmp_path).path(MODEL, KEY)
    other.rename(path)
    with pytest.raises(EngineFileError, match="GPU: built for Xavier, here Orin"):
        EngineCache(tmp_path).find(MODEL, KEY)


def test_the_nearest_engine_comes_first_and_those_of_other_models_not_at_all(
    tmp_path: Path,
) -> None:
    stored(tmp_path, replace(KEY, gpu="Xavier", compute_capability="7.2", tensorrt="8.6.1"))
    near = stored(tmp_path, replace(KEY, tensorrt="10.4.0"))
    stored(tmp_path, replace(KEY, model_sha256="cd" * 32), Path("student.onnx"))
    (tmp_path / f"cascade-{KEY.digest[::-1]}.engine").write_bytes(b"ptrt")
    found = EngineCache(tmp_path).others(MODEL, KEY)
    assert len(found) == 3
    assert found[0].startswith(str(near))
    assert "engines of other tools do not say" in found[2]


@given(cut=st.integers(0, 10_000))
def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = stored(tmp_path_factory.mktemp("cut"))
    whole = path.read_bytes()
    path.write_bytes(whole[: cut % len(whole)])
    with pytest.raises(EngineFileError, match=r"cut off|damaged|expected an engine"):
        read_engine(path)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_never_gives_another_plan(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = stored(tmp_path_factory.mktemp("bit"))
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        key, plan = read_engine(path)
    except EngineFileError:
        return
    # A bit of the key may change unnoticed by the hash: then it is another key, and not run.
    assert plan == PLAN
    assert key != KEY


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = EngineCache(tmp_path / "file" / "cache")
    with (
        pytest.raises(EngineFileError, match="give another folder"),
        cache.lock(cache.path(MODEL, KEY), 1, print),
    ):
        pass
    with pytest.raises(EngineFileError, match="cannot be written"):
        write_engine(tmp_path / "none" / "x.engine", KEY, PLAN)


def test_one_builds_and_the_other_waits_and_says_so(tmp_path: Path) -> None:
    cache, said, order = EngineCache(tmp_path), [], []
    path = cache.path(MODEL, KEY)
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with cache.lock(path, 10, said.append):
            inside.set()
            go_on.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with (
        pytest.raises(EngineFileError, match="another process has been building it for 0 s"),
        cache.lock(path, 0, said.append),
    ):
        pass
    threading.Timer(0.3, go_on.set).start()
    with cache.lock(path, 10, said.append):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert said == [f"another process builds {path.name}, waiting for it (0 s)"]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    path = cache.path(MODEL, KEY)
    with cache.lock(path, 1, print):
        pass
    start = time.monotonic()
    with cache.lock(path, 1, print):  # the file is still there, nobody holds it
        assert time.monotonic() - start < 1


def test_engines_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "cups" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder().parts[-3:] == (".cache", "cups", "engines")
