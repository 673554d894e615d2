"""An engine on disk: what it was built of and for, then TensorRT's bytes.

The engine cache writes and reads it. TensorRT itself may crash on a damaged engine or one of
another GPU, so nothing reaches it before size, hash and key are found right.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cups_core.errors import CupsError

MAGIC = b"CUPS engine 1\n"
SUFFIX = ".engine"
LENGTH_BYTES = 4
LONGEST_HEADER = 1 << 16
WORDS = {
    "model_sha256": "model",
    "gpu": "GPU",
    "compute_capability": "compute capability",
    "tensorrt": "TensorRT version",
    "precision": "precision",
    "shape": "input shape",
}


class EngineFileError(CupsError):
    """An engine's file is missing, cut off, changed or no engine of ours."""


@dataclass(frozen=True)
class EngineKey:
    """What an engine was built of and for: it runs nowhere else.

    Attributes:
        model_sha256: of the ONNX file, in hexadecimal.
        gpu: name of the GPU.
        compute_capability: of the GPU, such as "8.7".
        tensorrt: version, such as "10.3.0".
        precision: of the model, "fp32", "fp16" or "int8".
        shape: of the input, such as "1x3x512x1024".
    """

    model_sha256: str
    gpu: str
    compute_capability: str
    tensorrt: str
    precision: str
    shape: str

    @property
    def digest(self) -> str:
        """Short name of the key, for files."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, wanted: EngineKey) -> tuple[str, ...]:
        """Each field that differs from the key that is wanted, in words."""
        return tuple(
            f"{WORDS[item.name]}: built for {getattr(self, item.name)}, "
            f"here {getattr(wanted, item.name)}"
            for item in fields(self)
            if getattr(self, item.name) != getattr(wanted, item.name)
        )


def write_engine(path: Path, key: EngineKey, plan: bytes) -> None:
    """Write an engine so that it is on the disk when this returns; the folder exists.

    Raises:
        EngineFileError: the place cannot be written.
    """
    content = asdict(key) | {"bytes": len(plan), "sha256": hashlib.sha256(plan).hexdigest()}
    header = json.dumps(content, sort_keys=True).encode()
    try:
        with path.open("wb") as file:
            file.write(MAGIC + len(header).to_bytes(LENGTH_BYTES, "little") + header)
            file.write(plan)
            file.flush()
            os.fsync(file.fileno())  # a vehicle may lose its power at any time
    except OSError as problem:
        raise EngineFileError(
            f"{path}: cannot be written ({problem.strerror}): free some space or give another "
            "folder"
        ) from problem


def read_key(path: Path) -> EngineKey:
    """What an engine was built of and for; its bytes are not checked.

    Raises:
        EngineFileError: it is missing or no engine of ours.
    """
    return _read(path, whole=False)[0]


def read_engine(path: Path) -> tuple[EngineKey, bytes]:
    """An engine that is whole.

    Raises:
        EngineFileError: it is missing, cut off, changed or no engine of ours.
    """
    return _read(path, whole=True)


def _read(path: Path, *, whole: bool) -> tuple[EngineKey, bytes]:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + LENGTH_BYTES)
            length = int.from_bytes(start[len(MAGIC) :], "little")
            if not start.startswith(MAGIC) or length > LONGEST_HEADER:
                raise EngineFileError(
                    f"{path}: expected an engine written by `cups engine build`, found other "
                    "bytes: engines of other tools do not say what they were built for"
                )
            header = file.read(length)
            plan = file.read() if whole else b""
    except OSError as problem:
        raise EngineFileError(f"{path}: cannot be read ({problem.strerror})") from problem
    try:
        content = json.loads(header)
        size, digest = content.pop("bytes"), content.pop("sha256")
        key = EngineKey(**content)
    except (ValueError, KeyError, TypeError) as problem:
        raise EngineFileError(
            f"{path}: damaged, its header cannot be read ({problem})"
        ) from problem
    if whole and len(plan) != size:
        raise EngineFileError(f"{path}: cut off, {len(plan)} of {size} bytes are there")
    if whole and hashlib.sha256(plan).hexdigest() != digest:
        raise EngineFileError(f"{path}: damaged, its bytes do not have the hash that it states")
    return key, plan
