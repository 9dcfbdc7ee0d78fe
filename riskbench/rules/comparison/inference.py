"""How much of the difference of two books is inference? Counted, estimated, bounded; by why flips have no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, GOOD, STATES, YOUNG
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity import Matured
from riskbench.metrics.money import Parts, money_reach
from riskbench.metrics.selection import FEWEST_DRAWN, weighted_total
from riskbench.rules.comparison.differences import Pair, changes, measured
from riskbench.rules.moves import parts_of
from riskbench.rules.signature import KINDS

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Ends = tuple[float, float, float]

COUNTED, ESTIMATED, BOUNDED = "counted", "estimated", "bounded"
WAYS = (COUNTED, ESTIMATED, BOUNDED)
PASSED, STOPPED, OTHER = "newly let pass", "newly stopped", "other"
DIRECTIONS = (PASSED, STOPPED, OTHER)
#: With fewer flips that were let through at random, they stand for none that history stopped.
FEWEST = FEWEST_DRAWN


@dataclass(frozen=True, slots=True)
class Inference:
    """What the difference in net value rests on.

    Attributes
    ----------
    flips : DataFrame
        direction, label, events, value (major units), net_value (counted; of those with a verdict).
    ways : DataFrame
        way, net_value, net_value_lower, net_value_upper, n, inferred_share, why.
    told : str
        Which of the ways is the answer.
    share : float, 0..1
        How much of the answer's money is inference.
    blocked, stands, dark, young, late, covered : int
        Flips that history stopped; those let through at random that stand for some; stopped ones for which none
        stands; flips too young for anything to be told; known frauds that stand for later ones; and flips with a
        verdict or for which others stand.
    net : tuple of three floats
        The answer with its interval; NaN where it is not measurable.
    until : Timestamp or None
        From when on events are too young.
    """

    flips: pd.DataFrame
    ways: pd.DataFrame
    told: str
    share: float
    blocked: int
    stands: int
    dark: int
    young: int
    late: int
    covered: int
    net: Ends
    until: pd.Timestamp | None


def inference(pair: Pair) -> Inference:
    """Return what the difference in net value of two books rests on."""
    held, rows = pair.new, pair.rows
    state = held.labels.state[rows]
    row = changes(pair).iloc[0]
    counted = (float(row["difference"]), float(row["lower"]), float(row["upper"]))
    nothing = (np.nan, np.nan, np.nan)
    labelled = int((state <= FRAUD).sum())
    lines = [(COUNTED, *counted, labelled, 0.0, "" if measured(pair) else "no event has a verdict")]
    if not measured(pair) or not len(rows):
        why = "no event flips" if not len(rows) else "no verdict, or no amount"
        lines += [(way, *(counted if not len(rows) else nothing), 0, 0.0, why) for way in WAYS[1:]]
        ways = _ways(lines)
        blocked = int((state == BLOCKED).sum())
        return Inference(flip_table(pair), ways, COUNTED, 0.0, blocked, 0, blocked, 0, 0, labelled, counted, None)
    told = _Told.of(pair)
    value, n, share, why = told.estimate(counted)
    lines.append((ESTIMATED, *value, n, share, why))
    low, high = told.outside(~told.known)
    lines.append((BOUNDED, *_between(counted, low, high), int((~told.known).sum()), 0.0, told.blind))
    estimated = bool(np.isfinite(value[0])) and (share > 0 or bool(told.stands.any()))
    base = value if estimated else counted
    way = ESTIMATED if estimated else COUNTED
    dark = told.dark
    net = base
    if dark.any():
        way, net = BOUNDED, _between(base, *told.outside(dark))
    covered = told.known | told.reached | (told.open & (state == YOUNG))
    return Inference(
        flip_table(pair),
        _ways(lines),
        way,
        share if estimated else 0.0,
        int((state == BLOCKED).sum()),
        int(told.stands.sum()),
        int(dark.sum()),
        int(told.young.sum()),
        int((told.late > 1).sum()),
        int(covered.sum()),
        net,
        told.until,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """The flips, with what each would be worth as fraud and as a good event; all arrays are of the flips."""

    pair: Pair
    as_fraud: Floats
    as_good: Floats
    at_most: Floats
    kinds: npt.NDArray[np.int8]
    known: Mask
    open: Mask
    young: Mask
    late: Floats
    fellows: Mask
    chance: Floats
    stands: Mask
    reached: Mask
    dark: Mask
    error: tuple[float, float]
    blind: str
    until: pd.Timestamp | None

    @classmethod
    def of(cls, pair: Pair) -> _Told:
        held, rows = pair.new, pair.rows
        first, last, worth = pair.was[rows], pair.now[rows], held.worth
        slope, work = pair.price.slope, pair.price.handling[last] - pair.price.handling[first]
        kinds, state = held.kinds[rows], held.labels.state[rows]
        known = kinds < KINDS - 1
        loss, most, blind = worth.loss[rows].astype(np.float64), worth.loss[rows].astype(np.float64), ""
        if worth.loss_measured:
            # A measured loss is that of a confirmed fraud; of others only the amount is known.
            frauds = held.labels.state == FRAUD
            whole = float(worth.value[frauds].sum())
            usual = float(worth.loss[frauds].sum()) / whole if whole > 0 else 0.0
            loss = np.where(kinds == FRAUD, loss, worth.value[rows] * usual)
            most = np.where(kinds == FRAUD, loss, np.maximum(worth.value[rows], loss))
            blind = "" if whole > 0 else "what a fraud loses is measured of none"
        step = slope[FRAUD, last] - slope[FRAUD, first]
        as_fraud, at_most = step * loss - work, step * most - work
        as_good = (slope[GOOD, last] - slope[GOOD, first]) * worth.margin[rows] - work
        maturing = pair.maturing
        found, chances = maturing.matured, maturing.inclusion
        open_ = maturing.due[rows] & found.measurable[rows]
        late = np.where(kinds == FRAUD, found.weight[rows], 1.0)
        blocked = state == BLOCKED
        drawn = chances.drawn[rows] & open_
        chance = np.where(chances.known, chances.chance[rows], np.where(blocked, 0.0, 1.0))
        enough = bool(int(drawn.sum()) >= FEWEST)
        reached = blocked & (chance > 0) & enough
        values = np.zeros(len(held.labels.state))
        values[rows] = as_fraud - as_good
        error = (0.0, 0.0)
        if bool((late > 1).any()):
            error = _late(found, values, _mask(rows[open_], len(values)))
        return cls(
            pair=pair,
            as_fraud=as_fraud,
            as_good=as_good,
            at_most=at_most,
            kinds=kinds,
            known=known,
            open=open_,
            young=~open_ & maturing.due[rows],
            late=late,
            fellows=~maturing.mute[rows],
            chance=chance,
            stands=drawn & enough & bool((blocked & (chance > 0)).any()),
            reached=reached,
            dark=blocked & ~reached,
            error=error,
            blind=blind,
            until=found.until,
        )

    def estimate(self, counted: Ends) -> tuple[Ends, int, float, str]:
        """Return the difference with what is told late and what was stopped: ends, flips it rests on, share, why."""
        fraud = self.kinds == FRAUD
        used = self.open & (self.known | (self.late > 0))
        if not bool((used & self.known).any()):
            why = "no flip is old enough" if self.until is not None else "no flip has a verdict"
            return (np.nan, np.nan, np.nan), 0, 0.0, why
        plain = bool((used == self.known).all()) and not self.reached.any() and bool((self.late[self.known] == 1).all())
        if plain:
            return counted, int(used.sum()), 0.0, "nothing is told late, and none stands for a stopped one"
        size = self.as_fraud - np.where(self.fellows, self.as_good, 0.0)
        picked = used | self.reached
        # What a good event is worth is known of each; the frauds are what has to be told.
        base = np.where(fraud & ~self.fellows, 0.0, self.as_good)
        total = float(base[picked].sum())
        weight = np.where(fraud & used, self.late, 1.0)
        chance = np.where(self.stands | self.reached, self.chance, 1.0)
        down = up = 0.0
        if self.reached.any():
            found = weighted_total(
                np.where(fraud & used, size, 0.0)[picked],
                used[picked],
                chance[picked],
                weight=weight[picked],
                size=size[picked],
            )
            if found.value is None or found.lower is None or found.upper is None:
                return (np.nan, np.nan, np.nan), found.n, 0.0, found.why
            total += found.value
            down, up = found.value - found.lower, found.upper - found.value
        else:
            total += float((size * weight)[fraud & used].sum())
        weights = np.where(self.stands, 1.0 / np.maximum(self.chance, 1e-9), 1.0) * weight
        below, above = self._chance_of(used, weights)
        less, more = self.error
        ends = (
            total - float(np.sqrt(below**2 + down**2 + less**2)),
            total + float(np.sqrt(above**2 + up**2 + more**2)),
        )
        own = np.abs(np.where(fraud, self.as_fraud, self.as_good))
        seen = float(own[used & self.known].sum())
        inferred = float((own * (weights - 1))[used & self.known].sum()) + float(own[used & ~self.known].sum())
        return (total, *ends), int((used & self.known).sum()), inferred / max(seen + inferred, 1e-300), ""

    def _chance_of(self, used: Mask, weights: Floats) -> tuple[float, float]:
        """Return how far the sum reaches by the chance with which such events come, each standing for its weight."""
        held = parts_of(self.pair.moves, self.pair.price, self.pair.usual)
        value = np.where(self.kinds == FRAUD, self.as_fraud, self.as_good)
        scaled = []
        for power in (0, 1, 2):
            ratio = np.ones(KINDS)
            for kind in (GOOD, FRAUD):
                own = self.kinds == kind
                part = np.abs(value[own]) ** power
                whole = float(part.sum())
                if whole > 0:
                    ratio[kind] = float((part * weights[own] * used[own]).sum()) / whole
            scaled.append(np.tile(ratio, 2))
        parts = replace(
            held, count=held.count * scaled[0], size=held.size * scaled[1], squares=held.squares * scaled[2]
        )
        down, up = money_reach(parts, together=self.pair.together.all)
        return float(down[0]), float(up[0])

    def outside(self, rows: Mask) -> tuple[Ends, Ends]:
        """Return what some flips without a verdict add at worst and at best, each with how far chance reaches."""
        found = []
        for pick in (np.minimum, np.maximum):
            value = pick(pick(self.as_fraud, self.at_most), self.as_good)[rows]
            if self.blind:
                value = np.full(len(value), np.nan)
            down, up = (float(end) for end in money_reach(Parts.alone(value))) if not self.blind else (0.0, 0.0)
            found.append((float(value.sum()), down, up))
        return found[0], found[1]


def _between(base: Ends, worst: Ends, best: Ends) -> Ends:
    """Return a value with the ends between which it lies whatever the flips without a verdict are."""
    value, lower, upper = base
    return (
        value,
        value + worst[0] - float(np.hypot(value - lower, worst[1])),
        value + best[0] + float(np.hypot(upper - value, best[2])),
    )


def flip_table(pair: Pair) -> pd.DataFrame:
    """Return the flips by direction and by what is known of them: direction, label, events, value, net_value."""
    held, rows = pair.new, pair.rows
    stop = pair.marks("stop")
    was, now = stop[pair.was[rows]], stop[pair.now[rows]]
    direction = np.where(was & ~now, 0, np.where(~was & now, 1, 2))
    state = held.labels.state[rows].astype(np.int64)
    size = len(STATES)
    codes = direction * size + state
    events = np.bincount(codes, minlength=3 * size)
    value = np.bincount(codes, weights=held.worth.value[rows], minlength=3 * size) / held.scale
    gain = pair.price.gain(
        held.kinds[rows],
        held.stake[rows],
        before=pair.was[rows],  # type: ignore[arg-type]
        after=pair.now[rows],  # type: ignore[arg-type]
    )
    net = np.bincount(codes, weights=gain, minlength=3 * size)
    net = np.where(np.tile(np.arange(size), 3) <= FRAUD, net if held.worth.money else np.nan, np.nan)
    frame = pd.DataFrame(
        {
            "direction": np.repeat(DIRECTIONS, size),
            "label": np.tile(STATES, 3),
            "events": events,
            "value": value,
            "net_value": net,
        }
    )
    return frame[frame["events"] > 0].reset_index(drop=True)


def _late(found: Matured, values: Floats, rows: Mask) -> tuple[float, float]:
    """Return how far what is told later may lie below and above what the known frauds stand for."""
    known = values[rows & found.known]
    sign = -1.0 if len(known) and bool((known < 0).all()) else 1.0
    told = found.total(values * sign, rows=rows)
    if told.value is None or told.lower is None or told.upper is None:
        return 0.0, 0.0
    # The curve's error has no side: where the verdicts to come are few, only its upper end may be told.
    even = Z95 * found.deviation(values * sign, rows=rows)
    down, up = max(told.value - told.lower, even), max(told.upper - told.value, even)
    return (down, up) if sign > 0 else (up, down)


def _mask(rows: npt.NDArray[np.intp], size: int) -> Mask:
    out = np.zeros(size, dtype=bool)
    out[rows] = True
    return out


def _ways(lines: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    names = ["way", "net_value", "net_value_lower", "net_value_upper", "n", "inferred_share", "why"]
    return pd.DataFrame(lines, columns=names)
