"""DEFLATE (RFC 1951) for filtered pictures: Huffman codes, and runs of one byte as repetitions.

Searching for longer repetitions takes most of zlib's time and finds next to nothing in photographs.
`png` compresses with it; any zlib reads the result, and the bytes do not depend on which zlib.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel

BLOCK_BYTES = 1 << 17
"""Each block has codes of its own."""
SAMPLE_BYTES, SAMPLE_EVERY = 1 << 10, 4
"""The codes follow from a sample of the block: a percent larger, a fifth faster."""
LONGEST_CODE = 15
LONGEST_RUN = 258
SHORTEST_RUN = 3
END_OF_BLOCK = 256
SYMBOLS = 286
# Kind of block, number of symbols, one distance code, and 4 bits for the length of every code.
HEADER = 0b10 << 1 | (SYMBOLS - 257) << 3 | (19 - 4) << 13
HEADER_BITS = 17
# The order of RFC 1951 3.2.7 begins with the three codes for repeated lengths, which are not used.
LENGTHS_OF_LENGTHS = (0,) * 3 + (4,) * 16


def compressed(data: NDArray[np.uint8]) -> bytes:
    """A zlib stream (RFC 1950) of `data`, uint8 (N,)."""
    padded = np.empty(data.size + SHORTEST_RUN, np.uint8)
    padded[: data.size] = data
    # No run goes on behind the end.
    padded[data.size :] = ~data[-1] if data.size else 0
    # No symbol is longer than 15 bits, a repetition of three or more bytes not longer than 21.
    words = np.empty(data.size // 4 + 64 + 32 * (data.size // BLOCK_BYTES), np.uint64)
    size = _deflated(padded, words, *_RUN_TABLES, _REVERSED)
    body = words.astype("<u8", copy=False).view(np.uint8)[:size].tobytes()
    return b"\x78\x01" + body + zlib.adler32(data.data).to_bytes(4, "big")


def _run_tables() -> tuple[NDArray[np.uint64], ...]:
    """Symbol, extra bits and their value for each length of a run (RFC 1951 3.2.5)."""
    symbol, extra_bits, extra = (np.zeros(LONGEST_RUN + 1, np.uint64) for _ in range(3))
    start = SHORTEST_RUN
    for number in range(28):
        bits = max(0, number // 4 - 1)
        for length in range(start, min(start + (1 << bits), LONGEST_RUN)):
            symbol[length], extra_bits[length] = 257 + number, bits
            extra[length] = length - start
        start += 1 << bits
    symbol[LONGEST_RUN] = 285
    return symbol, extra_bits, extra


_RUN_TABLES = _run_tables()
_REVERSED = np.array(
    [int(f"{code:0{LONGEST_CODE}b}"[::-1], 2) for code in range(1 << LONGEST_CODE)], np.uint64
)


@kernel
def _deflated(
    data: NDArray[np.uint8],
    words: NDArray[np.uint64],
    run_symbol: NDArray[np.uint64],
    run_bits: NDArray[np.uint64],
    run_extra: NDArray[np.uint64],
    reversed_bits: NDArray[np.uint64],
) -> int:
    """Fill `words`, least significant bit first; the number of bytes. `data` ends with 3 more."""
    one, two, byte, word = np.uint64(1), np.uint64(2), np.uint64(8), np.uint64(64)
    size = np.uint64(data.size - SHORTEST_RUN)
    held, bits, place = np.uint64(0), np.uint64(0), np.uint64(0)
    start = np.uint64(0)
    while True:
        stop = min(start + np.uint64(BLOCK_BYTES), size)
        counts = _counted(data, start, stop, run_symbol)
        lengths = _code_lengths(counts)
        codes = _codes(lengths, reversed_bits)
        for number in range(1 + 19 + SYMBOLS + 1):
            if number == 0:
                code, width = np.uint64(HEADER | (stop == size)), np.uint64(HEADER_BITS)
            elif number < 20:
                code, width = np.uint64(LENGTHS_OF_LENGTHS[number - 1]), np.uint64(3)
            else:
                # The only distance, 1, has a code of one bit.
                length = lengths[number - 20] if number - 20 < SYMBOLS else np.uint64(1)
                code, width = reversed_bits[length] >> np.uint64(LONGEST_CODE - 4), np.uint64(4)
            held |= code << bits
            bits += width
            if bits >= word:
                words[place] = held
                place += one
                bits -= word
                held = code >> (width - bits)
        # Code and its length in one place of memory.
        symbols = codes << byte | lengths
        at = start
        while at < stop:
            value = data[at]
            at += one
            symbol = symbols[value]
            code, width = symbol >> byte, symbol & np.uint64(255)
            held |= code << bits
            bits += width
            if bits >= word:
                words[place] = held
                place += one
                bits -= word
                held = code >> (width - bits)
            # Asked here because a call for every byte would take as long as all the rest.
            if not (data[at] ^ value | data[at + one] ^ value | data[at + two] ^ value):
                run = _run(data, at, value)
                symbol = symbols[run_symbol[run]]
                code, width = symbol >> byte, symbol & np.uint64(255)
                code |= run_extra[run] << width
                # The bit of the distance is 0.
                width += run_bits[run] + one
                held |= code << bits
                bits += width
                if bits >= word:
                    words[place] = held
                    place += one
                    bits -= word
                    held = code >> (width - bits)
                at += run
        code, width = codes[END_OF_BLOCK], lengths[END_OF_BLOCK]
        held |= code << bits
        bits += width
        if bits >= word:
            words[place] = held
            place += one
            bits -= word
            held = code >> (width - bits)
        if stop == size:
            break
        # The last run may reach into the next block.
        start = at
    words[place] = held
    return int(place * byte + (bits + np.uint64(7)) // byte)


@kernel
def _run(data: NDArray[np.uint8], at: int, value: int) -> int:
    """How often `value` is repeated from `at` on, where it is at least three times."""
    one, longest = np.uint64(1), np.uint64(LONGEST_RUN)
    run = np.uint64(SHORTEST_RUN)
    while run < longest and data[at + run] == value:
        run += one
    return run


@kernel
def _counted(
    data: NDArray[np.uint8], start: int, stop: int, run_symbol: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """How often a block needs each symbol."""
    one, two = np.uint64(1), np.uint64(2)
    counts = np.ones(SYMBOLS, np.uint64)
    sample = start
    while sample < stop:
        at, end = sample, min(sample + np.uint64(SAMPLE_BYTES), stop)
        while at < end:
            value = data[at]
            counts[value] += one
            at += one
            if not (data[at] ^ value | data[at + one] ^ value | data[at + two] ^ value):
                run = _run(data, at, value)
                counts[run_symbol[run]] += one
                at += run
        sample = max(sample + np.uint64(SAMPLE_EVERY * SAMPLE_BYTES), at)
    return counts


@kernel
def _code_lengths(counts: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Lengths of Huffman codes, none above 15 bits; 0 for symbols that do not occur."""
    order = np.argsort(counts, kind="mergesort")
    used = order[np.count_nonzero(counts == 0) :]
    leaves = used.size
    lengths = np.zeros(SYMBOLS, np.uint64)
    if leaves == 1:
        lengths[used[0]] = 1
        return lengths
    weights = np.empty(2 * leaves, np.uint64)
    weights[:leaves] = counts[used]
    parents = np.zeros(2 * leaves, np.int64)
    leaf, inner = 0, leaves
    # Both queues ascend, so the two lightest nodes are at their heads.
    for made in range(leaves, 2 * leaves - 1):
        total = np.uint64(0)
        for _ in range(2):
            if inner >= made or (leaf < leaves and weights[leaf] <= weights[inner]):
                lightest = leaf
                leaf += 1
            else:
                lightest = inner
                inner += 1
            parents[lightest] = made
            total += weights[lightest]
        weights[made] = total
    depths = np.zeros(2 * leaves, np.int64)
    for node in range(2 * leaves - 3, -1, -1):
        depths[node] = depths[parents[node]] + 1
    of_length = np.zeros(LONGEST_CODE + 1, np.int64)
    taken = 0
    for depth in depths[:leaves]:
        length = min(depth, LONGEST_CODE)
        of_length[length] += 1
        taken += 1 << (LONGEST_CODE - length)
    # Codes that were cut to 15 bits need room: a shorter one makes place for two.
    while taken > 1 << LONGEST_CODE:
        of_length[LONGEST_CODE] -= 1
        length = LONGEST_CODE - 1
        while of_length[length] == 0:
            length -= 1
        of_length[length] -= 1
        of_length[length + 1] += 2
        taken -= 1
    rarest = 0
    for length in range(LONGEST_CODE, 0, -1):
        for _ in range(of_length[length]):
            lengths[used[rarest]] = length
            rarest += 1
    return lengths


@kernel
def _codes(lengths: NDArray[np.uint64], reversed_bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The canonical codes of these lengths (RFC 1951 3.2.2), first bit lowest."""
    next_code = np.zeros(LONGEST_CODE + 2, np.int64)
    for length in lengths:
        if length:
            next_code[np.int64(length) + 1] += 1
    code = 0
    for length in range(1, LONGEST_CODE + 1):
        code = (code + next_code[length]) << 1
        next_code[length] = code
    codes = np.zeros(lengths.size, np.uint64)
    for symbol in range(lengths.size):
        length = np.int64(lengths[symbol])
        if length:
            codes[symbol] = reversed_bits[next_code[length]] >> np.uint64(LONGEST_CODE - length)
            next_code[length] += 1
    return codes
