"""How long the synthetic marketplace takes, and how much memory: CPU seconds and peak resident set.

Run `python benchmarks/marketplace.py [ORDERS]`; the aim for 1,000,000 orders is 20 s and 2 GB on two cores.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import riskbench as rb


def main() -> None:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    begin = time.process_time()

    def told(step: str, more: str = "") -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{step:<28} {time.process_time() - begin:7.2f} CPU s  peak {peak:5.2f} GB  {more}", flush=True)

    market = rb.marketplace(orders=orders, seed=7)
    told("people and orders")
    for domain, held in market.datasets.items():
        told(domain, f"{held.rows:,} events")
    told("truth", f"{len(market.truth):,} rows")
    told("labels", f"{len(market.labels):,} rows")
    told("tables", f"{sum(table.rows for table in market.tables.values()):,} rows")
    with tempfile.TemporaryDirectory() as folder:
        files = market.write(folder)
        told("written as Parquet", f"{sum(Path(file).stat().st_size for file in files) / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
