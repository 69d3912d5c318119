"""What encoders of histories reach with few labels, beside plain models and the Bayes-optimal line.

``python -m benchmarks.histories_accuracy [config]`` runs ``config/histories.yaml`` in both
directions, every encoder pre-trained once a replicate and twice as long; or a config as it is. It
writes ``docs/histories-results.md``. A study that is up to date is not run again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.few_labels_pairs import run
from benchmarks.measure import ROOT, machine, table
from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING, Cell
from concept_transfer.evaluation.results import Results
from concept_transfer.study import Study

CONFIG = ROOT / "config" / "histories.yaml"
EPOCHS = 8
HEAD = """# Patients' histories: results

Written by `python -m benchmarks.histories_accuracy`. Machine: {machine}.

All patients are simulated; the Bayes-optimal line knows what patients have, noticed or not.

"""
STUDY = """## {study}: {source} to {target}

Mean test AUROC over {replicates} draws of the labelled encounters, each with a copy of its own of
every encoder that has several. Bayes-optimal: {truth:.3f}.
"""


def seeds(config: dict[str, Any]) -> dict[str, Any]:
    """The embedded study in both directions, every encoder once a replicate and pre-trained
    longer."""
    longer = {"copies": config["replicates"], "epochs": EPOCHS}
    encoders = {name: {**encoder, **longer} for name, encoder in config["encoders"].items()}
    return {**config, "study": "histories_seeds", "pairs": "all", "encoders": encoders}


def model(cell: Cell) -> str:
    """``mask, records_a, direct``; a combination by its own name."""
    if cell.classifier == ALL_MODELS:
        return cell.strategy
    representation = [] if cell.embedding == NO_EMBEDDING else [cell.embedding]
    return ", ".join([cell.classifier, *representation, cell.strategy])


def reached(study: Study, results: Results, source: str, target: str) -> str:
    """A row a model, a column a number of labels."""
    sizes = ["0", *map(str, study.target_sizes)]
    found: dict[str, dict[str, float]] = {}
    for cell in results:
        if cell.target == target and cell.source in ("", source):
            found.setdefault(model(cell), {})[cell.size] = results[cell].estimate()
    rows = [
        (name, *(f"{own[size]:.3f}" if size in own else "" for size in sizes))
        for name, own in sorted(found.items())
    ]
    return table(("model", *(f"{size} labels" for size in sizes)), rows)


def report(study: Study, results: Results, truth: dict[str, dict[str, float]]) -> str:
    """All directions, one after the other."""
    parts = []
    for source, target in study.ordered_pairs():
        said = {
            "study": study.study,
            "replicates": study.replicates,
            "truth": truth[target]["estimate"],
        }
        parts.append(STUDY.format(source=source, target=target, **said))
        parts.append(reached(study, results, source, target) + "\n")
    return "\n".join(parts)


def main(path: str | None = None) -> None:
    content = yaml.safe_load(Path(path or CONFIG).read_text(encoding="utf-8"))
    config = content if path else seeds(content)
    ceiling = Path("results", config["study"], "analysis", "ceiling.json")
    study, results = run(config, [str(ceiling)])
    truth = json.loads((ROOT / ceiling).read_text(encoding="utf-8"))
    text = HEAD.format(machine=machine()) + report(study, results, truth)
    (ROOT / "docs" / "histories-results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
