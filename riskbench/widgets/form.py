"""How is a playbook asked without writing code? A form made from its parameters, checked as it is filled in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from riskbench.config import redact, secrets_in
from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError, RiskbenchError
from riskbench.runner.catalogue import Playbook, find
from riskbench.runner.parameters import check_names, given, settle
from riskbench.runner.run import Run, run
from riskbench.runner.workspace import with_defaults
from riskbench.widgets.fields import Field
from riskbench.widgets.panel import Panel
from riskbench.widgets.runs import RunSummary

if TYPE_CHECKING:
    from collections.abc import Iterable


@result
class PlannedRun(Result):
    """What a form would run.

    Attributes
    ----------
    parameters : DataFrame
        name, value, given (yes, default, workspace, off: own data, wrong), help.
    """

    kind: ClassVar[str] = "planned_run"
    title: ClassVar[str] = "Planned run"
    main: ClassVar[str] = "parameters"
    repr_rows: ClassVar[int] = 40

    playbook: str
    name: str
    parameters: pd.DataFrame
    wrong: tuple[str, ...] = ()

    def headline(self) -> tuple[Fact, ...]:
        """Return what would run, how much is unlike the default, and whether it can."""
        given = int((self.parameters["given"] == "yes").sum())
        ready = f"no: {len(self.wrong)} to mend" if self.wrong else "yes"
        return (
            Fact("Playbook", self.name, "text"),
            Fact("Unlike the default", given, "count"),
            Fact("Ready to run", ready, "text"),
        )


class PlaybookForm(Panel):
    """A form made from a playbook's parameters: each checked as it is typed, and a button that runs it.

    Attributes
    ----------
    value : dict
        What is unlike the default of the playbook or workspace, as checked Python values: what `rb.run` takes. While
        a field is wrong it holds what was typed there, so that `rb.run` refuses it with the words beside the field.
    ready : bool
        Whether the value can be run; `errors` names the fields that are wrong.
    result : Result
        The planned run; once it has run, the run's summary.
    fields : mapping of str to Field
        The fields by parameter: `.control` is the widget, `.error` what is wrong with it.
    finished : Run or None
        The run, once it has ended.
    """

    title: ClassVar[str] = "Playbook form"

    def __init__(
        self, playbook: Playbook, values: Mapping[str, object], *, out: str | Path = "runs", store: str | None = None
    ) -> None:
        super().__init__()
        import ipywidgets

        check_names(playbook.parameters, values)
        self.playbook, self.out, self.store = playbook, str(out), store
        self.finished: Run | None = None
        self._worker: threading.Thread | None = None
        self._quiet = False
        self._workspace: dict[object, dict[str, Any]] = {}
        self.fields = {held.name: Field(held, self._changed) for held in playbook.parameters}
        self._fill(values)
        self._button = ipywidgets.Button(description="Run", button_style="primary", icon="play")
        self._button.on_click(self._guard(lambda _: self.run()))
        self._bar = ipywidgets.IntProgress(min=0, max=1, layout={"width": "20em", "visibility": "hidden"})
        self._step = ipywidgets.HTML()
        self._answer = ipywidgets.HTML()
        head = ipywidgets.HTML(
            f'<div style="font-size:115%;font-weight:600">{escape(playbook.title)}</div>'
            f'<div style="max-width:50em">{escape(playbook.question)}</div>'
        )
        rows = ipywidgets.VBox([field.row for field in self.fields.values()])
        self._compose(head, rows, ipywidgets.HBox([self._button, self._bar, self._step]), self._answer)
        self._check()
        self._name_wrong()

    @property
    def result(self) -> Result:
        """The planned run as a table of parameters; once it has run, the run's summary."""
        if self.finished is not None:
            return RunSummary.of_run(self.finished)
        return self._planned()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._worker is not None and self._worker.is_alive()

    @property
    def ready(self) -> bool:
        """Whether no field is wrong and the fields fit each other."""
        return not (self._wrong() or self.errors)

    def run(self) -> None:
        """Start the run in the background: the notebook stays usable, the bar moves, the answer comes below.

        Raises
        ------
        ParameterError
            When a field is wrong, or a run is under way.
        """
        if self.running:
            raise ParameterError("A run of this form is under way", hint="wait until it has ended")
        self._check()
        wrong = [name for name, field in self.fields.items() if field.error]
        if wrong or self.errors:
            raise ParameterError("The form cannot run", got=", ".join(wrong) or self.errors, hint="mend what is named")
        self.finished = None
        self._button.disabled, self._answer.value = True, ""
        self._bar.value, self._bar.layout.visibility = 0, "visible"
        self._step.value = "starting"
        self._worker = threading.Thread(target=self._guard(self._work), args=(dict(self.value),), daemon=True)
        self._worker.start()

    def wait(self, seconds: float | None = None) -> Run | None:
        """Wait until the run has ended and return it; None when there is none or the time is up."""
        if self._worker is not None:
            self._worker.join(seconds)
        return self.finished

    def _work(self, values: dict[str, Any]) -> None:
        try:
            ended = run(self.playbook.path, values, out=self.out, store=self.store, progress=self._progress)
            self.finished = ended
            self._answer.value = RunSummary.of_run(ended)._repr_html_()
            self._step.value = f"{escape(ended.status)} in {ended.seconds:.0f} s"
        except BaseException:
            self._step.value = ""
            raise
        finally:
            self._bar.layout.visibility = "hidden"
            self._button.disabled = bool(self._wrong())

    def _progress(self, number: int, cells: int) -> None:
        self._bar.max, self._bar.value = max(cells, 1), number
        self._step.value = f"cell {int(number)} of {int(cells)}"

    def _fill(self, values: Mapping[str, object]) -> None:
        """Put values into the fields; a wrong one is refused as it would be at any other door."""
        self._defaults(source=values.get("source"), domain=values.get("domain"))
        for name, value in values.items():
            if secrets_in(value):
                raise ParameterError(
                    f"The parameter {name!r} holds a password", hint="write env:NAME: a form stays in the notebook"
                )
            field = self.fields[name]
            self._quiet = True
            try:
                field.show(field.parameter.value(value))
            finally:
                self._quiet = False

    def _defaults(self, *, source: object, domain: object) -> None:
        """Set what each field is when nothing is asked, and show it where nothing was.

        A workspace may set it; with data of one's own, what was meant for the sample is off.
        """
        if domain not in self._workspace:
            asked = {"domain": domain} if domain else {}
            set_here = with_defaults(self.playbook, asked)
            self._workspace[domain] = given(
                self.playbook.parameters, {name: value for name, value in set_here.items() if name not in asked}
            )
        set_here = self._workspace[domain]
        own = bool(str(source or "").strip()) or set_here.get("source") is not None
        self._quiet = True
        try:
            for name, field in self.fields.items():
                parameter = field.parameter
                default = set_here.get(name, None if own and parameter.sample_only else parameter.default)
                if default != field.default:
                    untouched = field.is_default()
                    field.default = default
                    if untouched:
                        field.show(default)
        finally:
            self._quiet = False

    def _changed(self, _: Field) -> None:
        if not self._quiet:
            self.finished = None
            self._guard(self._check)()
            self._name_wrong()

    def _name_wrong(self) -> None:
        """Name in `errors` the fields that are wrong; on the screen each says so itself."""
        wrong = self._wrong()
        if wrong:
            self.errors = "\n".join(wrong)

    def _check(self) -> None:
        """Check every field, then what no field can be wrong in alone; raise what stands beside no field."""
        source, domain = (self.fields[name].given if name in self.fields else None for name in ("source", "domain"))
        self._defaults(source=source, domain=domain)
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            try:
                made = field.value()
                if made != field.default:
                    values[name] = made
                field.tell(None)
            except RiskbenchError as error:
                values[name] = field.refused
                field.tell(error)
        wrong = self._wrong()
        self.value = values
        self._disable(on=bool(wrong))
        if not wrong:
            try:
                settle(self.playbook.parameters, {**self._workspace[domain], **values})
            except RiskbenchError:
                self._disable(on=True)
                raise

    def _disable(self, *, on: bool) -> None:
        self._button.disabled = on or self.running

    def _wrong(self) -> tuple[str, ...]:
        return tuple(f"{name}: {field.error.splitlines()[0]}" for name, field in self.fields.items() if field.error)

    def _planned(self) -> PlannedRun:
        wrong = self._wrong() or tuple(self.errors.splitlines()[:1])
        return PlannedRun(
            playbook=self.playbook.id,
            name=self.playbook.title,
            parameters=pd.DataFrame(list(self._rows()), columns=["name", "value", "given", "help"]),
            wrong=wrong,
            notes=wrong,
        )

    def _rows(self) -> Iterable[tuple[str, str, str, str]]:
        held = self.value or {}
        for name, field in self.fields.items():
            value = held.get(name, field.default)
            rest = "default"
            if field.default != field.parameter.default:
                rest = "off: own data" if field.default is None else "workspace"
            how = "wrong" if field.error else "yes" if name in held else rest
            yield name, "–" if value is None else redact(str(value))[:200], how, field.parameter.help


