"""Does papermill alone run the incident scan with its defaults and two other sets?"""

from __future__ import annotations

import pytest
from playbooks.sets import SETS, ends_well


@pytest.mark.slow
@pytest.mark.parametrize("chosen", SETS)
def test_the_scan_ends_in_findings(chosen, tmp_path):
    ends_well("incident_scan", chosen, tmp_path, ending="parquet")
