"""Which runs does a grid ask for? Every combination of its values, checked before anything starts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from riskbench.errors import ParameterError, RiskbenchError, listed
from riskbench.runner.catalogue import Playbook
from riskbench.runner.folder import folder_name
from riskbench.runner.parameters import check_names
from riskbench.runner.process import Job
from riskbench.runner.run import prepare
from riskbench.runner.written import structure

#: More runs than this are refused: they are a slip of the hand, or a job for a scheduler.
MOST = 1000
#: So many wrong combinations are told; the rest are counted.
_TOLD = 10


def grid_from_command(texts: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return a grid from `name=value,value` texts; a YAML list where a value holds a comma.

    Raises
    ------
    ParameterError
        When a text is no such pair, is named twice, or has an empty value.

    Examples
    --------
    >>> grid_from_command(["region=ID,VN", 'names=["a,b", c]'])
    {'region': ('ID', 'VN'), 'names': ('a,b', 'c')}
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, equals, told = text.partition("=")
        name, told = name.strip(), told.strip()
        if not equals or not name:
            raise ParameterError(
                "A grid is written name=value,value", got=repr(text[:80]), hint="--grid region=ID,VN,TH --grid seed=1,2"
            )
        if name in grid:
            raise ParameterError(
                f"The grid names {name!r} twice", hint=f"give all its values at once: --grid {name}=A,B,C"
            )
        if told.startswith("["):
            held = structure(told, name=f"--grid {name}")
            if not isinstance(held, list):
                raise ParameterError(f"The grid's {name!r} is not a list", got=repr(told[:80]), allowed='["a,b", c]')
            grid[name] = tuple(held)
        else:
            grid[name] = tuple(part.strip() for part in told.split(","))
            if "" in grid[name]:
                raise ParameterError(
                    f"The grid's {name!r} has an empty value",
                    got=repr(text[:80]),
                    hint=f"no comma at the end; none at all is --grid '{name}=[null]'",
                )
    return grid


def combine(
    playbook: Playbook,
    parameters: Mapping[str, object],
    grid: Mapping[str, Iterable[object]],
    *,
    out: str | Path,
    store: str | None = None,
    timeout: float | None = None,
) -> tuple[Job, ...]:
    """Return one job a combination, the last name of the grid varying fastest; every one of them is checked.

    Raises
    ------
    ParameterError
        With all that is wrong, of all combinations, at once.
    """
    axes = _axes(grid)
    check_names(playbook.parameters, axes)
    both = [name for name in axes if name in parameters]
    if both:
        raise ParameterError(
            f"{listed([repr(name) for name in both])} stands in the grid and among the parameters",
            hint="leave it to one of them",
        )
    runs = math.prod(len(values) for values in axes.values())
    if runs > MOST:
        sizes = " x ".join(f"{name} {len(values)}" for name, values in axes.items())
        raise ParameterError(f"The grid is {runs:,} runs", got=sizes, allowed=f"at most {MOST:,}", hint="split it")
    jobs: list[Job] = []
    wrong: dict[str, list[dict[str, object]]] = {}
    for values in itertools.product(*axes.values()):
        here = dict(zip(axes, values, strict=True))
        try:
            jobs.append(prepare(playbook, {**parameters, **here}, out=out, store=store, timeout=timeout))
        except RiskbenchError as error:
            wrong.setdefault(str(error), []).append(here)
    if wrong:
        raise _refused(wrong, runs)
    seen: dict[str, int] = {}
    for place, job in enumerate(jobs):
        first = seen.setdefault(folder_name(playbook.id, job.shown), place)
        if first != place:
            raise ParameterError(
                "The grid asks for the same run twice",
                got=", ".join(f"{name}={job.shown[name]!r}" for name in axes),
                hint="name each value once; two ways to write a value are one value",
            )
    return tuple(jobs)


def _axes(grid: Mapping[str, Iterable[object]]) -> dict[str, tuple[object, ...]]:
    if not isinstance(grid, Mapping) or not grid:
        raise ParameterError("A grid has at least one parameter", allowed='{"region": ["ID", "VN", "TH"]}')
    axes = {}
    for name, values in grid.items():
        held = values.tolist() if hasattr(values, "tolist") else values
        if isinstance(held, str | bytes | Mapping | set | frozenset) or not isinstance(held, Iterable):
            raise ParameterError(
                f"The grid's {str(name)[:80]!r} is not a list of values", got=type(values).__name__, allowed="[...]"
            )
        axes[str(name)] = tuple(itertools.islice(held, MOST + 1))
        if not axes[str(name)]:
            raise ParameterError(f"The grid's {str(name)[:80]!r} has no values")
    return axes


def _refused(wrong: Mapping[str, list[dict[str, object]]], runs: int) -> ParameterError:
    """Return all that is wrong as one error: each fault once, with what it is about."""
    told = []
    for text, where in list(wrong.items())[:_TOLD]:
        shared = {name: value for name, value in where[0].items() if all(here[name] == value for here in where)}
        about = ", ".join(f"{name}={value!r}" for name, value in shared.items()) if len(where) < runs else ""
        many = f" ({len(where)} runs)" if len(where) > 1 else ""
        told.append(f"{about or 'every run' if len(where) == runs else about or 'several runs'}{many}: {text}")
    if len(wrong) > _TOLD:
        told.append(f"and {len(wrong) - _TOLD} more faults")
    bad = sum(map(len, wrong.values()))
    head = f"Of the grid's {runs:,} runs, {bad:,} cannot be made; none was started."
    return ParameterError("\n".join([head, *told]))
