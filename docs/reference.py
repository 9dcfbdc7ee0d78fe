"""Write docs/reference.md anew from the code: `python docs/reference.py`."""

from __future__ import annotations

import inspect
from pathlib import Path

import riskbench
from riskbench import errors
from riskbench.data.checks import CHECKS

PAGE = Path(__file__).with_suffix(".md")
BEGIN = "<!-- written by docs/reference.py: begin -->"
END = "<!-- end -->"


def first_line(value: object) -> str:
    """Return the sentence that says what something is."""
    return (inspect.getdoc(value) or "").split("\n", 1)[0].replace("|", "\\|")


def called(name: str, value: object) -> str:
    """Return how a verb is called: its arguments without types."""
    if not inspect.isfunction(value):
        return f"`rb.{name}`"
    parameters = inspect.signature(value).parameters.values()
    parts: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(parameter.name if parameter.default is parameter.empty else f"{parameter.name}=")
    return f"`rb.{name}({', '.join(parts)})`"


def generated() -> str:
    """Return the part of the page that the code decides."""
    held = {name: getattr(riskbench, name) for name in riskbench.__all__ if name != "__version__"}
    verbs = {name: value for name, value in held.items() if not inspect.isclass(value)}
    classes = {name: value for name, value in held.items() if inspect.isclass(value)}
    nouns = {name: value for name, value in classes.items() if not issubclass(value, Exception)}
    family = [
        value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.RiskbenchError)
    ]
    lines = ["## Verbs", "", "| call | what it does |", "|---|---|"]
    lines += [f"| {called(name, value)} | {first_line(value)} |" for name, value in verbs.items()]
    lines += ["", "## Nouns", "", "| name | what it is |", "|---|---|"]
    lines += [f"| {called(name, value)} | {first_line(value)} |" for name, value in nouns.items()]
    lines += [
        "",
        "## Errors",
        "",
        "All are in `riskbench.errors`, and in `rb` too.",
        "",
        "| error | exit code | when |",
        "|---|---|---|",
    ]
    lines += [f"| `rb.{value.__name__}` | {value.exit_code} | {first_line(value)} |" for value in family]
    lines += ["", "## Data checks", "", "`rb.check(dataset)` runs them all.", ""]
    lines += ["| code | what is wrong | severity |", "|---|---|---|"]
    lines += [f"| [{one.code}](checks/{one.code}.md) | {one.title} | {one.severity} |" for one in CHECKS]
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its generated part renewed."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n\n{generated()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.name}")
