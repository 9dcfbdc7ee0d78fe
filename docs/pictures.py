"""Draw the pictures of the documents anew, from the embedded sample: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import riskbench as rb

IMAGES = Path(__file__).parent / "images"


def threshold_calibration() -> bytes:
    """Return the curve of a model score's cut under a limit on reviews."""
    events = rb.sample("transactions", "ID", orders=200_000)
    drawn = rb.calibrate(events, subject_to=rb.at_most("review_rate", 0.02)).png()
    assert drawn is not None
    return drawn


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "threshold_calibration.png").write_bytes(threshold_calibration())
    print("wrote images/threshold_calibration.png")
