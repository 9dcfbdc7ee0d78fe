"""Write the outputs of the README's examples anew: `python docs/examples.py`. Read the difference before it is kept."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n(>>> .*?)^```", flags=re.MULTILINE | re.DOTALL)


def renewed(block: str, names: dict[str, object]) -> str:
    """Return a block of examples with the outputs that the code gives now."""
    written = []
    for example in doctest.DocTestParser().get_examples(block):
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(compile(example.source, str(PAGE), "single"), names)  # noqa: S102 - our own page
        first, *more = example.source.rstrip("\n").split("\n")
        written += [f">>> {first}", *(f"... {line}".rstrip() for line in more)]
        written += [line or "<BLANKLINE>" for line in told.getvalue().rstrip("\n").split("\n") if told.getvalue()]
    return "\n".join([*written, "", ""])


def page(text: str) -> str:
    """Return the page with all its examples renewed; the blocks share their names."""
    names: dict[str, object] = {}
    return BLOCK.sub(lambda found: f"```python\n{renewed(found[1], names)}```", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.name}")
