"""How numbers become words: opaque ids without order, network addresses, dictionary-coded columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.engine.columns import Column

_BITS = 40
_MASK = np.uint64(2**_BITS - 1)
_DIGITS = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", dtype=np.uint8)


def shuffled(numbers: npt.NDArray[Any], salt: int) -> npt.NDArray[np.uint64]:
    """Return a one-to-one scattering of numbers over 0..2**40: neighbours land far apart.

    >>> len(set(shuffled(np.arange(1000), 7).tolist()))
    1000
    """
    bits = (numbers.astype(np.uint64) ^ np.uint64(salt * 2654435761 % 2**_BITS)) & _MASK
    for factor, shift in ((0x2545F4914F, 21), (0x9E3779B97D, 17), (0xD1342543DF, 19)):
        bits = (bits * np.uint64(factor)) & _MASK
        bits ^= bits >> np.uint64(shift)
    return bits


def id_words(numbers: npt.NDArray[Any], prefix: str, salt: int) -> pa.Array:
    """Return numbers as ids of a prefix and eight characters."""
    bits = shuffled(numbers, salt)
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text = np.empty((len(bits), len(head) + 8), dtype=np.uint8)
    text[:, : len(head)] = head
    for place in range(8):
        text[:, len(head) + place] = _DIGITS[(bits >> np.uint64(35 - 5 * place)) & np.uint64(31)]
    return fixed_words(text)


def fixed_words(text: npt.NDArray[np.uint8]) -> pa.Array:
    """Return rows of ASCII bytes of one width as an Arrow string array."""
    rows, width = text.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    if rows * width < 2**31:
        return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(text.tobytes()))
    return pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def entity(numbers: npt.NDArray[Any], prefix: str, salt: int, *, valid: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return entity numbers as an id column whose words stand in the order of the ids, not of the numbers."""
    held = numbers if valid is None else numbers[valid]
    top = int(held.max()) + 1 if len(held) else 0
    used = np.flatnonzero(np.bincount(held, minlength=top) > 0) if len(held) else np.zeros(0, dtype=np.int64)
    order = np.argsort(shuffled(used, salt), kind="stable")
    place = np.zeros(max(1, top), dtype=np.int32)
    place[used[order]] = np.arange(len(used), dtype=np.int32)
    codes = place[numbers] if valid is None else np.where(valid, place[np.where(valid, numbers, 0)], np.int32(0))
    return Column("string", codes.astype(np.int32), _or_none(valid), id_words(used[order], prefix, salt))


def event_ids(held: npt.NDArray[np.int64] | int, prefix: str, salt: int) -> Column:
    """Return an id without order for each number, one word a row; for a number of rows, for 0, 1, 2, ..."""
    each = np.arange(held) if isinstance(held, int) else held
    return Column("string", np.arange(len(each), dtype=np.int32), None, id_words(each, prefix, salt))


def network(addresses: npt.NDArray[np.int64]) -> Column:
    """Return IPv4 numbers as a text column."""
    distinct, codes = np.unique(addresses, return_inverse=True)
    words = [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in distinct.tolist()]
    return Column("string", codes.astype(np.int32), None, pa.array(words, pa.string()))


def national_numbers(documents: npt.NDArray[Any], *, brazil: npt.NDArray[np.bool_]) -> Column:
    """Return a national number for each document that nobody can bear.

    Brazilian ones have eleven digits, the last of which is never the right check digit; all others have sixteen
    digits after two zeros, which no country issues.
    """
    bits = shuffled(documents, 83)
    digits = np.empty((len(bits), 16), dtype=np.int64)
    digits[:, :2] = 0
    for place in range(2, 16):
        digits[:, place] = (bits >> np.uint64(2 * (place - 2))) % np.uint64(10)
    text = [f"{value:016d}" for value in (digits @ 10 ** np.arange(15, -1, -1)).tolist()]
    for row in np.flatnonzero(brazil).tolist():
        held = [int(digit) for digit in text[row][5:14]]
        for _ in range(2):
            rest = sum(digit * weight for digit, weight in zip(held, range(len(held) + 1, 1, -1), strict=True)) % 11
            held.append(0 if rest < 2 else 11 - rest)
        held[-1] = (held[-1] + 1 + row % 9) % 10
        text[row] = "".join(map(str, held))
    return coded(np.arange(len(text)), text)


def coded(codes: npt.NDArray[Any], words: Sequence[str], *, valid: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return codes into a list of words (equal ones become one) as a text column."""
    place = {word: at for at, word in enumerate(dict.fromkeys(words))}
    if len(place) < len(words):
        codes = np.array([place[word] for word in words], dtype=np.int32)[codes]
        words = list(place)
    return Column("string", codes.astype(np.int32), _or_none(valid), pa.array(list(words), pa.string()))


def numbers(values: npt.NDArray[Any], *, valid: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return numbers or booleans as a column."""
    if values.dtype.kind == "b":
        return Column("bool", values, _or_none(valid))
    if values.dtype.kind in "iu":
        return Column("int", values.astype(np.int64, copy=False), _or_none(valid))
    return Column("float", values.astype(np.float64, copy=False), _or_none(valid))


def times(values: npt.NDArray[np.int64], *, valid: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return microseconds since 1970 UTC as a time column."""
    return Column("time", values, _or_none(valid))


def _or_none(valid: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
    return None if valid is None or bool(valid.all()) else valid
