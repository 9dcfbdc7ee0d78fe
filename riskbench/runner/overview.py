"""What does a grid leave behind? One row a run, as a file for programs and a page that links to the runs' pages."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from riskbench.display.wording import private
from riskbench.privacy import key_near
from riskbench.runner import bundle
from riskbench.runner.catalogue import Playbook
from riskbench.runner.gate import passed
from riskbench.runner.process import Job
from riskbench.runner.run import Run
from riskbench.runner.veil import veiled
from riskbench.store import now

#: How a run of a grid can stand, in the order that they are told.
ENDS = ("done", "infeasible", "failed", "interrupted", "waiting")
_COLUMNS = (
    *("status", "skipped", "fact", "answer", "figure", "value", "lower", "upper", "unit"),
    *("seconds", "run", "folder", "message", "again"),
)
#: So many facts of a headline stand in the page.
_FACTS = 3
_STYLES = Path(__file__).parent / "templates" / "riskbench" / "page.css"
_OWN_STYLE = (
    ".runs{overflow-x:auto}.runs table{width:100%}.runs caption{text-align:left;color:var(--soft);font-size:.86rem}"
    ".runs td,.runs th{padding:.35rem .6rem;border-bottom:1px solid var(--line)}.runs tbody th{color:var(--ink)}"
    ".runs th{color:var(--soft);font-weight:600;font-size:.86rem}.runs small{color:var(--soft)}"
    ".runs .failed,.runs .interrupted{color:var(--bad)}.runs .infeasible{color:var(--warn)}"
)


def file_name(planned: Sequence[Job]) -> str:
    """Return what a grid's files are called: the same grid, the same name."""
    playbook = planned[0].playbook.id
    whole = [playbook, *(job.shown for job in planned)]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:8]
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in playbook)[:60]
    return f"grid-{plain}-{digest}"


def rows_of(
    planned: Sequence[Job],
    ended: Mapping[int, Run],
    axes: Sequence[str],
    *,
    kept: Mapping[int, Run],
    again: Mapping[int, str],
) -> pd.DataFrame:
    """Return one row a run; a grid's parameter that bears a column's name stands as `parameter_NAME`."""
    rows = []
    for place, job in enumerate(planned):
        run = ended.get(place)
        facts = () if run is None else run.headline
        first = facts[0] if facts else None
        figure = next((fact for fact in facts if isinstance(fact.value, int | float)), None)
        rows.append(
            {
                **{column(axis): _plain(job.shown[axis]) for axis in axes},
                "status": "waiting" if run is None else run.status,
                "skipped": place in kept,
                "fact": first.name if first else "",
                "answer": first.text if first else "",
                "figure": figure.name if figure else "",
                "value": figure.value if figure else None,
                "lower": figure.lower if figure else None,
                "upper": figure.upper if figure else None,
                "unit": figure.unit if figure else "",
                "seconds": None if run is None else run.seconds,
                "run": "" if run is None else run.id,
                "folder": "" if run is None or run.folder is None else run.folder.name,
                "message": "" if run is None else run.message,
                "again": again.get(place, ""),
            }
        )
    return pd.DataFrame(rows, columns=[*(column(axis) for axis in axes), *_COLUMNS])


def column(axis: str) -> str:
    """Return the column that a grid's parameter stands in."""
    return f"parameter_{axis}" if axis in _COLUMNS else axis


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | tuple | dict) else value


def readable(rows: pd.DataFrame, axes: Sequence[str], ended: Mapping[int, Run]) -> pd.DataFrame:
    """Return the rows as a leader reads them: the grid's parameters, each run's first facts, how it stands."""
    names: dict[str, None] = {}
    for run in ended.values():
        names.update(dict.fromkeys(fact.name for fact in run.headline[:_FACTS]))
    shown = list(names)[: _FACTS + 1]
    told = []
    for place, row in enumerate(rows.to_dict("records")):
        facts = {fact.name: fact.text for fact in ended[place].headline} if place in ended else {}
        told.append(
            {
                **{axis.replace("_", " "): _word(row[column(axis)]) for axis in axes},
                **{name: facts.get(name, "–") for name in shown},
                "status": f"{row['status']}, stood already" if row["skipped"] else row["status"],
                "why": _first_line(row["message"]),
            }
        )
    frame = pd.DataFrame(told)
    return frame if len(frame) and frame["why"].any() else frame.drop(columns="why", errors="ignore")


def _word(value: object) -> str:
    return "–" if value is None or value != value else str(value)  # noqa: PLR0124


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 200 else f"{line[:197]}..."


def shared(rows: pd.DataFrame, axes: Sequence[str]) -> tuple[str, ...]:
    """Return what the runs that failed have in common, as sentences; none where all went well."""
    told = []
    for status, verb in (("failed", "failed"), ("infeasible", "found no cut that meets the constraints")):
        bad = rows[rows["status"] == status]
        good = rows[rows["status"] == "done"]
        if bad.empty:
            continue
        told.append(f"{len(bad):,} of {len(rows):,} runs {verb}{_where(bad, good, axes)}.")
        reasons = bad["message"].map(_first_line).value_counts()
        if status == "failed" and len(bad) > 1:
            same = reasons.index[0]
            told.append(
                f"All for the same reason: {same}"
                if len(reasons) == 1
                else f"Most often ({int(reasons.iloc[0])} of {len(bad)}): {same}"
            )
    return tuple(told)


