"""What a column of text holds: a number, a moment or a yes only where every value says so."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from riskbench.data.times import parse_iso

INT = r"^-?(?:0|[1-9]\d*)$"
#: No leading zeros, and an exponent only with a point or a sign, so that the code 12E3 stays a code.
FLOAT = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?$|^-?(?:0|[1-9]\d*)(?:\.\d+[eE][+-]?\d+|[eE][+-]\d+)$|^-?(?:inf|Inf|Infinity)$"
#: Words that stand for a missing number or moment; in a column of words they are words.
NOTHING = frozenset({"NaN", "nan", "NULL", "null", "None", "NA", "N/A", "n/a", "NaT", "\\N"})

_MOSTLY = 0.9


def infer(column: pa.Array, *, name: str, words_only: bool = False) -> tuple[pa.Array, tuple[str, ...]]:
    """Return text as the narrowest kind that every value has, and what was found on the way.

    Empty text is missing. Whole numbers with leading zeros, whole numbers past 64 bits, decimal commas, and
    columns of mixed kinds stay text, and what was nearly a number is told.

    Parameters
    ----------
    column : Array
        Text, plain or coded.
    name : str
        The column's name, for remarks.
    words_only : bool
        Whether to leave it text whatever it holds (region codes).
    """
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = pc.fill_null(coded.dictionary.cast(pa.string()), "")
    uses = _uses(coded)
    if words_only or not len(words):
        return _text(coded, words), ()
    silent = pc.or_(pc.equal(words, ""), pc.is_in(words, pa.array(sorted(NOTHING))))
    said = words.filter(pc.invert(silent))
    if not len(said):
        empty = bool(pc.all(pc.equal(words, "")).as_py())
        return (pa.nulls(len(coded)) if empty else _text(coded, words)), ()
    for made in (_bools, _ints, _floats, parse_iso):
        values = made(said)
        if values is not None:
            place = _places(silent)
            note = _silenced(words, silent, uses, name)
            return values.take(place.take(coded.indices)), note
    return _text(coded, words), _nearly(words, silent, uses, name)


def _uses(coded: pa.DictionaryArray) -> pa.Array:
    """Return how often each word of the dictionary stands in the column."""
    import numpy as np

    codes = coded.indices.drop_null().to_numpy(zero_copy_only=False)
    return pa.array(np.bincount(codes, minlength=len(coded.dictionary)))


def _places(silent: pa.Array) -> pa.Array:
    """Return where each word stands among those that say something; missing for the others."""
    spoken = pc.cast(pc.invert(silent), pa.int64())
    return pc.if_else(silent, pa.scalar(None, pa.int64()), pc.subtract(pc.cumulative_sum(spoken), 1))


def _bools(words: pa.Array) -> pa.Array | None:
    low = pc.utf8_lower(words)
    if not pc.all(pc.is_in(low, pa.array(["true", "false"]))).as_py():
        return None
    return pc.equal(low, "true")


def _ints(words: pa.Array) -> pa.Array | None:
    if not pc.all(pc.match_substring_regex(words, INT)).as_py():
        return None
    try:
        return words.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _floats(words: pa.Array) -> pa.Array | None:
    if not pc.all(pc.match_substring_regex(words, FLOAT)).as_py():
        return None
    if pc.all(pc.match_substring_regex(words, INT)).as_py():
        return None  # whole numbers past 64 bits are ids
    numbers = pa.array([float(word) for word in words.to_pylist()], pa.float64())
    endless = pc.and_(pc.invert(pc.is_finite(numbers)), pc.invert(pc.match_substring(words, "nf")))
    return None if pc.any(endless).as_py() else numbers


def _text(coded: pa.DictionaryArray, words: pa.Array) -> pa.Array:
    """Return the column as coded text, empty text missing."""
    if not pc.any(pc.equal(words, "")).as_py():
        return pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), words)
    plain = pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)
    return plain.take(coded.indices).dictionary_encode()


def _silenced(words: pa.Array, silent: pa.Array, uses: pa.Array, name: str) -> tuple[str, ...]:
    spelt = pc.and_(silent, pc.not_equal(words, ""))
    count = pc.sum(uses.filter(spelt)).as_py() or 0
    if not count:
        return ()
    shown = ", ".join(repr(word) for word in words.filter(spelt).to_pylist()[:3])
    return (f"{count} values {shown} in {name!r} were read as missing",)


def _nearly(words: pa.Array, silent: pa.Array, uses: pa.Array, name: str) -> tuple[str, ...]:
    numbers = pc.or_(pc.match_substring_regex(words, FLOAT), pc.match_substring_regex(words, INT))
    total = pc.sum(uses.filter(pc.invert(silent))).as_py()
    count = pc.sum(uses.filter(numbers)).as_py() or 0
    if count == total:
        return (f"{name!r} holds whole numbers past 64 bits and was left as text",)
    if count >= _MOSTLY * total:
        return (f"{name!r} was left as text: {total - count} of its {total} values are not numbers",)
    if pc.all(pc.match_substring_regex(words.filter(pc.invert(silent)), r"^-?0\d+$|^-?\d+$")).as_py():
        return (f"{name!r} holds numbers with leading zeros and was left as text",)
    return ()
