"""Run lengths as Label Studio's brush has them: packed bits over the bytes of an RGBA picture.

The Label Studio format writes it.
"""

from __future__ import annotations

import numpy as np

from cups_training.exporting.run_lengths import Runs

CHANNELS = 4
WORD_BITS = 8
SIZES = np.array([4, 8, 12, 16])
"""Bits of the four kinds of lengths; a length is stored less one."""
FLAG_BITS, KIND_BITS = 1, 2
LONGEST = 1 << 16


def brush_rle(runs: Runs, pixels: int) -> list[int]:
    """The bytes that Label Studio expects in `rle`.

    A header names the number of values (32 bits), the bits of a value less one (5) and the four
    kinds of lengths less one (4 each). Each run is a 1, its kind, its length less one and its
    value: 255 in the mask and 0 outside, in all four channels of each pixel (rle-pack, umbrella).

    Args:
        runs: of a mask, row by row.
        pixels: of the picture.
    """
    lengths = CHANNELS * np.diff(np.concatenate([[0], runs.ravel(), [pixels]]))
    values = 255 * (np.arange(len(lengths)) % 2)
    pieces = np.maximum(-(-lengths // LONGEST), 1)
    cut = np.full(int(pieces.sum()), LONGEST)
    cut[np.cumsum(pieces) - 1] = lengths - LONGEST * (pieces - 1)
    value_of = np.repeat(values, pieces)[cut > 0]
    cut = cut[cut > 0]
    kind = np.searchsorted(1 << SIZES, cut)
    size = SIZES[kind]
    code = (((1 << KIND_BITS | kind) << size | (cut - 1)) << WORD_BITS) | value_of
    header = [(CHANNELS * pixels, 32), (WORD_BITS - 1, 5), *((int(one) - 1, 4) for one in SIZES)]
    begin = np.concatenate([_bits(np.array([value]), np.array([bits])) for value, bits in header])
    body = _bits(code, FLAG_BITS + KIND_BITS + size + WORD_BITS)
    return list(np.packbits(np.concatenate([begin, body])).tolist())


def _bits(codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The lowest `counts` bits of each code, highest first, one after the other."""
    places = np.arange(int(counts.max(initial=0)) - 1, -1, -1)
    table = (codes[:, None] >> places) & 1
    return np.asarray(table[places < counts[:, None]], np.uint8)
