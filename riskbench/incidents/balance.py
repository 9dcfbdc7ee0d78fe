"""What is accrued to whom, what is paid by which run, and what a hold before a run would freeze."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.engine.columns import HOUR
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.losses import Losses
from riskbench.incidents.scope import Scope

Ints = npt.NDArray[np.int64]

_PARTS = ("payee", "money", "runs")
#: So many runs may be given.
MOST_RUNS = 2_000
#: So many runs ahead are told, and so many payees of each; the other payees stand in one line.
AHEAD, PAYEES = 6, 50
#: The name of that line.
OTHERS = "(others)"
RUN_COLUMNS = "run run_local status hours events payees due paid_before frozen frozen_share".split()
PAYEE_COLUMNS = "run payee events due due_share".split()


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Who is paid what and when.

    Attributes
    ----------
    payee : str
        The column that names who is paid.
    money : str
        The column of what is paid.
    said : str
        What pages call that money.
    runs : ndarray of int64
        The moments of the runs, ascending, in microseconds since 1970, UTC.
    """

    payee: str
    money: str
    said: str
    runs: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Balances:
    """What runs pay, and what holds before them would freeze; sums in minor units.

    Attributes
    ----------
    due, events : ndarray of int64, shape (runs + 1,)
        What is accrued for each run, and from how many events; last, after all runs given.
    before, frozen : ndarray of int64, shape (runs,)
        What the runs before each pay, and what a hold before it would freeze: the two add up to all.
    total : int
        All that is accrued.
    """

    due: Ints
    events: Ints
    before: Ints
    frozen: Ints
    total: int


def schedule(dataset: Dataset, payouts: Mapping[str, Any]) -> Schedule:
    """Return who is paid what and when, checked.

    Raises
    ------
    ParameterError
        When a part is missing or unknown, or a run is no moment.
    ColumnNotFoundError
        When the payee or the money is no column.
    """
    if not isinstance(payouts, Mapping):
        raise ParameterError("The payouts are a mapping", got=type(payouts).__name__, allowed=listed(_PARTS))
    for name in payouts:
        if name not in _PARTS:
            close = nearest(str(name), _PARTS)
            raise ParameterError(
                f"Payouts have no part {str(name)[:40]!r}",
                allowed=listed(_PARTS),
                hint=f"did you mean {close!r}?" if close else None,
            )
    missing = [name for name in _PARTS if payouts.get(name) is None]
    if missing:
        raise ParameterError(
            f"The payouts lack {listed(missing)}",
            got=listed(map(str, payouts)),
            allowed="payee (a column), money (a measure or column), runs (ISO moments)",
        )
    for name in ("payee", "money"):
        if not isinstance(payouts[name], str):
            raise ParameterError(f"The payouts' {name!r} is a column's name", got=repr(payouts[name])[:80])
    runs = payouts["runs"]
    if isinstance(runs, str) or not isinstance(runs, Sequence) or not 1 <= len(runs) <= MOST_RUNS:
        raise ParameterError(
            "The payout runs are a list of moments",
            got=repr(runs)[:80],
            allowed=f"1 to {MOST_RUNS:,} of ISO text: 2026-11-11T02:20:00Z",
        )
    said = payouts["money"]
    money = dataset.resolve(dataset.roles.measures.get(said, said))
    return Schedule(
        dataset.resolve(payouts["payee"]), money, said, np.unique(np.array([micros(run) for run in runs], np.int64))
    )


def paid_by(accrued: Ints, runs: Ints) -> Ints:
    """Return the place of the run that pays each event: the first at or after it; the number of runs past the last.

    >>> paid_by(np.array([1, 5, 6, 11]), np.array([5, 10])).tolist()
    [0, 0, 1, 2]
    """
    return np.searchsorted(runs, accrued, side="left").astype(np.int64)


def balances(run: Ints, money: Ints, runs: int) -> Balances:
    """Return what is due at each run, what is paid before it, and what a hold before it would freeze.

    Parameters
    ----------
    run : ndarray of int64
        The place of the run that pays each event.
    money : ndarray of int64
        What is accrued with each event, minor units.
    runs : int
        The number of runs.

    Examples
    --------
    >>> held = balances(np.array([0, 0, 1, 2]), np.array([10, 5, 7, 3]), 2)
    >>> held.due.tolist(), held.before.tolist(), held.frozen.tolist(), held.total
    ([15, 7, 3], [0, 15], [25, 10], 25)
    """
    due = summed(run, money, runs + 1)
    before = np.concatenate([[0], np.cumsum(due)])[:runs].astype(np.int64)
    total = int(due.sum())
    return Balances(due, np.bincount(run, minlength=runs + 1).astype(np.int64), before, total - before, total)


