"""Does papermill alone run the threshold calibration with its defaults and two other sets?"""

from __future__ import annotations

import pytest
from playbooks.sets import SETS, ends_well


@pytest.mark.slow
@pytest.mark.parametrize("chosen", SETS)
def test_the_threshold_calibration_ends_in_a_decision(chosen, tmp_path):
    ends_well("threshold_calibration", chosen, tmp_path)
