"""Draw the pictures of the documents anew, from the embedded sample: `python docs/pictures.py`.

With `playbooks` behind it, run every shipped playbook instead and keep the picture of its answer, which the index page
shows where nothing was run yet.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import riskbench as rb

IMAGES = Path(__file__).parent / "images"
SHIPPED = Path(rb.__file__).parent / "runner" / "templates" / "pictures"


def threshold_calibration() -> bytes:
    """Return the curve of a model score's cut under a limit on reviews."""
    events = rb.sample("transactions", "ID", orders=200_000)
    drawn = rb.calibrate(events, subject_to=rb.at_most("review_rate", 0.02)).png()
    assert drawn is not None
    return drawn


def playbooks() -> None:
    """Run the shipped playbooks as they are declared, and keep the picture of each one's answer."""
    from riskbench.runner.index import picture_of
    from riskbench.store import Ledger

    SHIPPED.mkdir(exist_ok=True)
    for book in rb.find_playbooks().held:
        with tempfile.TemporaryDirectory() as out:
            assert rb.run(book.id, out=out).status == "done", book.id
            with Ledger(f"{out}/riskbench.db") as ledger:
                drawn = picture_of(book, ledger.entries(playbook=book.id))
        assert drawn is not None, book.id
        (SHIPPED / f"{book.id}.png").write_bytes(drawn.png)
        print(f"wrote pictures/{book.id}.png")


if __name__ == "__main__":
    if sys.argv[1:] == ["playbooks"]:
        playbooks()
    else:
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / "threshold_calibration.png").write_bytes(threshold_calibration())
        print("wrote images/threshold_calibration.png")
