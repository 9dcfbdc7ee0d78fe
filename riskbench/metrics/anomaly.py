"""When did a segment leave its own history? Observed against expected, hour by hour, at several lengths of window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Windows in hours, and the step in which each slides.
SCALES: tuple[tuple[int, int], ...] = ((1, 1), (6, 1), (24, 6), (72, 24), (168, 24))
#: The history that a window is compared with: so many days on either side of it.
REACH = 35
#: With a smaller excess, in events, nothing is called an incident.
FEWEST = 3.0
#: Windows whose like chance alone makes in fewer series than this are no part of the history.
_APART = 0.01
#: Lengths of windows that count as independent looks; found on generated series without change.
_LENGTHS = 1.0
#: Where a series' true chance of a false alarm is looked at, and at which of its windows.
_AT, _QUANTILES = 0.001, (0.3, 0.7, 0.95)
#: Of a squared standard normal number.
_UPPER_QUARTILE = 1.323
#: No window adds more than so many times its share to the spread.
_CAP = 25.0
#: Events by which an hour's or a weekday's share in the history is drawn to that of all.
_DRAWN = 40.0
#: With fewer events in a usual week its median says nothing.
_ENOUGH = 5.0
#: Degrees of freedom that the segments of a column lend each other for their spread.
_LENT = 30.0
_ROUNDS = 2
#: The windows by which the history is freed of what stands out.
_COARSE = ((6, 6), (24, 12), (168, 24))


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What a sweep of several series found.

    Attributes
    ----------
    p : ndarray of float64, shape (series,)
        The chance that a series without any change shows so strong a window somewhere; 1 where nothing stands out.
    series, start, stop : ndarray of int64, shape (windows,)
        The windows that stand out: whose they are, the first hour and the hour after the last.
    window_p : ndarray of float64, shape (windows,)
        The same chance for each of them.
    expected : ndarray of float64, shape (series, hours)
        What each series' own history leads to expect.
    spread : ndarray of float64, shape (series,)
        How many times more the series scatters than chance alone would, over a day.
    history : ndarray of float64, shape (series,)
        On how many units the expectation rests.
    tests : int
        How many windows were looked at.
    size : ndarray of float64, shape (series,), 0..1
        How much of a test each series is: the chance that it is a false alarm, over the p-value it would have.
    """

    p: Floats
    series: Ints
    start: Ints
    stop: Ints
    window_p: Floats
    expected: Floats
    spread: Floats
    history: Floats
    tests: int
    size: Floats


