"""How sure is a sum of money of which a few large events decide? One interval for every page and verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]

#: The heavier the tail, the less a few events tell of their own spread: so many events of the usual kind, times the
#: mean square over the squared mean, stand beside them; by the study in `benchmarks/books.py`.
_BESIDE = 5.0
#: So many set the level to which the usual spread is scaled; few, since flips may be larger or smaller than usual.
_LEVEL = 3.0
#: Jumps of one size are too even: the ends are taken from jumps larger by this power of the tail, more so on the side
#: on which rare large events lie, since they are missing more often than they are met.
_TOWARDS, _AWAY = 0.25, 0.15
#: So many weeks as chance alone would make them stand beside those seen.
_CHANCE_WEEKS = 1.0
#: Weeks that hold so many events of equal size tell by half how weeks differ.
_TELLING = 0.5
#: Fewer whole weeks than this say nothing about how weeks differ.
FEWEST_WEEKS = 4
#: What is left out by a 95 % interval.
_LEVEL_OF_95 = 0.05
#: The mid-p allowance for the event that was not seen.
_UNSEEN = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Sums over events that come by chance, in parts of one kind and one sign, with what is usual for the kind.

    Attributes
    ----------
    count : ndarray of float64, shape (..., parts)
        How many events.
    size : ndarray of float64
        The sum of their sizes: what each moves, without sign, not netted against its handling.
    squares : ndarray of float64
        The sum of the squares of what each moves.
    usual_size, usual_square : ndarray of float64
        The mean size and the mean square of all events of the kind, moved alike; 0 where there is none.
    sign : ndarray of float64
        +1 where an event more adds, -1 where it takes away.
    """

    count: Floats
    size: Floats
    squares: Floats
    usual_size: Floats
    usual_square: Floats
    sign: Floats

    @classmethod
    def alone(
        cls,
        values: npt.ArrayLike,
        kinds: npt.ArrayLike | None = None,
        *,
        usual: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> Parts:
        """Return the parts of single events, by kind and sign.

        Parameters
        ----------
        values : array of float, shape (events,)
            What each event moves.
        kinds : array of int, optional
            The kind of each.
        usual : (values, kinds), optional
            All events of the data, moved alike; without it nothing but the events themselves tells what is usual.
        """
        value = np.asarray(values, dtype=np.float64)
        kind = np.zeros(len(value), dtype=np.int64) if kinds is None else np.asarray(kinds, dtype=np.int64)
        every, of_all = (value, kind) if usual is None else (np.asarray(usual[0], float), np.asarray(usual[1], int))
        width = 2 * (max(int(kind.max(initial=0)), int(of_all.max(initial=0))) + 1)
        count, size, squares = _by_part(value, kind, width)
        n, usually, square = _by_part(every, of_all, width)
        n = np.maximum(n, 1.0)
        sign = np.where(np.arange(width) % 2 == 0, 1.0, -1.0)
        return cls(count, size, squares, usually / n, square / n, sign)


def _by_part(value: Floats, kind: npt.NDArray[np.integer], width: int) -> tuple[Floats, Floats, Floats]:
    """Return the count, size and squares of each kind's events that add, and of those that take away."""
    code = 2 * kind.astype(np.int64) + (value < 0)
    weights = (np.ones(len(value)), np.abs(value), value**2)
    return tuple(np.bincount(code, weights=part, minlength=width) for part in weights)  # type: ignore[return-value]


def money_reach(parts: Parts, *, together: npt.ArrayLike = 1.0) -> tuple[Floats, Floats]:
    """Return how far below and above a sum of money its 95 % interval reaches.

    Use it wherever a sum over few events, large ones among them, is told with an interval: the plain sum of squares
    is then too small, since the rare large events are mostly not among the few. Each part is read as so many equal
    jumps as give its spread; the spread of few events is drawn towards what is usual for their kind, the more the
    heavier the kind's tail, and the heavier it is the fewer and larger are the jumps. The ends of the parts are joined
    as independent distances, so the interval is wider on the side on which rare large events lie.

    Parameters
    ----------
    parts : Parts
        The sums, parts last.
    together : array of float, 1 or more
        How many times the variance grows because events come together; a number, or one a group and part.

    Source: Fay and Feuer (1997), Confidence intervals for directly standardized rates: a method based on the gamma
    distribution, Statistics in Medicine 16, 791-801; Zou and Donner (2008), Construction of confidence limits about
    effect measures: a general approach, Statistics in Medicine 27, 1693-1702, for joining the parts.

    >>> frauds = Parts.alone([120.0, 80.0, 400.0, 60.0])
    >>> [round(float(end)) for end in money_reach(frauds)]
    [535, 1315]
    """
    from scipy.special import gammaincinv

    count, held, squares = parts.count, parts.size, parts.squares
    tail = np.divide(
        parts.usual_square, parts.usual_size**2, out=np.zeros_like(parts.usual_square), where=parts.usual_size > 0
    )
    known = (parts.usual_square > 0) & (parts.usual_size > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = (held + _LEVEL * tail * parts.usual_size) / ((count + _LEVEL * tail) * parts.usual_size)
        beside = _BESIDE * tail
        square = (squares + beside * parts.usual_square * level**2) / (count + beside)
        mean = (held + beside * parts.usual_size * level) / (count + beside)
        even = np.where(known & (mean > 0), np.asarray(together, dtype=np.float64) * square / mean, 0.0)
        uneven = np.where(even > 0, np.maximum(square / mean**2, 1.0), 1.0)
    towards, away = (even * uneven**power for power in (_TOWARDS, _AWAY))
    up_jumps, down_jumps = (
        np.divide(held * even, jump**2, out=np.zeros_like(jump), where=jump > 0) for jump in (towards, away)
    )
    low = np.where(down_jumps > 0, gammaincinv(np.maximum(down_jumps, 1e-12), 0.025), 0.0)
    less = away * (down_jumps - low)
    more = towards * (gammaincinv(up_jumps + _UNSEEN, 0.975) - up_jumps)
    adds = parts.sign > 0
    down, up = np.where(adds, less, more), np.where(adds, more, less)
    return tuple(np.sqrt((reach**2).sum(axis=-1)) for reach in (down, up))


def money_interval(total: npt.ArrayLike, parts: Parts, *, together: npt.ArrayLike = 1.0) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a sum of money; both ends are the sum where no event is in it.

    Parameters
    ----------
    total : array of float, shape (...)
        The sums.
    parts : Parts
        What they are made of.
    together : array of float, 1 or more
        As `money_reach` takes it.
    """
    down, up = money_reach(parts, together=together)
    own = np.asarray(total, dtype=np.float64)
    return own - down, own + up


def money_chance(total: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> Floats:
    """Return the p-value that belongs to a 95 % interval: at most 0.05 where, and only where, it leaves 0 out.

    Parameters
    ----------
    total, lower, upper : array of float
        A sum with the ends of its interval; 1 where it has no width.

    >>> [round(float(p), 3) for p in money_chance([10.0, 10.0, -3.0], [-1.0, 5.0, -9.0], [30.0, 20.0, 0.0])]
    [0.075, 0.0, 0.05]
    """
    from scipy.special import ndtr

    own, low, high = (np.asarray(part, dtype=np.float64) for part in (total, lower, upper))
    reach = np.where(own > 0, own - low, high - own)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = Z95 * np.abs(own) / reach
    p = np.where(reach > 0, np.nan_to_num(2 * ndtr(-z), nan=1.0), 1.0)
    outside = (low > 0) | (high < 0)
    return np.where(outside, np.minimum(p, _LEVEL_OF_95), np.maximum(p, np.nextafter(_LEVEL_OF_95, 1.0)))


def clumping(
    values: npt.ArrayLike, entity: npt.NDArray[np.integer], *, named: npt.NDArray[np.integer] | None = None
) -> float:
    """Return how many times the variance of a sum grows because events of one entity come together; 1 at least.

    Parameters
    ----------
    values : array of float, shape (events,)
        What each event moves.
    entity : ndarray of int, shape (events,)
        Whose it is; below 0 where nobody is known, then it counts alone.
    named : ndarray of int, optional
        Which of those that are named beforehand it belongs to, below 0 where to none. Whoever is named is not drawn:
        only what ties the events of different ones together, or of nobody named, counts.

    >>> clumping([5.0, 5.0, 5.0, 5.0], np.array([0, 0, 1, 1])), clumping([5.0, 5.0], np.array([-1, -1]))
    (2.0, 1.0)
    """
    value = np.asarray(values, dtype=np.float64)
    alone = float((value**2).sum())
    if alone <= 0:
        return 1.0
    known = entity >= 0
    sums = np.bincount(entity[known], weights=value[known]) if known.any() else np.zeros(1)
    tied = float((sums**2).sum()) + float((value[~known] ** 2).sum())
    if named is not None and bool((own := known & (named >= 0)).any()):
        width = int(named.max()) + 1
        pairs = np.unique(entity[own].astype(np.int64) * width + named[own], return_inverse=True)[1]
        apart = np.bincount(pairs, weights=value[own])
        tied += float((value[own] ** 2).sum()) - float((apart**2).sum())
    return max(1.0, tied / alone)


def weekly_clumping(
    values: npt.ArrayLike, week: npt.NDArray[np.integer], *, weeks: int, together: float = 1.0
) -> float:
    """Return how many times the variance of a sum grows because weeks differ; never less than `together`.

    Use it where a sum over some weeks is to tell what such weeks bring. How far the sums of whole weeks lie apart is
    set against what chance alone makes of them. Few weeks, and weeks that hold few events, tell little of it: chance
    stands beside them, and what is beyond it is widened as Student's t does.

    Parameters
    ----------
    values : array of float, shape (events,)
        What each event moves.
    week : ndarray of int, shape (events,)
        The whole week of each; below 0 outside of these.
    weeks : int
        How many whole weeks there are, those without an event too; fewer than four say nothing.
    together : float, 1 or more
        How many times the variance grows because events of one entity come together.

    Source: the sandwich variance with weeks as clusters, as in Liang and Zeger (1986), Biometrika 73, 13-22.

    >>> week = np.repeat(np.arange(6), 50)
    >>> even, apart = np.ones(300), np.where(week % 2 == 0, 1.8, 0.2)
    >>> weekly_clumping(even, week, weeks=6), round(weekly_clumping(apart, week, weeks=6), 1)
    (1.0, 29.6)
    """
    from scipy.special import stdtrit

    value = np.asarray(values, dtype=np.float64)[week >= 0]
    alone = float((value**2).sum())
    if weeks < FEWEST_WEEKS or alone <= 0:
        return together
    sums = np.bincount(week[week >= 0], weights=value, minlength=weeks)
    apart = float(((sums - sums.mean()) ** 2).sum()) * weeks / (weeks - 1) / alone
    freedom = weeks - 1 + _CHANCE_WEEKS
    mixed = ((weeks - 1) * apart + _CHANCE_WEEKS * together) / freedom
    even = float(np.abs(value).sum()) ** 2 / alone / weeks
    told = even / (even + _TELLING)
    student = (float(stdtrit(freedom, 0.975)) / Z95) ** 2
    return together + told * student * max(0.0, mixed - together)
