"""What a playbook holds in its hands while it runs: its parameters, its data, its rule book, its costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from riskbench.config import redact, redact_all, resolve, secrets_in
from riskbench.display import Fact, Result, result
from riskbench.errors import DataError, ParameterError, PlaybookError, RiskbenchError, listed, nearest
from riskbench.privacy import personal_columns
from riskbench.runner import bundle, injected
from riskbench.runner.catalogue import find, read_playbook, sample_book
from riskbench.runner.imported import imported
from riskbench.runner.parameters import Parameter, settle
from riskbench.runner.seal import keep_book

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.calibration.baseline import Baseline
    from riskbench.data.dataset import Dataset
    from riskbench.data.roles import Domain
    from riskbench.data.windows import Span
    from riskbench.incidents.incident import Incident
    from riskbench.incidents.investigation import Investigation
    from riskbench.incidents.record import IncidentRecord
    from riskbench.metrics.constraints import Constraint
    from riskbench.metrics.costs import Costs
    from riskbench.rules.book import RuleBook

#: Where the runner wants the results, and which notebook it runs.
FOLDER, NOTEBOOK = "RISKBENCH_RUN_FOLDER", "RISKBENCH_RUN_NOTEBOOK"
#: The run's id, and the store that keeps it.
RUN, STORE = "RISKBENCH_RUN_ID", "RISKBENCH_RUN_STORE"
SESSION = "session.json"


@result
class Session(Result):
    """The run as its playbook sees it: made by `riskbench.start`, ended by `finish`.

    Attributes
    ----------
    playbook : str
        The playbook's id.
    values : mapping
        Every parameter's value, checked; secrets as they were given.
    parameters : DataFrame
        name, value, given (yes, default, off), help.
    """

    kind: ClassVar[str] = "session"
    title: ClassVar[str] = "Parameters of this run"
    main: ClassVar[str] = "parameters"
    repr_rows: ClassVar[int] = 40

    playbook: str
    values: Mapping[str, Any]
    parameters: pd.DataFrame
    folder: Path | None = None
    _record: dict[str, Any] = field(default_factory=dict)
    _extra: list[Result] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        close = nearest(name, values)
        raise AttributeError(f"This run has no parameter {name!r}{f'; did you mean {close!r}?' if close else ''}")

    def dataset(self, *, whole: bool = False) -> Dataset:
        """Return the events: the source, or the embedded sample; of one region and window where asked.

        Parameters
        ----------
        whole : bool
            All times, where `start` and `end` mean a window within them.

        Raises
        ------
        RiskbenchError
            When the source cannot be read, has no such region, or nothing is left.
        """
        values = self.values
        events = self._sample() if values.get("source") is None else self._read(values["source"])
        if values.get("source") is not None and values.get("region") is not None:
            events = _of_region(events, values["region"])
        if not whole and (values.get("start") is not None or values.get("end") is not None):
            events = events.between(values.get("start"), values.get("end"))
        if not events.rows:
            asked = {name: values[name] for name in ("region", "start", "end") if values.get(name) is not None}
            raise DataError(
                "There are no events" + (" left in the part asked for." if asked else " in the source."),
                got=listed([f"{name}={value}" for name, value in asked.items()]) if asked else None,
                hint="check the source, or widen region, start and end",
            )
        span = events.span
        self._note(
            data={
                "name": events.name,
                "rows": events.rows,
                "fingerprint": events.fingerprint,
                "label_recipe": events.label_recipe,
                "domain": events.domain,
                "first": span[0].isoformat() if span else None,
                "last": span[1].isoformat() if span else None,
                "whole": whole,
            },
            personal=personal_columns(events.roles.entities),
        )
        return events

    def rule_book(self) -> RuleBook:
        """Return the rule book named by `book`; an empty one when none is named.

        Raises
        ------
        RuleError
            When the book is wrong.
        """
        from riskbench.rules.book import RuleBook

        named = self.values.get("book")
        domain: Domain = self.values.get("domain") or "transactions"
        if named is None:
            book = RuleBook(name="no book given", domain=domain)
        else:
            book = RuleBook.read(sample_book(domain) if named == "sample" else Path(named))
        kept = {"kept": keep_book(self.folder, book.source) or "yes"}
        self._note(book={"name": book.name, "hash": book.hash, "rules": len(book.rules), "path": named, **kept})
        return book

    def incident(self, events: Dataset, *, exclude: Iterable[str] = ()) -> Incident:
        """Return the incident to investigate: the window named, or the strongest that a scan finds.

        Parameters
        ----------
        events : Dataset
            The events.
        exclude : iterable of str
            Columns that the scan must not read, such as those that leak.

        Raises
        ------
        RiskbenchError
            When one end of a window is missing, or a scan finds nothing.
        """
        from riskbench.runner.casework import incident_of

        return incident_of(self.values, events, exclude=exclude)

    @property
    def payout_runs(self) -> dict[str, Any] | None:
        """Who is paid what and when: as the parameters say; for the sample, its region's weekly runs."""
        from riskbench.runner.casework import payout_runs

        return payout_runs(self.values)

    @property
    def campaigns(self) -> pd.DataFrame | None:
        """The campaigns that days are compared by: as the parameters say; for the sample, its region's."""
        from riskbench.runner.casework import calendar

        return calendar(self.values)

    @property
    def loaded_model(self) -> Any:
        """The fitted model behind the score, from the model file; None when none is named."""
        if self.values.get("model") is None:
            return None
        from riskbench.calibration.model import read_model

        return read_model(self.values["model"])

    def record(self, investigation: Investigation) -> IncidentRecord:
        """Open the incident's record in the run's store, or in memory where there is none, and draft its post-mortem.

        Raises
        ------
        StoreError
            When the store cannot be written.
        """
        from riskbench.runner.casework import recorded

        made = recorded(investigation, store=os.environ.get(STORE), run=os.environ.get(RUN), folder=self.folder)
        self._note(incident=made.id)
        return made

    def scored(self, events: Dataset) -> Dataset:
        """Return the events with the score to cut in the role `score`, and say which score it is.

        In this order: none where a rule's parameter is cut; the model file; the column named by `score`; the
        role `score`; a baseline learnt here from the earlier events, of which the later ones are returned.

        Raises
        ------
        RiskbenchError
            When there is no such column, or not enough to learn from.
        """
        wanted = self.values.get("score")
        if self.values.get("rule_param") is not None:
            said = f"no score: the cut of {self.values['rule_param']}"
        elif self.values.get("model") is not None:
            from riskbench.calibration.model import read_model, score_with

            held = read_model(self.values["model"])
            events, said = score_with(held, events), f"score: the model file {held.name}"
        elif wanted is not None:
            events = events.with_roles(score=events.resolve(wanted))
            said = f"score: the column {events.roles.score}"
        elif events.has("score"):
            said = f"score: the column {events.roles.score}, as the roles say"
        else:
            events, said = self._baseline(events)
        self._note(score=said)
        return events.with_notes(f"{said[0].upper()}{said[1:]}.")

    @property
    def baseline(self) -> Baseline | None:
        """The baseline score, where one had to be learnt."""
        from riskbench.calibration.baseline import Baseline

        return next((held for held in self._extra if isinstance(held, Baseline)), None)

    @property
    def cut_on(self) -> Result:
        """What is cut: the baseline where one had to be learnt, else which score it is."""
        said = str(self._record.get("score", "score: not chosen yet; call scored(events) first"))
        return self.baseline or Scored(said=said.removeprefix("score: "))

    @property
    def choose_on(self) -> Span | None:
        """The window to choose the cut on: up to `report_from`; None for the first two thirds."""
        return None if self.values.get("report_from") is None else (None, self.values["report_from"])

    @property
    def report_on(self) -> Span | None:
        """The window to report the cut on: from `report_from`; None for the rest."""
        return None if self.values.get("report_from") is None else (self.values["report_from"], None)

    @property
    def costs(self) -> Costs:
        """The stated costs; for the sample, a reviewer's minute costs what its region's file says."""
        from riskbench.metrics.costs import Costs

        stated = dict(self.values.get("costs") or {})
        if self.values.get("source") is None and "minute_cost" not in stated:
            from riskbench.data.marketplace.region import minute_cost

            region = self.values.get("region")
            origin = "the sample region's" if region is not None else "the sample regions' average"
            told = Costs.from_mapping({**stated, "minute_cost": minute_cost(region)})
            return replace(told, origins={**told.origins, "minute_cost": origin})
        return Costs.from_mapping(stated)

    def constraints(self) -> tuple[Constraint, ...]:
        """Return the limits that the cut must keep to."""
        from riskbench.runner.rulework import limits

        return limits(self.values, self.costs)

    @property
    def verify_within(self) -> str:
        """Within which time a case must be verified."""
        return f"{self.values.get('verify_within_hours') or 24:g}h"

    def measured(self, verb: Callable[..., Result], subject: object, **asked: object) -> Result:
        """Return what a verb answers about a subject, or why this data cannot say it.

        Use it for a step that not every data set bears, such as one about money where there is no amount: the page
        then says so in its place, and the run goes on. A wrong name or value still ends it.
        """
        from riskbench.runner.measured import measured

        return measured(verb, subject, asked)

    @property
    def guardrails(self) -> tuple[Constraint, ...]:
        """The limits that a launch must keep to."""
        from riskbench.runner.rulework import guardrails

        return guardrails(self.values)

    def finish(self, *results: Result) -> Finished:
        """End the run: write the results where the runner wants them, the answer last.

        The last result is the answer: its headline is the run's.

        Raises
        ------
        PlaybookError
            When nothing is handed in.
        """
        if not results or not all(isinstance(held, Result) for held in results):
            raise PlaybookError("A run finishes with its results", hint="run.finish(checks, ..., decision)")
        if self.folder is not None:
            bundle.write(self.folder, (*self._extra, *results))
        answer = results[-1]
        errors = sum(int((held.frame()["severity"] == "error").sum()) for held in results if held.kind == "checks")
        self._note(
            finished=True,
            headline=[fact.to_dict() for fact in answer.headline()],
            notes=list(answer.notes),
            data_errors=errors,
            answer=answer.kind,
            modules=imported(notebook=os.environ.get(NOTEBOOK)),
        )
        return Finished(playbook=self.playbook, facts=answer.headline(), results=len(results))

    def _baseline(self, events: Dataset) -> tuple[Dataset, str]:
        from riskbench.calibration.baseline import score_baseline

        made = score_baseline(events, seed=self.values.get("seed", 0), asof=self.values.get("asof"))
        self._extra.append(made)
        if made.train_until is None:
            return made.dataset, "score: a baseline learnt here, cross-fitted, for want of a score"
        until = f"{made.train_until:%Y-%m-%d}"
        return (
            made.dataset.between(made.train_until, None),
            f"score: a baseline learnt here from the events before {until}, for want of a score; all else is after it",
        )

    def _sample(self) -> Dataset:
        from riskbench.data.marketplace import sample

        asked = {name: self.values[name] for name in ("domain", "region", "orders", "seed") if name in self.values}
        return sample(**asked)

    def _read(self, source: str) -> Dataset:
        from riskbench.data.read import read

        roles = dict(self.values.get("roles") or {})
        if not roles:
            raise ParameterError(
                "A source needs roles: which column is the id, the time, the label?",
                hint='roles={"id": "order_id", "time": "placed_at", "label": "fraud", "amount": "amount"}',
            )
        if self.values.get("currency") is not None:
            roles["currency"] = self.values["currency"]
        where = resolve(source)
        query = {"query": self.values["query"]} if self.values.get("query") is not None else {}
        try:
            return read(where, roles=roles, domain=self.values.get("domain"), **query)
        except RiskbenchError as error:
            known = secrets_in(where)
            told = redact_all([error.what, error.got, error.allowed, error.hint], known)
            if all(text == redact(text, known) for text in (str(error), str(error.got))):
                raise
            raise DataError(told[0], got=told[1], allowed=told[2], hint=told[3]) from None

    def _note(self, **facts: object) -> None:
        self._record.update(facts)
        if self.folder is not None:
            bundle.write_json(
                self.folder / SESSION, redact_all(self._record, secrets_in(self._record.get("parameters")))
            )