def summed(code: Ints, money: Ints, size: int) -> Ints:
    """Return the exact sum of money of each code.

    >>> summed(np.array([1, 0, 1]), np.array([2**60, 3, 1]), 3).tolist()
    [3, 1152921504606846977, 0]
    """
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, code, money)
    return found


def due_table(
    scope: Scope, held: Losses, plan: Schedule
) -> tuple[Balances, pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return what each run pays of the suspected events, to whom, and what a hold before it freezes."""
    codes, names = scope.dataset.segment(plan.payee)
    named = scope.dataset.column(plan.payee).present[held.rows]
    earned = named & (held.lost | held.open)
    rows = held.rows[earned]
    run = paid_by(scope.times[rows], plan.runs)
    money = scope.dataset.minor(plan.money)[rows]
    sums, scale = balances(run, money, len(plan.runs)), scope.dataset.currency.scale
    ahead = np.flatnonzero(plan.runs > scope.asof)
    first = int(run.min(initial=len(plan.runs)))
    told = [place for place in range(len(plan.runs)) if place >= first or plan.runs[place] > scope.asof]
    told = [place for place in told if plan.runs[place] <= scope.asof or place in ahead[:AHEAD]]
    run_rows, payee_rows = [], []
    for place in told:
        mine = run == place
        at = int(plan.runs[place])
        status = "paid" if at <= scope.asof else "next" if place == ahead[0] else "later"
        distinct, code = np.unique(codes[rows[mine]], return_inverse=True)
        due = summed(code.astype(np.int64), money[mine], len(distinct))
        count = np.bincount(code, minlength=len(distinct)).astype(np.int64)
        moment, local = pd.Timestamp(at, unit="us"), local_moment(at, scope.dataset.time_zone)
        share = sums.frozen[place] / sums.total if sums.total else None
        run_rows.append(
            (moment, f"{local:%Y-%m-%d %H:%M}", status, (at - scope.asof) / HOUR, int(mine.sum()), len(distinct),
             sums.due[place] / scale, sums.before[place] / scale, sums.frozen[place] / scale, share)
        )  # fmt: skip
        payee_rows += _largest(moment, names, codes=distinct, due=due, count=count, scale=scale)
    notes = [
        (
            f"A payee's balance is the {plan.said} of suspected events not stopped and not told good, accrued at "
            f"their time; a run pays what is accrued up to it. Frozen is what no earlier run pays, if all are held."
        )
    ]
    nobody = int((~named & (held.lost | held.open)).sum())
    if nobody:
        notes.append(f"{nobody:,} suspected events name no {plan.payee} and are in no balance.")
    if not len(ahead):
        notes.append("No payout run given lies ahead: when what is unpaid would be paid is not known.")
    elif sums.due[-1]:
        notes.append("Some of it is accrued after the last run given; it counts as not paid.")
    frame = pd.DataFrame(run_rows, columns=RUN_COLUMNS).astype({"frozen_share": "Float64"})
    return sums, frame, pd.DataFrame(payee_rows, columns=PAYEE_COLUMNS).astype({"due_share": "Float64"}), tuple(notes)


def _largest(
    moment: pd.Timestamp, names: tuple[str, ...], *, codes: Ints, due: Ints, count: Ints, scale: int
) -> list[tuple[object, ...]]:
    """Return the payees of a run, the largest first; those past a number as one line."""
    order = np.argsort(-due, kind="stable")  # codes are in the order of the names
    total = int(due.sum())

    def row(name: str, events: int, money: int) -> tuple[object, ...]:
        return (moment, name, events, money / scale, money / total if total else None)

    rows = [row(names[int(codes[at])], int(count[at]), int(due[at])) for at in order[:PAYEES]]
    rest = order[PAYEES:]
    if len(rest):
        rows.append(row(OTHERS, int(count[rest].sum()), int(due[rest].sum())))
    return rows


def local_moment(moment: int, zone: str) -> pd.Timestamp:
    """Return a moment on the wall clock of a zone."""
    return pd.Timestamp(moment, unit="us", tz="UTC").tz_convert(zone)
