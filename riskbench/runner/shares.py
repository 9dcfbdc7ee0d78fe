"""How much of a change is data, how much rules, how much parameters? The mixed cases are run, and shared exactly."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any, Literal

from riskbench.display import Fact
from riskbench.errors import RiskbenchError, listed
from riskbench.runner import seal, today
from riskbench.runner.deltas import exact, numeric
from riskbench.runner.kept import Kept
from riskbench.runner.run import versions

Part = Literal["data", "rules", "parameters", "code", "unexplained"]
#: What a run can be mixed of, in the order in which it is told.
FACTORS: tuple[Part, ...] = ("data", "rules", "parameters")
#: Parameters that say what the events are; `book` says what the rules are; all others are parameters.
_DATA = frozenset({"source", "query", "roles", "domain", "region", "start", "end", "asof", "currency"})
#: Parameters that make the sample; with a source of one's own the seed is that of other draws, and no size is read.
_SAMPLE: Mapping[str, Part | None] = {"seed": "parameters", "orders": None}
MOST_RUNS = 6
#: Rooms whose code changes no number.
_SHOWS = frozenset({"cli", "widgets", "display", "privacy", "(top)"})
Corner = frozenset[Part]


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What each part adds to the change of each fact.

    Attributes
    ----------
    parts : mapping of str to mapping
        By fact: part and what it adds, as fractions; together they are the change, exactly. `unexplained` is what
        changed though nothing that is known of did.
    open : mapping of str to str
        By fact, why its change cannot be shared out.
    why : str
        Why nothing could be shared out; empty when it could.
    runs : int
        How many runs it took.
    """

    parts: Mapping[str, Mapping[Part, Fraction]] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    runs: int = 0


def factors_between(before: Kept, after: Kept) -> tuple[Part, ...]:
    """Return in what two runs differ: data, rules, parameters, code."""
    parts = {part_of(name, before, after) for name in parameters_between(before, after)}
    found: list[Part] = []
    if "data" in parts or _mark(before, "data", "fingerprint") != _mark(after, "data", "fingerprint"):
        found.append("data")
    if _mark(before, "book", "hash") != _mark(after, "book", "hash"):
        found.append("rules")
    if "parameters" in parts or _files(before) != _files(after):
        found.append("parameters")
    if _code(before) != _code(after):
        found.append("code")
    return tuple(found)


def parameters_between(before: Kept, after: Kept) -> tuple[str, ...]:
    """Return the parameters that differ, in the order of the playbook."""
    old, new = before.parameters, after.parameters
    return tuple(name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name))


def part_of(name: str, before: Kept, after: Kept) -> Part | None:
    """Return what a parameter belongs to: data, rules or parameters; None where no run reads it."""
    if name in _SAMPLE and all(kept.parameters.get("source") is not None for kept in (before, after)):
        return _SAMPLE[name]
    return "data" if name in _DATA or name in _SAMPLE else "rules" if name == "book" else "parameters"


def _mark(kept: Kept, part: str, name: str) -> Any:
    return kept.mark(part).get(name)


def _files(kept: Kept) -> dict[str, Any]:
    return {name: mark for name, mark in kept.mark("inputs").items() if name not in ("source", "book")}


def _code(kept: Kept) -> tuple[Any, ...]:
    code = _with(kept.stamp.get("code"), kept.mark("modules"))
    return _marks(code, kept.mark("sources"), kept.mark("versions"))


def _with(code: Any, modules: Mapping[str, Any]) -> Any:
    return (code, *sorted((name, str(mark)) for name, mark in modules.items())) if modules else code


def _marks(playbook: Any, sources: Mapping[str, Any], packages: Mapping[str, Any]) -> tuple[Any, ...]:
    rooms = {room: mark for room, mark in sources.items() if room not in _SHOWS}
    return playbook, tuple(sorted(rooms.items())), tuple(sorted(packages.items()))


def code_today(kept: Kept) -> tuple[Any, ...] | None:
    """Return the code that a run of this playbook would have now; None where there is no such playbook."""
    try:
        code = _with(today.playbook_of(kept).code_hash, today.modules_of(kept))
        return _marks(code, seal.sources(), versions())
    except RiskbenchError:
        return None


