"""Whether a model's file is the one that its sidecar describes.

The predictor asks before a backend reads the file; exports record the hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cups_core.errors import ModelError
from cups_core.runtime.sidecar import ModelSidecar, sidecar_path

BLOCK_BYTES = 1 << 20
# What a copy or download that failed leaves behind, by how it begins.
NOT_A_MODEL = {b"<": "a web page", b"version https://git-lfs": "a Git LFS pointer"}


def sha256_of(path: Path) -> str:
    """Hash of a file, in hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as problem:
        raise ModelError(
            f"{path}: expected a model, it cannot be read ({problem.strerror}): check the path"
        ) from problem
    return digest.hexdigest()


def check_file(model: Path, sidecar: ModelSidecar) -> None:
    """Complain unless the model is the very file that the sidecar describes.

    Raises:
        ModelError: it is missing, truncated, or another file.
    """
    found = sha256_of(model)
    if found == sidecar.sha256:
        return
    with model.open("rb") as file:
        start = file.read(64)
    known = [kind for beginning, kind in NOT_A_MODEL.items() if start.startswith(beginning)]
    size = model.stat().st_size
    what = known[0] if known else f"{size} bytes, cut off or of another model"
    raise ModelError(
        f"{model}: {sidecar_path(model)} says sha256 {sidecar.sha256}, found {found}: {what}; copy "
        "the model and its sidecar again, both of one export"
    )
