"""Time by rule of the studies in results/, from Snakemake's own benchmark files.

``python -m benchmarks.study_time``
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from benchmarks.measure import ROOT, table

COLUMNS = ("rule", "jobs", "seconds", "processor seconds", "peak, MB")

Row = tuple[str, int, float, float, float | str]  # the sums have no largest memory


def by_rule(folder: Path) -> list[Row]:
    """(rule, jobs, seconds, processor seconds, largest memory in MB) of a study's benchmarks."""
    jobs: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="") as file:
            jobs[path.relative_to(folder).parts[0].removesuffix(".tsv")] += list(
                csv.DictReader(file, delimiter="\t")
            )
    rows = [
        (
            rule,
            len(runs),
            sum(_number(run["s"]) for run in runs),
            sum(_number(run["cpu_time"]) for run in runs),
            max(_number(run["max_rss"]) for run in runs),
        )
        for rule, runs in jobs.items()
    ]
    return sorted(rows, key=lambda row: -row[2])


def total(rows: list[Row]) -> Row:
    """The sums over all rules."""
    jobs = sum(row[1] for row in rows)
    return ("**all**", jobs, sum(row[2] for row in rows), sum(row[3] for row in rows), "")


def _number(text: str) -> float:
    """Snakemake writes NA or - for jobs too short to sample."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def report() -> str:
    """The section of docs/performance.md."""
    parts = [
        "## Whole studies\n\nFrom `results/<study>/benchmarks/`, which every job writes: seconds "
        "from start to end of a job, summed over a rule's jobs (jobs run side by side on several "
        "cores), and processor seconds, which leave out waiting for other programs."
    ]
    for folder in sorted(ROOT.glob("results/*/benchmarks")):
        rows = by_rule(folder)
        parts.append(f"### {folder.parent.name}\n\n" + table(COLUMNS, [*rows, total(rows)]))
    if len(parts) == 1:
        parts.append("No study has been run here yet.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(report())
