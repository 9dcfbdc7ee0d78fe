"""Which stopped events may never pass? Failed identity checks, sanctions, stolen cards, and all that may be such."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import Column
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import Not, atoms
from riskbench.errors import ParameterError, RuleError, listed, nearest
from riskbench.rules.hits import Hits, apply, variants
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]

_WORD = re.compile(r"[^\W_]+")
_IDENTITY, _NOT_PASSED = ("kyc", "identity"), ("fail", "reject", "den", "not", "false")


def condition(text: str) -> Rule:
    """Return a condition of which nothing may pass, as a rule that decides nothing."""
    return Rule("never", text, "block", status="shadow")


def grave(rule: Rule) -> bool:
    """Return whether a rule speaks of sanctions, stolen cards or failed identity checks, by its own words.

    >>> grave(Rule("TX-9", "on_sanctions_list", "block")), grave(Rule("TX-8", "kyc_attempts > 3", "block"))
    (True, False)
    """
    words = _WORD.findall(" ".join((rule.id, rule.title or "", rule.when, *rule.lists)).casefold())
    if any(word.startswith("sanction") or word in ("stolen", "ofac") for word in words):
        return True
    return any(word in _IDENTITY for word in words) and any(word.startswith(_NOT_PASSED) for word in words)


def banned(held: Hits, never: tuple[str, ...], cap: float | None, value: npt.NDArray[np.float64]) -> Mask:
    """Return which events may never pass: by rule, by condition, or for their value.

    What cannot be told for a missing value may be such an event and never passes; a text spelled alike but for case,
    blanks and width counts as the same.
    """
    places = {rule.id: rule for rule in held.book.rules}
    rules = [places.get(name) or condition(name) for name in never]
    out = _may_hold(rules, held.dataset)
    respelled = _respelled(rules, held.dataset)
    if respelled is not held.dataset:
        out |= _may_hold(rules, respelled)
    if cap is not None:
        # An event whose value is not known may be above every cap.
        out |= ~(value <= cap) | ~held.dataset.column("amount").present
    return out


def _may_hold(rules: Sequence[Rule], dataset: Dataset) -> Mask:
    """Return which events meet any of some conditions, or may meet it for all that can be told."""
    out = np.zeros(dataset.rows, dtype=bool)
    codes, names = dataset.regions
    for rule in rules:
        nodes = variants(rule, dataset)
        bits = evaluate([Not(node) for node in nodes.values()], dataset.table)
        apart = np.zeros(dataset.rows, dtype=bool)
        for line, region in reversed(list(enumerate(nodes))):
            may = np.ones(dataset.rows, dtype=bool)
            may[bits.positions(line)] = False
            own = ~apart if region is None else np.isin(codes, [k for k, name in enumerate(names) if name == region])
            out |= may & own
            apart |= own
    return out


def _respelled(rules: Sequence[Rule], dataset: Dataset) -> Dataset:
    """Return events in which a text that only its spelling tells from one that a condition names is that one."""
    wanted: dict[str, dict[str, str]] = {}
    for rule in rules:
        for node in variants(rule, dataset).values():
            for atom in atoms(node):
                if atom.column is not None and dataset.column(atom.column).kind == "string":
                    texts = {text: text for text in atom.values if isinstance(text, str)}
                    wanted.setdefault(atom.column, {}).update(texts)
    changed = {}
    for name, texts in wanted.items():
        column = dataset.column(name)
        if column.words is None or not texts:
            continue
        plain = {spelled(text): text for text in texts}
        words = [str(word) for word in column.words.to_pylist()]
        kept = [word if word in texts else plain.get(spelled(word), word) for word in words]
        if kept != words:
            number = {word: code for code, word in enumerate(dict.fromkeys(kept))}
            place = np.array([number[word] for word in kept], dtype=column.values.dtype)
            codes = place[np.where(column.present, column.values, 0)]
            changed[name] = Column("string", codes, column.valid, pa.array(list(number), column.words.type))
    return dataset.with_columns(changed) if changed else dataset


def spelled(text: str) -> str:
    r"""Return a text without what is easily spelled otherwise: case, blanks, width, marks that do not show.

    >>> spelled(" \uff26ailed\u200b ") == spelled("FAILED")
    True
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(sign for sign in plain if not sign.isspace() and unicodedata.category(sign) not in ("Cf", "Cc"))


def never_of(held: Hits, never: tuple[str, ...], chances: Mapping[str, float]) -> tuple[str, ...]:
    """Return what may never pass, checked, with the rules that are so by their own words; none bears a stated chance.

    Raises
    ------
    RuleError
        When a text is no rule of the book and no condition that fits the events.
    ParameterError
        When a chance is stated for a rule of which nothing may pass.
    """
    ids = [rule.id for rule in held.book.rules]
    for text in never:
        if text in ids:
            continue
        bare = text.replace("-", "").replace("_", "").isalnum() and text not in held.dataset.names
        if bare:
            close = nearest(text, ids)
            raise RuleError(
                f"{text!r} is neither a rule of the book nor a condition",
                allowed=listed(ids),
                hint=f"did you mean {close!r}?" if close else None,
            )
        apply([condition(text)], held.dataset)
    out = tuple(dict.fromkeys((*never, *(rule.id for rule in held.book.rules if grave(rule)))))
    for name in chances:
        if name in out:
            raise ParameterError(f"Nothing of the rule {name!r} is ever let through", hint="take it out of `chances`")
    return out