def sweep(
    observed: Floats,
    exposure: Floats,
    *,
    baseline: Mask | None = None,
    begin: int = 0,
    scales: tuple[tuple[int, int], ...] = SCALES,
    first_weekday: int = 0,
    jumps: Floats | None = None,
) -> Swept:
    """Return where series of hourly counts lie above what their own history leads to expect.

    Each window's expectation is the series' rate per exposure in the five weeks before and after it, without
    the window itself and without other windows that stand out, times the usual share of its hours and weekdays.
    Its chance comes from the negative binomial law whose spread is that of the series' own windows of the same
    length, held with the doubt about the expectation and about the spread itself. The chance is then that of the
    strongest of all overlapping windows of all lengths.

    Parameters
    ----------
    observed : ndarray of float64, shape (series, hours)
        Counts, or sums divided by their usual size, from the first hour of a day on; whole days.
    exposure : ndarray of float64, shape (series or 1, hours)
        What they are counted in: events for a rate, the total of all for a share.
    baseline : ndarray of bool, shape (hours,), optional
        Hours that may serve as history; by default all.
    begin : int
        The first hour that a window may start in.
    scales : tuple of (int, int)
        Lengths of windows and the step in which each slides, in hours.
    first_weekday : int, 0..6
        The weekday of the first day.
    jumps : ndarray of float64, shape (series,), optional
        How much more skewed than counts the series are: 1 for counts, for sums of money the sum of the third powers
        over that of the squares, by that of the squares over the sum.

    Source: Lund, Nettleton, McCarthy and Smyth (2012), quasi-likelihood with shared dispersion, SAGMB 11(5);
    Siegmund (1985), Sequential Analysis, for the largest of overlapping windows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hours = rng.poisson(2.0, (3, 60 * 24)).astype(float)
    >>> hours[1, 1000:1030] += rng.poisson(4.0, 30)
    >>> found = sweep(hours, np.full((1, 60 * 24), 9.0))
    >>> (found.p < 0.001).tolist()
    [False, True, False]
    """
    series, hours = observed.shape
    base = np.ones(hours, dtype=bool) if baseline is None else baseline
    scales = tuple(scale for scale in scales if scale[0] * 4 <= max(int(base.sum()), 24))
    whole = np.broadcast_to(exposure, observed.shape)
    kept = np.broadcast_to(base, observed.shape) & (whole > 0)
    model = _Model(observed, whole, kept, base, weekday=first_weekday, cap=9.0, least=1.0 if jumps is None else 0.4)
    for _ in range(_ROUNDS):
        apart = model.apart(jumps)
        model.refit(observed, whole, kept & ~apart, base)
        if not apart.any():
            break
    rows: list[tuple[Ints, Ints, Ints, Floats]] = []
    best, many = np.ones(series), 0
    looked: dict[int, tuple[Ints, int]] = {}
    for length, step in scales:
        starts = np.arange(0, hours - length + 1, step)
        starts = starts[starts >= begin]
        if not len(starts):
            continue
        many += len(starts) * series
        looked[length] = (starts, step)
        own, place, p = model.chances(length, starts, step, jumps)
        np.minimum.at(best, own, p)
        keep = p < 0.05
        rows.append((own[keep], starts[place[keep]], starts[place[keep]] + length, p[keep]))
    if not rows:
        nothing = np.zeros(0, dtype=np.int64)
        rows = [(nothing, nothing, nothing, np.zeros(0))]
    own, start, stop, p = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return Swept(
        best,
        own,
        start,
        stop,
        p,
        model.expected,
        model.spread(24)[0],
        model.resting.max(1),
        many,
        model.sizes(looked, jumps),
    )


def _of_all(p: Floats, freedom: Floats, many: int, slide: float) -> Floats:
    """Return the chance that the strongest of many overlapping windows does as much, the spread itself in doubt."""
    from scipy import special

    z = -special.ndtri(np.maximum(p, 1e-300))
    held = np.maximum(special.stdtr(freedom, -z), 1e-300)
    z = np.maximum(-special.ndtri(held), 0.0)
    joint = many * np.minimum(1.0, z**2 * slide * np.exp(-0.583 * z * np.sqrt(2 * slide)))
    return np.minimum(1.0, -np.expm1(-np.minimum(700.0, joint * held)) * _LENGTHS)


