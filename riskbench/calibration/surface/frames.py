"""The tables of a surface: its settings, its plateau, and today's, the best and the chosen setting on both windows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskbench.calibration.study import Study
from riskbench.calibration.surface.cells import CHOOSE, REPORT, Against, against_today, measure
from riskbench.calibration.surface.central import Central
from riskbench.calibration.surface.measures import Measures, settings_frame
from riskbench.metrics.lattice import Lattice, States
from riskbench.rules.plane import Plane


def frame_of(swept: Plane, held: Measures, today: Against) -> pd.DataFrame:
    """Return one row a setting, with what each adds to the book as it stands."""
    added = np.where(today.apart > 0, held.net - today.net, 0.0)
    second = swept.axes[1].values if swept.axes[1].name else None
    return settings_frame(held, swept.axes[0].values, second, added=added, apart=today.apart)


def later_frame(swept: Plane, held: Measures | None, today: Against) -> pd.DataFrame:
    """Return one row a setting on the later window; empty where there is none."""
    return pd.DataFrame(columns=["first", "second"]) if held is None else frame_of(swept, held, today)


def values_at(swept: Plane, place: tuple[int, int]) -> tuple[float, ...]:
    """Return the parameters' values at a place of the grid."""
    return tuple(float(axis.values[at]) for axis, at in zip(swept.axes, place, strict=True) if axis.name)


def today_place(swept: Plane) -> tuple[int, int]:
    """Return the place of today's values on the grid."""
    return swept.axes[0].today, swept.axes[1].today


def windows_frame(swept: Plane, ground: Study, cells: Lattice, held: States, found: Central) -> pd.DataFrame:
    """Return today's, the best and the chosen setting on both windows, each against the book as it stands."""
    rows = []
    for group, window in ((CHOOSE, ground.windows.choose), (REPORT, ground.windows.report)):
        if not window.mask.any():
            continue
        measures, today = measure(held.of(group), ground), against_today(cells, ground, group)
        frame = frame_of(swept, measures, today).drop(columns=["unlabelled"])
        for point, place in (("today's values", today_place(swept)), ("best", found.best), ("chosen", found.chosen)):
            row = frame.iloc[[place[0] * swept.shape[1] + place[1]]].copy()
            row.insert(0, "window", ("choose", "report")[group])
            row.insert(0, "point", point)
            rows.append(row)
    return pd.concat(rows, ignore_index=True)


def plateau_frame(swept: Plane, held: Measures, found: Central) -> pd.DataFrame:
    """Return the setting of today, the best and the chosen one, and the plateau's ends, against the best."""
    places = np.argwhere(found.plateau)
    points = [("best", found.best), ("chosen", found.chosen), ("today's values", today_place(swept))]
    for number, axis in enumerate(swept.axes):
        if axis.name:
            ends = (("lowest", places[:, number].argmin()), ("highest", places[:, number].argmax()))
            for word, end in ends:
                points.append((f"plateau, {word} {axis.name}", (int(places[end, 0]), int(places[end, 1]))))
    rows = []
    for word, place in points:
        change = float(held.net[place] - held.net[found.best])
        half = found.critical * float(found.behind[place])
        rows.append(
            {
                "point": word,
                **dict(zip(("first", "second"), values_at(swept, place), strict=False)),
                "alerts": int(held.alerts[place]),
                "frauds": int(held.frauds[place]),
                "net_value": float(held.net[place]),
                "change": change,
                "change_lower": change - half,
                "change_upper": change + half,
                "on_plateau": bool(found.plateau[place]),
                "depth": int(found.depth[place]),
            }
        )
    return pd.DataFrame(rows)
