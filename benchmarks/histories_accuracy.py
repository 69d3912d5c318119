"""What encoders of histories reach with few labels, beside plain models and the Bayes-optimal line.

``python -m benchmarks.histories_accuracy`` runs ``config/histories.yaml`` in both directions, every
encoder pre-trained once a replicate and twice as long; and, at each site, its own encoder tuned
with each head. It writes ``docs/histories-results.md``. A study that is up to date is not run
again.
"""

from __future__ import annotations

import json
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
TUNING = 6  # epochs at most
HEADS = ("mask", "sum", "vector")
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


def tuned(config: dict[str, Any], source: str, target: str) -> dict[str, Any]:
    """What tuning makes of the target's own encoder, as `seeds` pre-trains it."""
    own = f"records_{target}"
    heads = {name: {**config["classifiers"][name], "epochs": TUNING} for name in HEADS}
    changes = {
        "study": f"histories_tuned_{target}",
        "pairs": [[source, target]],
        "embeddings": {"one_hot": config["embeddings"]["one_hot"]},
        "encoders": {own: seeds(config)["encoders"][own]},
        "classifiers": {**heads, "logistic": config["classifiers"]["logistic"]},
        "strategies": ["zero", "local", "stack"],
    }
    left = {key: value for key, value in config.items() if key not in ("claims", "meaning")}
    return {**left, **changes}


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


def main() -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    parts = [HEAD.format(machine=machine())]
    for each in (seeds(config), tuned(config, "a", "b"), tuned(config, "b", "a")):
        ceiling = Path("results", each["study"], "analysis", "ceiling.json")
        study, results = run(each, [str(ceiling)])
        truth = json.loads((ROOT / ceiling).read_text(encoding="utf-8"))
        parts.append(report(study, results, truth))
    text = "\n".join(parts)
    (ROOT / "docs" / "histories-results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