class _Model:
    """What the history of each series leads to expect, and how much it scatters."""

    def __init__(
        self,
        observed: Floats,
        exposure: Floats,
        kept: Mask,
        base: Mask,
        *,
        weekday: int = 0,
        cap: float = _CAP,
        least: float = 1.0,
    ) -> None:
        self.kept, self.cap, self.weekday, self.least = kept, cap, weekday, least
        self.days = observed.shape[1] // 24
        shape = (len(observed), self.days, 24)
        held = np.where(kept, observed, 0.0)
        out_of = np.where(kept, exposure, 0.0).reshape(shape)
        daily = held.reshape(shape)
        level = _usual(daily.sum(2), out_of.sum(2))
        place = (np.arange(self.days) + weekday) % 7
        plain = out_of * level[:, :, None]
        by_hour = _drawn(daily.sum(1), plain.sum(1))
        hold, meant = daily.sum(2), plain.sum(2)
        of_day = [place == day for day in range(7)]
        by_day = _drawn(*(np.stack([part[:, day].sum(1) for day in of_day], 1) for part in (hold, meant)))
        scale = by_hour[:, None, :] * by_day[:, place, None]
        self.low, self.high = _around(self.days, base)
        self.past_y, self.past_a = _ahead(hold), _ahead((out_of * scale).sum(2))
        level_y = self.past_y[:, self.high] - self.past_y[:, self.low]
        level_a = self.past_a[:, self.high] - self.past_a[:, self.low]
        rate = np.where(level_a > 0, (level_y + 0.5) / np.where(level_a > 0, level_a, 1.0), 0.0)
        if cap < _CAP:  # the mean of a history that may hold the incident misleads; its median does not
            rate = level
        self.resting = level_y + 0.5
        scaled = exposure.reshape(shape) * scale
        self.expected = (scaled * rate[:, :, None]).reshape(observed.shape)
        self.ahead_y, self.ahead_mu = _ahead(observed), _ahead(self.expected)
        self.ahead_a = _ahead(scaled.reshape(observed.shape))
        whole = bool(kept.all())
        self.ahead_kept_y = self.ahead_y if whole else _ahead(held)
        self.ahead_kept_a = self.ahead_a if whole else _ahead((out_of * scale).reshape(observed.shape))
        self._spread: dict[int, tuple[Floats, Floats]] = {}

    def refit(self, observed: Floats, exposure: Floats, kept: Mask, base: Mask) -> None:
        """Take other hours as the history, and trust the scatter of what is left."""
        changed = np.flatnonzero((kept != self.kept).any(1) | (self.cap < _CAP))
        self.cap = _CAP
        self._spread.clear()
        if not len(changed):
            return
        part = _Model(observed[changed], exposure[changed], kept[changed], base, weekday=self.weekday)
        if self.ahead_kept_y is self.ahead_y:
            self.ahead_kept_y, self.ahead_kept_a = self.ahead_y.copy(), self.ahead_a.copy()
        self.kept = kept
        for name in (
            "past_y", "past_a", "resting", "expected", "ahead_mu", "ahead_a", "ahead_kept_y", "ahead_kept_a",
        ):  # fmt: skip
            getattr(self, name)[changed] = getattr(part, name)

    def spread(self, length: int) -> tuple[Floats, Floats]:
        """Return how many times more than by chance windows of a length scatter, and the degrees of freedom."""
        if length not in self._spread:
            starts = np.arange(0, self.days * 24 - length + 1, length)
            share = _ahead(self.kept.astype(np.float64))
            used = _over(share, starts, length) >= 0.75 * length
            y, mu = _over(self.ahead_y, starts, length), _over(self.ahead_mu, starts, length)
            n = self.resting[:, np.minimum((starts + length // 2) // 24, self.days - 1)]
            self._spread[length] = _spread(
                y, mu, mu * (1.0 - np.minimum(0.5, mu / n)), used & (mu > 0), cap=self.cap, least=self.least
            )
        return self._spread[length]

    def windows(self, length: int, starts: Ints) -> tuple[Ints, Ints, Floats, Floats, Floats]:
        """Return the windows that hold enough: whose, which, what they hold, what is expected, and on how much.

        The window itself is no part of what it is compared with.
        """
        stops = starts + length
        y, mu = _over(self.ahead_y, starts, length), _over(self.ahead_mu, starts, length)
        own, place = np.nonzero((y > FEWEST) & (y - mu > 0.5 * FEWEST))
        usual = mu[own, place]
        begin, end = starts[place], stops[place]
        y = y[own, place]
        middle = np.minimum((begin + length // 2) // 24, self.days - 1)
        low, high = self.low[middle], self.high[middle]
        first = np.clip(begin, low * 24, high * 24)
        last = np.clip(end, first, high * 24)
        n = self.past_y[own, high] - self.past_y[own, low]
        n -= self.ahead_kept_y[own, last] - self.ahead_kept_y[own, first]
        n = np.maximum(n, 0.0) + 0.5
        past = self.past_a[own, high] - self.past_a[own, low]
        past -= self.ahead_kept_a[own, last] - self.ahead_kept_a[own, first]
        a = self.ahead_a[own, end] - self.ahead_a[own, begin]
        mu = usual if self.cap < _CAP else n / np.maximum(past, 1e-12) * a
        keep = (a > 0) & (past > a) & (y - mu > FEWEST)
        return own[keep], place[keep], y[keep], mu[keep], n[keep]

    def chances(self, length: int, starts: Ints, step: int, jumps: Floats | None) -> tuple[Ints, Ints, Floats]:
        """Return the windows of one length that stand out, and the chance that the strongest of all does as much."""
        own, place, y, mu, n = self.windows(length, starts)
        spread, freedom = self.spread(length)
        variance = spread[own] * (mu + mu**2 / n)
        keep = y - mu > 2.0 * np.sqrt(variance)
        own, place = own[keep], place[keep]
        p = tail(y[keep], mu[keep], variance[keep], None if jumps is None else jumps[own])
        return own, place, _of_all(p, freedom[own], len(starts), step / length)

    def sizes(self, starts: dict[int, tuple[Ints, int]], jumps: Floats | None) -> Floats:
        """Return each series' chance of a false alarm, over what it would be were every chance attainable.

        Small counts jump from one chance to the next, and a handful is never called an alarm: such a series can
        hardly be wrong, and is no full test among the others.
        """
        total = np.zeros(len(self.expected))
        for length, (begin, step) in starts.items():
            spread, freedom = self.spread(length)
            mu = _over(self.ahead_mu, begin, length)
            for part in _QUANTILES:
                mean = np.maximum(np.quantile(mu[:, :: max(1, mu.shape[1] // 200)], part, axis=1), 1e-9)
                variance = spread * (mean + mean**2 / np.maximum(self.resting.max(1), 1.0))
                low, high = np.floor(mean + FEWEST), np.ceil(mean + FEWEST + 40.0 * np.sqrt(variance) + 20.0)
                for _ in range(12):
                    middle = np.floor((low + high) / 2)
                    enough = _of_all(tail(middle, mean, variance, jumps), freedom, len(begin), step / length) <= _AT
                    low, high = np.where(enough, low, middle), np.where(enough, middle, high)
                p = tail(high, mean, variance, jumps)
                total += _of_all(p, np.full(len(p), 1e9), len(begin), step / length) / len(_QUANTILES)
        return np.minimum(1.0, total / _AT)

    def apart(self, jumps: Floats | None) -> Mask:
        """Return which hours lie in a window that stands out of the history."""
        out = np.zeros((len(self.expected), self.days * 24 + 1), dtype=np.int32)
        for length, step in _COARSE:
            starts = np.arange(0, self.days * 24 - length + 1, step)
            if not len(starts):
                continue
            own, place, p = self.chances(length, starts, step, jumps)
            own, place = own[p < _APART], place[p < _APART]
            np.add.at(out, (own, starts[place]), 1)
            np.add.at(out, (own, starts[place] + length), -1)
        return np.cumsum(out, axis=1)[:, :-1] > 0


def tail(y: Floats, mean: Floats, variance: Floats, jumps: Floats | None = None) -> Floats:
    """Return the chance of at least `y` under a mean and variance, half of the chance of `y` itself left out.

    Negative binomial where the variance is above the mean, else Poisson; `y` need not be whole. Sums of money have
    `jumps` above 1, how much more skewed than counts they are: then it is a shifted gamma law with the mean,
    variance and skewness of a sum of so many such amounts.

    >>> tail(np.array([3.0]), np.array([1.0]), np.array([1.0])).round(4).tolist()
    [0.0496]
    """
    from scipy import special

    held = np.maximum(np.asarray(y, dtype=np.float64), 1e-12)
    more = np.asarray(variance > mean * (1 + 1e-6), dtype=bool)
    money = np.zeros(len(held), dtype=bool) if jumps is None else np.asarray(jumps > 1 + 1e-6, dtype=bool)
    out = np.empty(len(held))
    few = ~more & ~money
    out[few] = (special.gammainc(held[few], mean[few]) + special.gammainc(held[few] + 1, mean[few])) / 2
    more &= ~money
    size = mean[more] ** 2 / (variance[more] - mean[more])
    part = 1.0 - mean[more] / variance[more]
    out[more] = (special.betainc(held[more], size, part) + special.betainc(held[more] + 1, size, part)) / 2
    if jumps is not None and money.any():
        mu, square = mean[money], np.maximum(variance[money], 1e-12)
        over = np.minimum(square / np.maximum(mu, 1e-12), 1e6)
        shape = 4.0 * square / (jumps[money] * np.maximum(2.0 * over - 1.0, 1.0)) ** 2
        out[money] = special.gammaincc(shape, np.maximum(shape + np.sqrt(shape / square) * (held[money] - mu), 0.0))
    return out


def excess(observed: Floats | float, expected: Floats | float, spread: Floats | float = 1.0) -> Floats:
    """Return how much better a higher rate explains what was observed: Kulldorff's likelihood ratio over the spread.

    Source: Kulldorff (1997), Communications in Statistics 26, 1481-1496.

    >>> round(float(excess(20.0, 10.0)), 3)
    3.863
    """
    y, mu = np.asarray(observed, dtype=np.float64), np.maximum(np.asarray(expected, dtype=np.float64), 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(y > mu, y * np.log(np.maximum(y, 1e-300) / mu) - (y - mu), 0.0)
    return ratio / spread


def located(observed: Floats, expected: Floats, low: int, high: int) -> tuple[int, int]:
    """Return the first hour and the hour after the last of the stretch that a higher rate explains best.

    Parameters
    ----------
    observed, expected : ndarray of float64, shape (hours,)
        One series and its expectation.
    low, high : int
        Where to look.

    >>> y = np.ones(100); y[40:52] = 9.0
    >>> located(y, np.ones(100), 20, 80)
    (40, 52)
    """
    y, mu = (np.concatenate(([0.0], np.cumsum(part[low:high]))) for part in (observed, expected))
    size = high - low
    step = max(1, -(-size // 300))
    begins, ends = np.arange(0, size, step), np.minimum(np.arange(0, size, step) + step, size)
    start, stop = _best(y, mu, begins, ends)
    for _ in range(2 if step > 1 else 0):
        near = np.arange(max(0, start - step), min(size, start + step) + 1)
        far = np.arange(max(1, stop - step), min(size, stop + step) + 1)
        start, stop = _best(y, mu, near, far)
    return low + start, low + stop


def _best(y: Floats, mu: Floats, begins: Ints, ends: Ints) -> tuple[int, int]:
    held = y[ends][None, :] - y[begins][:, None]
    meant = mu[ends][None, :] - mu[begins][:, None]
    score = np.where(ends[None, :] > begins[:, None], excess(held, meant), -1.0)
    row, column = np.unravel_index(int(np.argmax(score)), score.shape)
    return int(begins[row]), int(ends[column])


def _ahead(values: Floats) -> Floats:
    out = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def _over(ahead: Floats, starts: Ints, length: int) -> Floats:
    """Return the sums over windows of one length, from sums of all before each hour."""
    if not len(starts):
        return np.zeros((len(ahead), 0))
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    first, last = int(starts[0]), int(starts[-1]) + 1
    return ahead[:, first + length : last + length : step] - ahead[:, first:last:step]


def _around(days: int, base: Mask) -> tuple[Ints, Ints]:
    """Return the first day and the day after the last of each day's history: as long at the ends as in the middle."""
    held = np.flatnonzero(base.reshape(days, 24).any(1))
    first, last = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, days)
    low = np.clip(np.arange(days) - REACH, first, max(first, last - 2 * REACH - 1))
    return low, np.minimum(low + 2 * REACH + 1, last)


def _usual(y: Floats, a: Floats) -> Floats:
    """Return each day's usual rate: the median of the weeks around it, or the mean where weeks hold too little."""
    days = y.shape[1]
    block = 7 if days >= 28 else 1
    edges = np.arange(0, days, block)
    held, out_of = np.add.reduceat(y, edges, axis=1), np.add.reduceat(a, edges, axis=1)
    whole = a.sum(1)
    mean = np.where(whole > 0, y.sum(1) / np.where(whole > 0, whole, 1.0), 0.0)
    filled: Mask = np.greater(out_of, 0)
    rate = np.where(filled, held / np.where(filled, out_of, 1.0), np.nan)
    rate = np.where(filled.sum(1)[:, None] > 0, rate, mean[:, None])
    reach = max(1, REACH // block)
    low = np.clip(np.arange(len(edges)) - reach, 0, max(0, len(edges) - 2 * reach - 1))
    near = np.minimum(low[:, None] + np.arange(2 * reach + 1), len(edges) - 1)
    near = np.where(np.arange(2 * reach + 1) < len(edges), near, len(edges))
    around = np.sort(np.concatenate([rate, np.full((len(y), 1), np.nan)], axis=1)[:, near], axis=2)
    count = np.isfinite(around).sum(2)
    middle = [
        np.take_along_axis(around, np.maximum(at, 0)[:, :, None], 2)[:, :, 0] for at in ((count - 1) // 2, count // 2)
    ]
    level = np.where(count > 0, (middle[0] + middle[1]) / 2, mean[:, None])
    usual = np.median(held, axis=1)
    level = np.where((usual >= _ENOUGH)[:, None], level, mean[:, None])
    return np.repeat(level, block, axis=1)[:, :days]


def _drawn(y: Floats, mu: Floats) -> Floats:
    """Return how the parts of a day or week stand to the whole, drawn to 1 where they hold little."""
    part = (y + _DRAWN) / (mu + _DRAWN)
    whole = (mu + 1e-12).sum(1, keepdims=True)
    return part * whole / (part * (mu + 1e-12)).sum(1, keepdims=True)


def _spread(y: Floats, mu: Floats, chance: Floats, used: Mask, *, cap: float, least: float) -> tuple[Floats, Floats]:
    """Return each series' variance over that of chance, outliers held back, and its degrees of freedom."""
    chance = np.where(used, chance, 0.0)
    square = np.where(used, (y - mu) ** 2, 0.0)
    total = np.maximum(chance.sum(1), 1e-12)
    spread = np.maximum(square.sum(1) / total, 0.2)
    if cap < _CAP:  # not yet freed of what stands out: up to a quarter of the windows may be an incident
        dense = chance >= 1.0
        ratio = np.sort(np.where(dense, square / np.where(dense, chance, 1.0), np.inf), axis=1)
        count = dense.sum(1)
        upper = np.take_along_axis(ratio, np.minimum((0.75 * count).astype(np.int64), ratio.shape[1] - 1)[:, None], 1)
        spread = np.where(count >= 8, np.minimum(spread, upper[:, 0] / _UPPER_QUARTILE + 0.2), spread)
    for _ in range(8):
        capped = np.minimum(square, cap * spread[:, None] * np.maximum(chance, 1.0))
        spread = np.maximum(capped.sum(1) / total, 0.2)
    freedom = np.clip(total**2 / np.maximum((chance**2).sum(1), 1e-12) - 1.0, 0.0, 1e6)
    known = freedom >= 3
    lent = float(np.median(spread[known])) if known.any() else 1.5
    shared = (_LENT * max(lent, least) + freedom * spread) / (_LENT + freedom)
    return np.maximum(shared, least), _LENT + freedom
