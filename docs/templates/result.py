"""What does the new verb answer? One sentence; if it needs "and", split the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, style
from riskbench.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@result
class Census(Result):
    """How many events each region has.

    Attributes
    ----------
    regions : DataFrame
        One row a region, most events first: region, events.
    events : int
        All events.
    """

    kind: ClassVar[str] = "census"
    title: ClassVar[str] = "Events by region"
    main: ClassVar[str] = "regions"
    next_step: ClassVar[str] = ".plot() draws it"

    regions: pd.DataFrame
    events: int

    def headline(self) -> tuple[Fact, ...]:
        """Return the answer first: at most six facts."""
        return (Fact("Events", self.events, "count"), Fact("Regions", len(self.regions), "count"))

    def _draw(self, ax: Axes) -> None:
        ax.bar(self.regions["region"], self.regions["events"], color=BLUE)
        style(ax, title=self.title, x="", y="events")


def census(dataset: Dataset, *, at_least: int = 1) -> Census:
    """Return how many events each region has.

    Use it before a cut is set region by region. Read a region with few events as one that cannot bear its own cut.

    Parameters
    ----------
    dataset : Dataset
        The events.
    at_least : int, 1 or more
        Regions with fewer events are left out.

    Returns
    -------
    Census
        Table `regions`: region, events.

    Raises
    ------
    ParameterError
        When `at_least` is below 1.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.read(pd.DataFrame({"id": [1, 2, 3], "land": ["ID", "BR", "ID"]}),
    ...     roles=rb.Roles(id="id", region="land"))
    >>> census(events)
    Census(Events: 3; Regions: 2)
    >>> census(events).frame()
      region  events
    0     ID       2
    1     BR       1
    """
    if at_least < 1:
        raise ParameterError("A region has at least one event", got=at_least, allowed="1 or more")
    codes, names = dataset.regions
    counts = np.bincount(codes, minlength=len(names))
    frame = pd.DataFrame({"region": list(names), "events": counts})
    kept = frame[frame["events"] >= at_least].sort_values("events", ascending=False, kind="stable")
    return Census(
        regions=kept.reset_index(drop=True),
        events=int(counts.sum()),
        provenance={"dataset": dataset.fingerprint, "at_least": at_least},
    )
