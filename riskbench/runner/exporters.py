"""How does Jupyter itself write our pages? By two exporters of nbconvert, found by their entry points."""

from __future__ import annotations

from typing import Any

from nbconvert.exporters import Exporter
from nbconvert.utils.exceptions import ConversionException

from riskbench.errors import RiskbenchError
from riskbench.privacy import key_near
from riskbench.runner.publication import page_of


class PageError(ConversionException):
    """A notebook is not converted: nbconvert says why, and ends with 1."""


class _PageExporter(Exporter):
    """The base of both: nbconvert reads the notebook and writes the file, the page is the runner's."""

    audience = "lead"
    output_mimetype = "text/html"

    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(self, nb: Any, resources: Any = None, **options: Any) -> tuple[str, Any]:
        """Return the page and what nbconvert needs to write it."""
        held, told = super().from_notebook_node(nb, resources, **options)
        about = told.get("metadata") or {}
        try:
            key = key_near(about.get("path") or ".")
            return page_of(held, audience=self.audience, name=str(about.get("name") or "notebook"), key=key), told
        except RiskbenchError as error:
            raise PageError(str(error)) from None


class LeadExporter(_PageExporter):
    """The page for leaders, without code: `jupyter nbconvert --to riskbench-lead NOTEBOOK`."""

    export_from_notebook = "Riskbench page for leaders"
    audience = "lead"


class FullExporter(_PageExporter):
    """The page for reviewers, with everything: `jupyter nbconvert --to riskbench-full NOTEBOOK`."""

    export_from_notebook = "Riskbench page for reviewers"
    audience = "full"