def playbook_form(
    name: str | Path, *, values: Mapping[str, object] | None = None, out: str | Path = "runs", store: str | None = None
) -> PlaybookForm:
    """Return a form made from a playbook's parameters: fill it in, see what is wrong beside each field, and run it.

    Use it to run a playbook without writing code. `.value` is what `rb.run` takes, so a form that was filled in by
    hand can be run again by program; of a form with a wrong field `rb.run` refuses it. The page of a notebook keeps
    the table of parameters, not the form.

    Parameters
    ----------
    name : str or Path
        The playbook's id, or the path of its notebook.
    values : mapping, optional
        What the fields say at first, by parameter; the defaults otherwise.
    out : str or Path
        The folder that run folders are made in.
    store : str, optional
        The URL of the store that keeps the ledger; `riskbench.db` in `out` when not given.

    Returns
    -------
    PlaybookForm
        `.value`, `.ready`, `.errors`, `.result`, `.fields`, `.run()`, `.wait()`, `.finished`.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong value, or one that holds a password.
    PlaybookError
        When there is no such playbook.

    Examples
    --------
    >>> import riskbench as rb
    >>> form = rb.playbook_form("rule_health", values={"weeks": 6})
    >>> form.fields["orders"].control.value = "8000"
    >>> form.value
    {'weeks': 6, 'orders': 8000}
    >>> form.fields["orders"].control.value = "abc"
    >>> form.value, form.ready
    ({'weeks': 6, 'orders': 'abc'}, False)
    >>> form.fields["orders"].control.value = "8000"
    >>> form
    PlaybookForm(PlannedRun(Playbook: Rule health; Unlike the default: 2; Ready to run: yes))
    """
    if values is not None and not isinstance(values, Mapping):
        raise ParameterError("`values` is a mapping", got=repr(values)[:80], allowed='such as {"orders": 8000}')
    return PlaybookForm(find(name), dict(values or {}), out=out, store=store)
