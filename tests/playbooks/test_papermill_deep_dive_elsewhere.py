"""Does papermill alone run the incident deep-dive in another domain and on data of one's own?"""

from __future__ import annotations

import pytest
from playbooks.sets import SETS, ends_well


@pytest.mark.slow
@pytest.mark.parametrize("chosen", SETS[1:])
def test_the_deep_dive_ends_in_findings(chosen, tmp_path):
    ends_well("incident_deep_dive", chosen, tmp_path)
