"""Run the benchmarks and write docs/performance.md."""

from __future__ import annotations

import datetime

from benchmarks import (
    engine,
    evaluation,
    events,
    events_omop,
    histories,
    interconnections,
    paper_grid,
    predict,
    scaling,
    startup,
    study_time,
)
from benchmarks.measure import ROOT, machine

HEAD = """# Performance

Written by `make benchmark` (`python -m benchmarks`) on {day}.
Machine: {machine}.

Times are processor times on one thread, unless said otherwise, so that other programs on the
machine hardly disturb them; ratios compare figures of the same run. Jobs use as many threads as
their rule says (`resources.threads`, one by default): sums in float32 depend on that number and on
the processor, so results agree bit for bit on one machine and to rounding between machines.
"""


def main() -> None:
    parts = [HEAD.format(day=datetime.date.today(), machine=machine())]
    ingesting = events, events_omop
    for part in (
        engine,
        scaling,
        startup,
        paper_grid,
        evaluation,
        *ingesting,
        histories,
        interconnections,
        predict,
        study_time,
    ):
        parts.append(part.report() + "\n")
        print(parts[-1], flush=True)
    (ROOT / "docs" / "performance.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