def _where(bad: pd.DataFrame, good: pd.DataFrame, axes: Sequence[str]) -> str:
    """Return what sets the bad apart: a parameter whose values they share with no good one."""
    if good.empty:
        return "; none is done"
    for axis in axes:
        name = column(axis)
        worst = list(dict.fromkeys(map(_word, bad[name])))
        fine = list(dict.fromkeys(map(_word, good[name])))
        if not set(worst) & set(fine):
            return f": for {axis.replace('_', ' ')} {_few(worst)} only; done for {_few(fine)}"
    alike = [axis for axis in axes if len(bad) > 1 and len(set(bad[column(axis)].map(_word))) == 1]
    if alike:
        return ", all with " + " and ".join(f"{axis} {_word(bad[column(axis)].iloc[0])}" for axis in alike)
    return ""


def _few(values: Sequence[str], most: int = 8) -> str:
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")


def write(place: Path, playbook: Playbook, rows: pd.DataFrame, axes: Sequence[str], ended: Mapping[int, Run]) -> None:
    """Write the overview as JSON and as a page, each in one step."""
    held = {
        "format": 1,
        "playbook": playbook.id,
        "title": playbook.title,
        "written": now(),
        "axes": list(axes),
        "notes": list(shared(rows, axes)),
        "runs": [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False, name=None)],
    }
    told = passed(veiled(page(playbook, rows, axes, ended), personal={}, key=key_near(place.parent)))
    bundle.write_json(place.with_suffix(".json"), held)
    part = place.with_name(f".{place.name}.html.part")
    part.write_text(told, encoding="utf-8")
    os.replace(part, place.with_suffix(".html"))  # noqa: PTH105


def page(playbook: Playbook, rows: pd.DataFrame, axes: Sequence[str], ended: Mapping[int, Run]) -> str:
    """Return the overview as a page: no script, nothing from the network."""
    table = readable(rows, axes, ended)
    counts = rows["status"].value_counts()
    cards = "".join(
        f"<div><dt>{end}</dt><dd><b>{int(counts.get(end, 0)):,}</b></dd></div>"
        for end in ENDS
        if end == "done" or counts.get(end)
    )
    notes = "".join(f'<p class="hint">{_safe(text)}</p>' for text in shared(rows, axes))
    head = "".join(f'<th scope="col">{_safe(str(name))}</th>' for name in (*table.columns, "pages"))
    body = "".join(
        _row(cells, place, rows, len(axes)) for place, cells in enumerate(table.itertuples(index=False, name=None))
    )
    written = f"{escape(now()[:19].replace('T', ' '))} UTC · riskbench {escape(metadata.version('riskbench'))}"
    varied = ", ".join(axis.replace("_", " ") for axis in axes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_safe(playbook.title)} · by {_safe(varied)}</title>\n"
        f"<style>{_STYLES.read_text(encoding='utf-8')}{_OWN_STYLE}</style>\n</head>\n"
        f'<body class="lead">\n<header>\n<p class="kind">{_safe(playbook.id.replace("_", " "))} · grid</p>\n'
        f'<h1>{_safe(playbook.title)} <span class="region">by {_safe(varied)}</span></h1>\n'
        + (f'<p class="question">{_safe(playbook.question)}</p>\n' if playbook.question else "")
        + f'</header>\n<main>\n<section class="summary" aria-label="Headline"><h2>{len(rows):,} runs</h2>'
        f'<dl>{cards}</dl>{notes}</section>\n<div class="runs" tabindex="0" role="region" aria-label="Runs">'
        f"<table><caption>One row a run; figures with their 95 % interval.</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>\n</main>\n<footer><p>Written {written}</p></footer>\n</body>\n</html>\n"
    )


def _row(cells: Sequence[object], place: int, rows: pd.DataFrame, axes: int) -> str:
    status, folder = str(rows["status"].iloc[place]), str(rows["folder"].iloc[place])
    told = ""
    for number, cell in enumerate(cells):
        text = _safe(str(cell))
        told += f'<th scope="row">{text}</th>' if number < axes else f"<td>{text}</td>"
    links = "–"
    if folder:
        where = quote(folder)
        label = " ".join(_safe(str(cell)) for cell in cells[:axes])
        links = (
            f'<a href="{where}/lead.html" aria-label="summary, {label}">summary</a> · '
            f'<a href="{where}/full.html" aria-label="for reviewers, {label}">reviewers</a>'
        )
    return f'<tr class="{status}">{told}<td>{links}</td></tr>'


def _safe(text: str) -> str:
    return escape(private(text), quote=True)
