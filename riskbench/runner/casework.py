"""What a run needs beyond data and rules when it investigates an incident: its window, payouts, model and record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.incidents.incident import Incident

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.data.dataset import Dataset
    from riskbench.incidents.investigation import Investigation
    from riskbench.incidents.record import IncidentRecord


def incident_of(values: Mapping[str, Any], events: Dataset, *, exclude: Iterable[str] = ()) -> Incident:
    """Return the incident that the parameters name; without a window, the strongest that a scan finds.

    The scan's incident keeps its segment, so that the entities that burst are investigated and not all of their time.
    Its window is widened by a day on either side, so that the investigation finds the start and the end itself.

    Raises
    ------
    ParameterError
        When only one end of a window is given.
    DataError
        When no window is given and a scan finds nothing.
    """
    where, measure = values.get("where"), values.get("measure")
    baseline = _pair(values, "baseline_start", "baseline_end")
    window = _pair(values, "start", "end")
    if window is not None:
        return Incident(*window, baseline=baseline, where=where, measure=measure)
    from riskbench.incidents.scan import scan

    found = scan(events, asof=values.get("asof"), exclude=exclude, seed=values.get("seed", 0)).strongest
    if found is None:
        raise DataError(
            "No window was given, and a scan finds nothing out of the ordinary.",
            hint="name start and end of the window to look at",
        )
    start, end, usual = _widened(found, events)
    return Incident(
        start,
        end,
        baseline=baseline or usual,
        where=where or found.where,
        measure=measure or found.measure,
        title=found.title,
    )


def _widened(found: Incident, events: Dataset) -> tuple[str, str, tuple[str, str] | None]:
    """Return a finding's window with a day more on either side, and its baseline, which stays clear of it.

    The window begins no earlier than the events, and a baseline before it keeps a week.
    """
    import pandas as pd

    span, day, week = events.span, pd.Timedelta(days=1), pd.Timedelta(days=7)
    start, end = pd.Timestamp(found.start), pd.Timestamp(found.end)
    if span is None:
        return found.start, found.end, found.baseline
    first, last = (moment.tz_localize(None) for moment in span)
    early, late = max(first, start - day), end + day
    if found.baseline is not None:
        opened, shut = (pd.Timestamp(moment) for moment in found.baseline)
        if shut - late < week or opened < end:
            return found.start, found.end, found.baseline
        return early.isoformat(), late.isoformat(), (max(opened, late).isoformat(), shut.isoformat())
    if early - first < week:
        early = start
    return early.isoformat(), min(late, max(end, last + pd.Timedelta(seconds=1))).isoformat(), None


def _pair(values: Mapping[str, Any], first: str, last: str) -> tuple[str, str] | None:
    start, end = values.get(first), values.get(last)
    if (start is None) != (end is None):
        lacking = first if start is None else last
        raise ParameterError(f"A window has two ends: {lacking!r} is missing", hint=f"-p {lacking}=2026-11-11")
    return None if start is None else (str(start), str(end))


def recorded(
    investigation: Investigation, *, store: str | None, run: str | None, folder: Path | None
) -> IncidentRecord:
    """Open an investigation's record in a store; write its post-mortem to a folder.

    In memory where no store is named, or where nothing was found: no incident is opened for nothing.
    """
    from riskbench.incidents.casebook import open_casebook
    from riskbench.incidents.opening import found_something, open_record

    kept = store if store and found_something(investigation) else None
    with open_casebook(kept or "sqlite://") as casebook:
        made = open_record(casebook, investigation, run=run if kept else None)
    if kept is None and store:
        made = replace(
            made, notes=("Nothing was found, so no incident was opened: this record is not kept.", *made.notes)
        )
    if folder is not None:
        from riskbench.display.page import save_page
        from riskbench.privacy import hide
        from riskbench.runner.gate import passed
        from riskbench.runner.veil import veiled

        page = made.postmortem()
        html = passed(veiled(page.page, personal={}))
        save_page(folder / "postmortem.html", {".html": lambda: html})
        save_page(folder / "postmortem.md", {".md": lambda: hide(page.markdown)})
    return made


def calendar(values: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the campaigns as name, first, last: as the parameters say; for the sample, its region's.

    Raises
    ------
    ParameterError
        When a campaign has no first and last day.
    """
    import pandas as pd

    given = dict(values.get("calendar") or {})
    rows: list[tuple[str, Any, Any]] = []
    for name, days in given.items():
        if isinstance(days, str) or not isinstance(days, Sequence) or len(days) != 2:
            raise ParameterError(
                f"The campaign {name!r} has no first and last day",
                got=repr(days)[:100],
                hint='{"11.11": ["2026-11-11", "2026-11-12"]}',
            )
        rows.append((str(name), *days))
    if not rows and values.get("source") is None and values.get("region") is not None:
        from riskbench.data.marketplace.region import region

        rows = [(name, str(first), str(last)) for name, first, last, _ in region(values["region"]).calendar]
    return pd.DataFrame(rows, columns=["name", "first", "last"]) if rows else None


def payout_runs(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return who is paid what and when: as the parameters say; for the sample, its region's weekly runs.

    Raises
    ------
    ParameterError
        When the payouts lack the payee, the money or the runs.
    """
    given = dict(values.get("payouts") or {})
    if given:
        wanted = ("payee", "money", "runs")
        for name in given:
            if name not in wanted:
                close = nearest(str(name), wanted)
                raise ParameterError(
                    f"The payouts have no {name!r}",
                    allowed=listed(wanted),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        lacking = [name for name in wanted if not given.get(name)]
        if lacking:
            raise ParameterError(
                f"The payouts lack {listed(lacking)}",
                got=repr(given)[:200],
                hint='{"payee": "creator_id", "money": "commission", "runs": ["2026-11-18T02:20"]}',
            )
        return given
    region = values.get("region")
    if values.get("source") is not None or region is None or values.get("domain") not in _PAID:
        return None
    from riskbench.data.marketplace.payouts import runs

    return {"payee": "creator_id", "money": _PAID[values["domain"]], "runs": list(runs(region))}


#: The money that a creator is paid, by the sample's domain.
_PAID = {"transactions": "commission", "affiliation": "amount"}
