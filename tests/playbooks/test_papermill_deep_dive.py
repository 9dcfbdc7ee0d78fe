"""Does papermill alone run the incident deep-dive with its defaults?"""

from __future__ import annotations

import pytest
from playbooks.sets import ends_well


@pytest.mark.slow
def test_the_deep_dive_ends_in_findings(tmp_path):
    ends_well("incident_deep_dive", "defaults", tmp_path)
