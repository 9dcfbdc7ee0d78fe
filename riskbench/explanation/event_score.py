"""Why has this one event its score? From the reference's mean, feature by feature, to the score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, chart, number, result
from riskbench.display.mask import masked
from riskbench.errors import ParameterError
from riskbench.explanation.reasons import norm_of, value_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.explanation.explanation import Explanation

#: So many features have a bar of their own; the others share one.
BARS = 12
_NAME = 34


@result
class EventScore(Result):
    """What each feature added to one event's score: base and contributions together are the score.

    Attributes
    ----------
    row : int
        The event's position among those explained.
    event : str
        What it is called; pages mask it.
    base, score : float
        The reference's mean score and the event's, on `scale`.
    scale : {"log-odds", "probability", "margin"}
        What the contributions are shares of.
    probability : float or None
        The score as a probability; None for a margin that has none.
    higher : float
        The share of the other explained events with a lower score.
    contributions : DataFrame
        One row a feature, the largest first: feature, value, norm (the reference's usual value), contribution,
        mean_others (the mean contribution in the other explained events), above_share (the share of them in which
        it adds less).
    neighbours : DataFrame
        The events that score for the most similar reasons: row, event (the full id), score, distance (between
        contributions, on `scale`).
    reference : str
        Whom the event is compared with.
    """

    kind: ClassVar[str] = "event_score"
    title: ClassVar[str] = "Why this score?"
    main: ClassVar[str] = "contributions"
    repr_rows: ClassVar[int] = BARS
    repr_tables: ClassVar[tuple[str, ...]] = ("neighbours",)
    next_step: ClassVar[str] = '.frame("reasons") tells how firm each reason is; .frame("neighbours") has the full ids'

    row: int
    event: str
    base: float
    score: float
    scale: str
    probability: float | None
    higher: float | None
    contributions: pd.DataFrame
    neighbours: pd.DataFrame
    reference: str

    def headline(self) -> tuple[Fact, ...]:
        """Return the score, where it comes from, and what moved it most."""
        top = self.contributions.iloc[0] if len(self.contributions) else None
        facts = [Fact(f"Score of row {self.row} ({self.scale})", self.score, note=f"event {masked(self.event)}")]
        if self.probability is not None and self.scale != "probability":
            facts.append(Fact("As a probability", self.probability, "share"))
        facts += [
            Fact(f"Mean of the reference ({self.scale})", self.base, note=self.reference),
            Fact("Higher than", self.higher, "share", note="of the other events" if self.higher is not None
                 else "no other event is explained"),
            Fact("Moved most by", None if top is None else str(top["feature"]), "text",
                 note="no features" if top is None else f"{float(top['contribution']):+.3g}"),
        ]  # fmt: skip
        return tuple(facts)

    @property
    def drawable(self) -> bool:
        """Whether there is a feature."""
        return len(self.contributions) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of bars."""
        return 1.5 + 0.3 * min(BARS + 1, len(self.contributions))

    @property
    def alt(self) -> str:
        """The picture in words."""
        steps = [f"{name} {move:+.3g}" for name, _, move in self.bars(BARS)]
        return (
            f"From the reference's mean {number(self.base)} to the score {number(self.score)} ({self.scale}): "
            f"{', '.join(steps)}."
        )

    def bars(self, most: int) -> list[tuple[str, str, float]]:
        """Return the features with a bar of their own and the rest as one, with value and contribution."""
        held = self.contributions
        top = held.head(most)
        rows = list(zip(top["feature"], top["value"], top["contribution"].astype(float), strict=True))
        rest = held["contribution"].iloc[most:]
        return [*rows, (f"{len(rest):,} other features", "", float(rest.sum()))] if len(rest) else rows

    def _draw(self, ax: Axes) -> None:
        rows = self.bars(BARS)
        moves = np.array([move for *_, move in rows])
        ends = self.base + np.cumsum(moves)
        starts = ends - moves
        place = np.arange(len(rows))[::-1]
        ax.barh(
            place, moves, left=starts, height=0.62, color=[chart.RED if move > 0 else chart.BLUE for move in moves],
            hatch=["" if move > 0 else "//" for move in moves], edgecolor="white", linewidth=0,
        )  # fmt: skip
        for at, end, after in zip(place[:-1], ends[:-1], place[1:], strict=True):
            ax.plot([end, end], [at - 0.31, after + 0.31], color=chart.GREY, linewidth=0.7)
        for at, move in zip(place, moves, strict=True):  # in a column of their own, clear of every line
            ax.text(1.01, at, f"{move:+.3g}", transform=ax.get_yaxis_transform(), ha="left", va="center", fontsize=8)
        ax.axvline(self.base, color=chart.GREY, linewidth=0.9, linestyle=":")
        ax.axvline(self.score, color="black", linewidth=0.9, linestyle="--")
        ax.set_yticks(place, [_short(name, value) for name, value, _ in rows], parse_math=False)
        ax.use_sticky_edges = False
        ax.margins(x=0.12, y=0.02)
        chart.style(
            ax,
            title="From the reference (dotted) to the score (dashed)",
            x=f"score ({self.scale}); red raises, blue hatched lowers",
            y="",
        )


def event_score(held: Explanation, row: object, *, features: Sequence[str] | None = None, near: int = 5) -> EventScore:
    """Return why one explained event has its score; see `Explanation.event`."""
    row = row_of(held, row)
    keep = _kept(held, features)
    values, base = held.values[row], held.base
    scores = held.scores
    others = np.arange(len(held.values)) != row
    order = keep[np.lexsort((keep, -np.abs(values[keep])))]
    rest = held.values[others]
    known = len(rest) > 0
    frame = pd.DataFrame(
        {
            "feature": [held.features[f] for f in order],
            "value": [value_of(held, row, held.features[f]) for f in order],
            "norm": [_norm(held, held.features[f]) for f in order],
            "contribution": values[order],
            "mean_others": rest[:, order].mean(axis=0) if known else np.nan,
            "above_share": (rest[:, order] < values[order]).mean(axis=0) if known else np.nan,
        }
    )
    left = np.setdiff1d(np.arange(len(held.features)), keep)
    notes = [f"The mean {number(base)} and {len(held.features):,} contributions sum to {number(float(scores[row]))}."]
    if len(left):
        total = number(float(values[left].sum()))
        notes.append(f"{len(left):,} features are filtered out; together they add {total}.")
    chances = None if held.scale == "margin" else held.probabilities
    near_by = _neighbours(held, row, scores, most=near)
    shown = near_by.assign(event=[masked(str(name)) for name in near_by["event"]])
    return EventScore(
        row=row,
        event=str(held.events[row]),
        base=base,
        score=float(scores[row]),
        scale=held.scale,
        probability=None if chances is None else float(chances[row]),
        higher=float((scores[others] < scores[row]).mean()) if known else None,
        contributions=frame,
        neighbours=near_by,
        reference=str(held.reference),
        lazy={"reasons": partial(_reasons, held, row)},
        pages={
            "contributions": ("What moved the score, the largest first", frame),
            "neighbours": ("Events that score for the most similar reasons, masked", shown),
        },
        notes=(*notes, *held.notes),
        provenance=dict(held.provenance),
    )


def row_of(held: Explanation, row: object) -> int:
    """Return the position of an explained event.

    Raises
    ------
    ParameterError
        When there is no such position.
    """
    if hasattr(row, "item") and not isinstance(row, bool):
        row = row.item()
    if type(row) is not int or not 0 <= row < len(held.values):
        allowed = f"0 to {len(held.values) - 1}" if len(held.values) else "no event is explained"
        raise ParameterError("There is no such row", got=repr(row)[:80], allowed=allowed)
    return row


def _kept(held: Explanation, features: Sequence[str] | None) -> Any:
    if features is None:
        return np.arange(len(held.features))
    wanted = set(features)
    unknown = sorted(map(str, wanted - set(held.features)))
    if unknown:
        raise ParameterError("There is no such feature", got=unknown[0][:80], hint="explanation.features lists them")
    return np.array([place for place, name in enumerate(held.features) if name in wanted], dtype=np.intp)


def _neighbours(held: Explanation, row: int, scores: Any, *, most: int) -> pd.DataFrame:
    apart = np.sqrt(((held.values - held.values[row]) ** 2).sum(axis=1))
    order = np.argsort(apart, kind="stable")
    order = order[order != row][:most]
    return pd.DataFrame({"row": order, "event": held.events[order], "score": scores[order], "distance": apart[order]})


def _norm(held: Explanation, name: str) -> str:
    """Return the reference's usual value, worked out once an explanation."""
    norms: dict[str, str] = held._cache.setdefault("norms", {})  # noqa: SLF001 what a result keeps of itself
    if name not in norms:
        norms[name] = norm_of(held, name)
    return norms[name]


def _reasons(held: Explanation, row: int) -> pd.DataFrame:
    return held.where(np.arange(len(held.values)) == row).reasons(4)


def _short(name: object, value: str) -> str:
    text = f"{name} = {value}" if value else str(name)
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"
