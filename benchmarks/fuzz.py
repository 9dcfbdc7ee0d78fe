"""A hundred thousand generated rule texts through parse, bind, kernel and DuckDB: no crash, no file, no difference.

Run: python benchmarks/fuzz.py [--texts 100000] [--seed 0] [--report]

The generator (tests/fuzz_texts.py) makes valid conditions with every function and shape of the language, conditions
with one letter or word broken, and hostile ones: injections, file functions, deep nesting, look-alike letters, huge
numbers, control characters. Each text is parsed; what is read is bound to the columns of a small table full of missing
values, NaN, quotes, dates, and whole numbers at the limits of 64 bits; what is bound is evaluated by the kernel and by
DuckDB, many conditions a query, and every answer is compared, event by event. Any error that is not of riskbench's own
family stops the run, as does any file opened or any connection made after the start (an audit hook watches both).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import fuzz_texts as texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="show the differences instead of stopping at the first")
    given = parser.parse_args()
    begun, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = texts.run(given.texts, seed=given.seed, folder=Path(folder), stop=not given.report)
    told: Counter[str] = found.counts
    print(f"texts {given.texts:,} (seed {given.seed}), {time.perf_counter() - begun:.0f} s, "
          f"{time.process_time() - cpu:.0f} CPU-s")  # fmt: skip
    for name, count in told.most_common():
        print(f"  {name:<28} {count:>9,}")
    print(f"  answers compared             {found.answers:>9,}")
    print(f"  crashes {len(found.crashes)}, files or connections {len(found.touched)}")
    print(f"  differences {len(found.differences)}")
    for line in (*found.crashes[:40], *found.touched[:40], *found.differences[:40]):
        print("  !", line)
    sys.exit(1 if found.crashes or found.touched or found.differences else 0)


if __name__ == "__main__":
    main()
