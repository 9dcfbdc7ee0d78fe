"""Why are two linked? The chain of evidence between them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskbench.engine.graph import components, path
from riskbench.errors import ParameterError, nearest
from riskbench.incidents.web import Web

COLUMNS = ("step", "a", "b", "evidence", "shared_by", "events", "since")


def chain(web: Web, a: str, b: str) -> pd.DataFrame:
    """Return the cheapest chain of evidence between two accounts or values.

    A step costs 1 + log2 of how many accounts share its value, so a chain through rare values is preferred.

    Raises
    ------
    ParameterError
        When one of them is not among the accounts and values.
    """
    offset = np.cumsum([web.account.size, *(kind.coded.size for kind in web.kinds)]).astype(np.int64)
    first, last = (_node(web, offset, name) for name in (a, b))
    parts = [
        (
            kind.account,
            kind.value + offset[place],
            np.full(len(kind.value), place),
            kind.events,
            kind.first,
            kind.degree[kind.value],
        )
        for place, kind in enumerate(web.kinds)
    ]
    if not parts or first == last:
        return pd.DataFrame(columns=list(COLUMNS))
    who, what, place, events, since, degree = (np.concatenate(side) for side in zip(*parts, strict=True))
    keep = np.concatenate([~kind.hub[kind.value] for kind in web.kinds])
    # An end may be a hub itself; it is passed through by nobody, but may be asked about.
    keep |= np.isin(what, [first, last])
    who, what, place, events, since, degree = (side[keep] for side in (who, what, place, events, since, degree))
    label = components(who, what, nodes=int(offset[-1]))
    if label[first] != label[last]:
        return pd.DataFrame(columns=list(COLUMNS))
    at = np.flatnonzero(label[who] == label[first])
    nodes, number = np.unique(np.concatenate([who[at], what[at]]), return_inverse=True)
    ends = (int(np.searchsorted(nodes, first)), int(np.searchsorted(nodes, last)))
    cost = 0.5 + 0.5 * np.log2(degree[at])
    walk = at[path(number[: len(at)], number[len(at) :], ends=ends, nodes=len(nodes), cost=cost)]
    rows = []
    here = first
    for step, edge in enumerate(walk.tolist(), 1):
        there = int(what[edge]) if int(who[edge]) == here else int(who[edge])
        kind = web.kinds[int(place[edge])]
        rows.append(
            (
                step,
                _name(web, offset, here),
                _name(web, offset, there),
                kind.name,
                int(degree[edge]),
                int(events[edge]),
                pd.Timestamp(int(since[edge]), unit="us"),
            )
        )
        here = there
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _node(web: Web, offset: np.ndarray, name: str) -> int:
    found = web.account.find(name)
    if found >= 0:
        return found
    for place, kind in enumerate(web.kinds):
        found = kind.coded.find(name)
        if found >= 0:
            return int(offset[place]) + found
    known = web.account.written(np.arange(min(web.account.size, 20_000)))
    close = nearest(name, known)
    raise ParameterError(
        f"{name[:80]!r} is neither an account nor a shared value of these events",
        allowed=f"values of {', '.join([web.account.name, *(kind.name for kind in web.kinds)])}",
        hint=f"did you mean {close!r}?" if close else None,
    )


def _name(web: Web, offset: np.ndarray, node: int) -> str:
    if node < web.account.size:
        return web.account.written(np.array([node]))[0]
    place = int(np.searchsorted(offset, node, side="right")) - 1
    return web.kinds[place].coded.written(np.array([node - offset[place]]))[0]