def shapley(value: Callable[[Corner], Fraction], factors: Sequence[Part]) -> dict[Part, Fraction]:
    """Return what each factor adds, averaged over all orders in which they can be exchanged one by one.

    The parts add up exactly to what all of them change together. Source: Shapley (1953), A value for n-person games.

    >>> shapley(lambda held: Fraction(len(held) ** 2), ("data", "rules"))
    {'data': Fraction(2, 1), 'rules': Fraction(2, 1)}
    """
    found: dict[Part, Fraction] = {}
    for factor in factors:
        rest = [other for other in factors if other != factor]
        total = Fraction(0)
        for size in range(len(rest) + 1):
            weight = Fraction(factorial(size) * factorial(len(rest) - size), factorial(len(factors)))
            for chosen in combinations(rest, size):
                total += weight * (value(frozenset({*chosen, factor})) - value(frozenset(chosen)))
        found[factor] = total
    return found


def shared(before: Kept, after: Kept, *, jobs: int = 2) -> Shares:
    """Return how the change of each numeric fact of the headline is shared out over what differs.

    Mixed cases are run apart with today's code. Where today's code is not that of both runs, they are run again too,
    and what then does not come out as it did is the part of the code.
    """
    differ = factors_between(before, after)
    factors = tuple(factor for factor in FACTORS if factor in differ)
    ends = {frozenset[Part](): before.facts, frozenset(factors): after.facts}
    if not factors:
        return _told(before, after, {frozenset[Part](): before.facts}, differ, runs=0)
    if len(factors) == 1 and "code" not in differ:
        return _told(before, after, ends, factors, runs=0)
    now = code_today(after)
    if now is None:
        return Shares(why=f"the playbook {after.playbook!r} is not there any more")
    corners = [frozenset(held) for size in range(len(factors) + 1) for held in combinations(factors, size)]
    known = {corner: facts for corner, facts in ends.items() if (_code(before) if not corner else _code(after)) == now}
    wanted = [corner for corner in corners if corner not in known]
    if len(wanted) > MOST_RUNS:
        return Shares(
            why=f"the code has moved, so {len(wanted)} cases would have to be run, and at most {MOST_RUNS} are; "
            "run one of the two again first"
        )
    try:
        made = _carried_out(before, after, factors, wanted, jobs=jobs)
    except RiskbenchError as error:
        return Shares(why=" ".join(f"{error.what}{f'; {error.hint}' if error.hint else ''}".split())[:400])
    return _told(before, after, {**known, **made}, factors, runs=len(wanted))


def _told(
    before: Kept, after: Kept, corners: Mapping[Corner, Sequence[Fact]], factors: Sequence[Part], *, runs: int
) -> Shares:
    parts: dict[str, dict[Part, Fraction]] = {}
    left: dict[str, str] = {}
    held = {corner: {fact.name: fact for fact in facts} for corner, facts in corners.items()}
    old, new = ({fact.name: fact for fact in kept.facts} for kept in (before, after))
    for name in dict.fromkeys([*new, *old]):
        ends = (old.get(name), new.get(name))
        if not all(fact is not None and numeric(fact) for fact in ends):
            continue
        was, came = ends
        assert was is not None
        assert came is not None
        if (was.unit, was.currency) != (came.unit, came.currency):
            continue
        values: dict[Corner, Fraction] = {}
        for corner, facts in held.items():
            fact = facts.get(name)
            if fact is None or not numeric(fact) or (fact.unit, fact.currency) != (was.unit, was.currency):
                left[name] = f"not measurable with {_mixed(corner, factors)}"
                break
            values[corner] = exact(fact)
        else:
            total = exact(came) - exact(was)
            found = shapley(values.__getitem__, [factor for factor in factors if factor != "code"])
            rest = total - sum(found.values(), Fraction(0))
            if rest or "code" in factors:
                found["code" if factors else "unexplained"] = rest
            parts[name] = found
    return Shares(parts=parts, open=left, runs=runs)


