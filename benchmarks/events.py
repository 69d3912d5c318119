"""Time and memory from a MEDS dataset to encounters: a million encounters of thirty million events.

``python -m benchmarks.events``
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.measure import in_child, peak_memory_mb, table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.settings.sites import SiteSection

PATIENTS, EVENTS, SHARDS, CODES = 1_000_000, 30, 10, 400
TEXT = """## MEDS datasets

{patients:,} patients with {events} events each ({codes} codes, a tenth of them numbers) in {shards}
Parquet files become encounters with findings: one index visit a patient, the outcome within 30
days, a look-back without end. Seconds of the clock and of the processors, on as many cores as there
are, while the machine does nothing else.

{table}"""


def write_meds(folder: Path, patients: int) -> None:
    """A dataset in the layout of MEDS, sorted by subject and time."""
    (folder / "data").mkdir(parents=True)
    each = patients // SHARDS
    for shard in range(SHARDS):
        with duckdb.connect(config={"memory_limit": "1500MB"}) as db:
            db.execute(f"SELECT setseed({shard / SHARDS})")
            db.execute(
                f"""
                COPY (
                    SELECT p AS subject_id, CASE i
                            WHEN 0 THEN TIMESTAMP '1960-01-01' + to_days((p % 15000)::INTEGER)
                            WHEN 1 THEN TIMESTAMP '2020-01-01' + to_days((p % 365)::INTEGER)
                            WHEN 2 THEN TIMESTAMP '2020-01-20' + to_days((p % 365)::INTEGER)
                            WHEN 3 THEN TIMESTAMP '2021-06-01'
                            ELSE TIMESTAMP '2018-01-01' + to_seconds(second) END AS time,
                        CASE WHEN i = 0 THEN 'MEDS_BIRTH' WHEN i = 1 THEN 'VISIT//ED'
                            WHEN i = 2 AND p % 10 = 0 THEN 'DX//outcome'
                            WHEN k % 10 = 0 THEN 'LAB//' || k ELSE 'DX//' || k END AS code,
                        CASE WHEN k % 10 = 0 AND i > 3 THEN number END AS numeric_value
                    FROM (
                        SELECT p, i, (random() * 730 * 86400)::BIGINT AS second,
                            (random() ** 3 * {CODES})::INTEGER AS k,
                            (random() * 100)::FLOAT AS number
                        FROM range({shard * each}, {(shard + 1) * each}) patients(p),
                            range({EVENTS}) events(i)
                    ) ORDER BY subject_id, time
                ) TO '{folder}/data/{shard}.parquet' (FORMAT parquet)
                """
            )


def vocabulary() -> Vocabulary:
    """A token for 160 codes, four bins for ten codes with numbers, and the age."""
    names = [f"DX//{k}" for k in range(1, 180) if k % 10]
    rows = [(name, name, "finding", "present", name, "") for name in names]
    for name in [f"LAB//{k}" for k in range(0, 100, 10)] + ["age"]:
        for low in ("-inf", "25", "50", "75"):
            rows.append((name, name, "measurement", f"from {low}", f"{name} {low}", low))
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def measured(folder: str) -> dict[str, float]:
    """Reads the dataset as a study does, in this process."""
    from concept_transfer.sites.meds_site import MedsSite

    cohort = {"index": ["VISIT//*"], "outcome": ["DX//outcome"], "horizon_days": 30}
    section = {"adapter": "meds", "path": folder, "cohort": cohort, "age": "age"}
    return ingested(MedsSite.model_validate(section), vocabulary(), Path(folder))


def ingested(site: SiteSection, words: Vocabulary, folder: Path) -> dict[str, float]:
    """Time and memory from a site's files to its encounters on disk."""
    from concept_transfer.settings.task import Task
    from concept_transfer.sites.reading import read_site

    begun, processor = time.perf_counter(), time.process_time()
    extract = read_site(site, words, Task(label="outcome"), folder)
    clock, processor = time.perf_counter() - begun, time.process_time() - processor
    begun = time.perf_counter()
    extract.write(folder / "encounters" / "site", words)
    return {
        "encounters": len(extract),
        "findings": len(extract.inputs["findings"].values),
        "clock": clock,
        "processor": processor,
        "write": time.perf_counter() - begun,
        "peak": peak_memory_mb(),
    }


def report(patients: int = PATIENTS) -> str:
    """The section of docs/performance.md."""
    with tempfile.TemporaryDirectory() as folder:
        write_meds(Path(folder), patients)
        found = in_child("events", folder)
    columns = ["encounters", "findings", "s read", "s processors", "s write", "MB peak"]
    shown = table(columns, [[*found.values()]])
    return TEXT.format(patients=patients, events=EVENTS, shards=SHARDS, codes=CODES, table=shown)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        print(json.dumps(measured(sys.argv[1])))
    else:
        print(report(*map(int, sys.argv[1:])))
