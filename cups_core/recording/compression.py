"""Unpacks what bags are compressed with, as far as damaged data allow.

The readers of the file formats call it for chunks and messages, `compressed_file` for files.
"""

from __future__ import annotations

import bz2
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PIECE = 1 << 16
FILE_PIECE = 1 << 20
# What the three libraries raise on damaged data.
_ERRORS = (zstd.ZstdError, RuntimeError, OSError, ValueError, EOFError)


class _Decompressor(Protocol):
    def decompress(self, data: memoryview, /) -> bytes: ...


_AT_ONCE: dict[str, Callable[[bytes | memoryview], bytes]] = {
    "zstd": zstd.decompress,
    "lz4": lz4.frame.decompress,
    "bz2": bz2.decompress,
}
_PIECEWISE: dict[str, Callable[[], _Decompressor]] = {
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "bz2": bz2.BZ2Decompressor,
}


class UnpackError(Exception):
    """The data cannot be unpacked, or not to the end.

    Attributes:
        readable: what came out before.
    """

    def __init__(self, what: str, readable: bytes) -> None:
        super().__init__(what)
        self.readable = readable


def unpack(data: bytes | memoryview, compression: str) -> bytes | memoryview:
    """The content of a chunk or a message.

    Args:
        data: as stored.
        compression: "zstd", "lz4", "bz2"; "" or "none" for plain data.

    Raises:
        UnpackError: damaged data, or an unknown compression.
    """
    if compression in ("", "none"):
        return data
    if compression not in _AT_ONCE:
        raise UnpackError(f"unknown compression {compression!r}", b"")
    try:
        return _AT_ONCE[compression](data)
    except _ERRORS as error:
        view = memoryview(data)
        pieces = (view[start : start + PIECE] for start in range(0, len(view), PIECE))
        readable = b"".join(_until_damage(pieces, _PIECEWISE[compression]()))
        raise UnpackError(f"{compression} data do not unpack: {error}", readable) from error


def _until_damage(pieces: Iterable[memoryview], decompressor: _Decompressor) -> Iterable[bytes]:
    for piece in pieces:
        try:
            yield decompressor.decompress(piece)
        except _ERRORS:
            return


def unpack_file(path: Path, target: Path) -> None:
    """Unpack a zstd file into another one.

    Raises:
        UnpackError: it is damaged; what came out before is written.
        OSError: a file cannot be read or written.
    """
    with path.open("rb") as packed, target.open("wb") as content:
        decompressor = zstd.ZstdDecompressor()
        while piece := packed.read(FILE_PIECE):
            while piece:
                if decompressor.eof:
                    # Writers may put one frame behind the other.
                    decompressor = zstd.ZstdDecompressor()
                try:
                    content.write(decompressor.decompress(piece))
                except zstd.ZstdError as error:
                    raise UnpackError(str(error), b"") from error
                piece = decompressor.unused_data
        if not decompressor.eof:
            raise UnpackError("it ends too early", b"")