@result
class Finished(Result):
    """The end of a run: nothing after it counts."""

    kind: ClassVar[str] = "finished"
    title: ClassVar[str] = "Run finished"
    playbook: str
    facts: tuple[Fact, ...]
    results: int

    def headline(self) -> tuple[Fact, ...]:
        """Return the run's headline: that of its last result."""
        return self.facts


@result
class Scored(Result):
    """Which score is cut."""

    kind: ClassVar[str] = "scored"
    title: ClassVar[str] = "The score that is cut"
    said: str

    def headline(self) -> tuple[Fact, ...]:
        """Return where the score comes from."""
        return (Fact("Score", self.said, "text"),)


def start(playbook: str, namespace: Mapping[str, Any]) -> Session:
    """Check a playbook's parameters and begin its run: the first library call of every playbook.

    Values of any type are understood as text too, as some schedulers hand them over. With a `source`, defaults
    meant for the embedded sample are off. A value counts as passed when it differs from the default or was set in
    a cell of its own, as papermill and schedulers do.

    Parameters
    ----------
    playbook : str
        The playbook's id.
    namespace : mapping
        The names that hold the values: `globals()`.

    Returns
    -------
    Session
        The run, showing its parameters.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type, or a value out of range.
    PlaybookError
        When there is no such playbook.
    """
    import pandas as pd

    told = os.environ.get(NOTEBOOK)
    held = read_playbook(Path(told)) if told else None
    if held is None or held.id != playbook:
        held = find(playbook)
    passed = injected.passed(held.parameters, namespace)
    values = settle(held.parameters, passed)
    rows = [_row(parameter, values[parameter.name], parameter.name in passed) for parameter in held.parameters]
    where = os.environ.get(FOLDER)
    made = Session(
        playbook=held.id,
        values=values,
        parameters=pd.DataFrame(rows, columns=["name", "value", "given", "help"]),
        folder=Path(where) if where else None,
        notes=_warnings(values),
    )
    made._note(playbook=held.id, parameters=dict(values), passed=sorted(passed))  # noqa: SLF001
    return made


def _row(parameter: Parameter, value: object, passed: bool) -> tuple[str, str, str, str]:  # noqa: FBT001
    off = not passed and value is None and parameter.default is not None
    shown = "–" if value is None else redact(str(value), secrets_in(value))
    return parameter.name, shown, "yes" if passed else "off: own data" if off else "default", parameter.help


def _warnings(values: Mapping[str, Any]) -> tuple[str, ...]:
    source = values.get("source")
    if isinstance(source, str) and secrets_in(source):
        return ("The source holds a password: name it as env:NAME, so that no notebook keeps it.",)
    return ()


def _of_region(events: Dataset, region: str) -> Dataset:
    if not events.has("region"):
        raise ParameterError(
            "A region is asked for, but the role 'region' is not named", got=repr(region), hint='roles={"region": ...}'
        )
    codes, names = events.regions
    if region not in names:
        close = nearest(region, names)
        raise ParameterError(
            f"The data has no region {region!r}",
            allowed=listed(names),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return events.where(codes == names.index(region))
