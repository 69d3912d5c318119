"""What models reach with few labels, and what a choice among them costs.

``python -m benchmarks.few_labels [data]`` runs ``config/few-labels.yaml`` and, where a folder with
the material of ``config/gao2024.yaml`` is given, the same models on its counties; it writes
``docs/few-labels.md``. Studies that are up to date are not run again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import ROOT, machine, table
from concept_transfer.cell import ALL_MODELS, Cell
from concept_transfer.comparison.contrasts import Contrast
from concept_transfer.comparison.effects import Effect, paired_effect
from concept_transfer.evaluation.results import Results, read_results
from concept_transfer.grid import Grid
from concept_transfer.study import Study, load_study

CONFIG = ROOT / "config" / "few-labels.yaml"
CHOICE = "auto"
HEAD = """# Few labels

Written by `python -m benchmarks.few_labels`. Machine: {machine}.

Test AUROC, means over {replicates} draws of the labelled encounters; every draw's labels are the
whole budget, of which learners that cross-fit train on all, and the network on four fifths.
"""


def configs(data: str | None) -> Iterator[dict[str, Any]]:
    """The studies: the counties of the demo, and those of the paper."""
    own = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    yield own
    if data is None:
        return
    paper = yaml.safe_load((ROOT / "config" / "gao2024.yaml").read_text(encoding="utf-8"))
    shared = ("vocabulary", "task", "sites", "split", "pairs")
    yield {
        **own,
        **{name: paper[name] for name in shared},
        "study": "few_labels_gao2024",
        "data": data,
        "embeddings": {"bert": paper["embeddings"]["bert_norm15"]},
    }


def run(config: dict[str, Any]) -> tuple[Study, Results]:
    """The study, run to its metrics."""
    study = load_study(config)
    grid = Grid(study)
    folders = [
        Path("results", study.study, "metrics", target, embedding)
        for target in grid.targets
        for embedding in grid.embeddings_of_metrics()
    ]
    written = ROOT / "results" / f"{study.study}.yaml"
    written.parent.mkdir(exist_ok=True)
    written.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    wanted = [str(folder / "estimates.parquet") for folder in folders]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"]
    command += ["--configfile", str(written), "--", *wanted]
    subprocess.run(command, check=True, cwd=ROOT)
    return study, read_results(ROOT / folder for folder in folders)


def model(cell: Cell) -> str:
    """``gaussian_process prior``; a combination by its own name."""
    return (
        cell.strategy if cell.classifier == "all_models" else f"{cell.classifier} {cell.strategy}"
    )


def of_pair(results: Results, source: str, target: str) -> list[Cell]:
    return [c for c in results if c.target == target and c.source in ("", source)]


def reached(study: Study, results: Results, source: str, target: str) -> str:
    """A row a model, a column a number of labels."""
    sizes = ["0", *map(str, study.target_sizes)]
    found: dict[str, dict[str, float]] = {}
    for cell in of_pair(results, source, target):
        found.setdefault(model(cell), {})[cell.size] = results[cell].estimate()
    rows = [
        (name, *(f"{own[size]:.3f}" if size in own else "" for size in sizes))
        for name, own in found.items()
    ]
    return table(("model", *(f"{size} labels" for size in sizes)), rows)


def prices(study: Study, results: Results, source: str, target: str) -> str:
    """What `auto` loses against the best in hindsight, and gains over what is at hand."""
    rows = []
    for size in ["0", *map(str, study.target_sizes)]:
        cells = [c for c in of_pair(results, source, target) if c.size in (size, "0")]
        chosen = [c for c in cells if (c.strategy, c.size) == (CHOICE, size)]
        others = [c for c in cells if c.classifier != ALL_MODELS]
        if not chosen or not others:
            continue
        best = max(others, key=lambda c: results[c].estimate())
        at_hand = [c for c in others if c.strategy in ("direct", "local")]
        rival = max(at_hand, key=lambda c: results[c].estimate())
        calibration = results[chosen[0]].estimates
        rows.append(
            (
                size,
                f"{results[chosen[0]].estimate():.3f}",
                model(best),
                _said(_less(study, results, best, chosen[0])),
                model(rival),
                _said(_less(study, results, chosen[0], rival)),
                f"{calibration['calibration_intercept']['estimate']:.2f}",
                f"{calibration['calibration_slope']['estimate']:.2f}",
            )
        )
    names = ("labels", "AUROC of auto", "best in hindsight", "its lead over auto")
    names += ("better of direct and best local", "auto's lead over it", "intercept", "slope")
    return table(names, rows)


def _less(study: Study, results: Results, a: Cell, b: Cell) -> Effect:
    return paired_effect([Contrast("", (a,), (b,))], results, study.evaluation)


def _said(effect: Effect) -> str:
    return f"{effect.difference:+.3f} [{effect.lower:+.3f}, {effect.upper:+.3f}]"


def report(data: str | None) -> Iterator[str]:
    for config in configs(data):
        study, results = run(config)
        for source, target in study.ordered_pairs():
            yield f"## {source} to {target} ({study.study})\n"
            yield reached(study, results, source, target) + "\n"
            yield prices(study, results, source, target) + "\n"


def main() -> None:
    replicates = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["replicates"]
    parts = [HEAD.format(machine=machine(), replicates=replicates)]
    for part in report(sys.argv[1] if sys.argv[1:] else None):
        print(part, flush=True)
        parts.append(part)
    (ROOT / "docs" / "few-labels.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