def _mixed(corner: Corner, factors: Iterable[Part]) -> str:
    new = [factor for factor in factors if factor in corner]
    old = [factor for factor in factors if factor not in corner]
    told = [*([f"the {listed(old)} of before"] if old else []), *([f"the {listed(new)} of after"] if new else [])]
    return " and ".join(told)


def _carried_out(
    before: Kept, after: Kept, factors: Sequence[Part], wanted: Sequence[Corner], *, jobs: int
) -> dict[Corner, tuple[Fact, ...]]:
    """Run the mixed cases, each in a folder apart, and return their headlines.

    Raises
    ------
    RiskbenchError
        When the data or a file of either run is not what it was, no book was kept, or a case does not end well.
    """
    values, stop = {False: today.values_of(before), True: today.values_of(after)}, threading.Event()
    for kept, name in ((before, "before"), (after, "after")) if "data" in factors else ((after, "both"),):
        _same_data(kept, name)
    read = ((before, "before"), (after, "after")) if "parameters" in factors else ((after, "both"),)
    for kept, name in read:
        _same_files(kept, name)
    with tempfile.TemporaryDirectory(prefix="riskbench-diff-") as folder:
        apart = Path(folder)
        books = {late: _book(kept, apart / f"book-{late}.yaml") for late, kept in ((False, before), (True, after))}
        cases = []
        for number, corner in enumerate(wanted):
            mixed = {
                name: values[part_of(name, before, after) in corner].get(name)
                for name in values[True].keys() & values[False].keys()
            }
            if "book" in mixed:
                mixed["book"] = books["rules" in corner]
            cases.append((corner, mixed, apart / str(number)))

        def one(case: tuple[Corner, dict[str, Any], Path]) -> tuple[Fact, ...]:
            corner, mixed, place = case
            ended = today.carried_out(after, mixed, place, stop=stop)
            if ended.status != "done":
                said = " ".join(ended.message.split())[:200]
                raise _StoppedError(f"The case of {_mixed(corner, factors)} {ended.status}: {said}")
            held = (ended.stamp.get("data") or {}).get("fingerprint")
            if held != _mark(after if "data" in corner else before, "data", "fingerprint"):
                raise _StoppedError(f"The data of {_mixed(corner, factors)} moved while it was run")
            return ended.headline

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            futures = [pool.submit(one, case) for case in cases]
            try:
                facts = [future.result() for future in futures]
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
        for kept, name in read:
            _same_files(kept, name)
        return dict(zip(wanted, facts, strict=True))


class _StoppedError(RiskbenchError):
    """A mixed case that cannot be had."""


def _same_data(kept: Kept, name: str) -> None:
    """Refuse data that is not what it was.

    Raises
    ------
    RiskbenchError
        When it is gone, or something else.
    """
    which = "both runs" if name == "both" else f"the run {name}"
    try:
        now = today.data_of(kept)
    except RiskbenchError as error:
        raise _StoppedError(f"The data of {which} is not there any more: {error.what}") from None
    if now["fingerprint"] != _mark(kept, "data", "fingerprint"):
        raise _StoppedError(f"The data of {which} is not there any more: its source holds something else now")


def _same_files(kept: Kept, name: str) -> None:
    """Refuse files behind other parameters that hold something else now: a mixed case would read them.

    Raises
    ------
    RiskbenchError
        When one is gone, or something else.
    """
    which = "both runs" if name == "both" else f"the run {name}"
    moved = today.inputs_moved(kept)
    if moved:
        raise _StoppedError(f"What {listed([f'`{one}`' for one in moved])} held in {which} is not there any more")


def _book(kept: Kept, path: Path) -> str | None:
    """Write the book that a run has used to a file, and return its path; None where it used none.

    Raises
    ------
    RiskbenchError
        When its text was not kept, or is not what it was.
    """
    if not kept.mark("book") or kept.mark("book").get("path") is None:
        return None
    if kept.book is None or kept.book.source is None:
        raise _StoppedError(f"The text of the rule book of run {kept.id} was not kept, or was changed since")
    path.write_text(kept.book.source, encoding="utf-8")
    return str(path)
