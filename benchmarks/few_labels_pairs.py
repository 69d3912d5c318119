"""The studies of `few_labels`: pairs of sites at several distances and sizes, and how they run."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.measure import ROOT
from concept_transfer.evaluation.results import Results, read_results
from concept_transfer.grid import Grid
from concept_transfer.study import Study, load_study

CONFIG = ROOT / "config" / "few-labels.yaml"
NETWORKS = ROOT / "resources" / "networks"
SHARED = ("vocabulary", "task", "sites", "split", "pairs", "notice", "title")
LEAST = 1e-3  # a probability that moves
FIRST_SEED = 100
REGIONS = [["south", "west"], ["west", "northeast"]]
REPLICATES_OF_FOLDS = 5  # each of them fits every fold


@dataclass(frozen=True)
class Moved:
    """A pair of sampled counties.

    source, target: the embedded county that each is moved from, and how far (the standard
    deviation that log odds are moved by); encounters: of source and target; influenza: its share
    among the target's diseases, where that is set.
    """

    name: str
    source: tuple[str, float]
    target: tuple[str, float]
    encounters: tuple[int, int]
    influenza: float | None = None


SAMPLED = (
    Moved("near", ("north", 0.0), ("north", 0.3), (4000, 3000)),
    Moved("far", ("south", 0.0), ("north", 1.0), (3000, 2500)),
    Moved("rare", ("south", 0.6), ("north", 0.6), (8000, 8000), influenza=0.06),
)


def studies(data: str | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Configs: the demo's counties, three sampled pairs and, with a folder of their material, the
    counties of the paper and the regions of NHAMCS. Networks are written into a folder."""
    own = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    yield own
    for place, pair in enumerate(SAMPLED):
        yield {**own, **_sampled(pair, FIRST_SEED + 10 * place, folder)}
    if data is not None:
        vectors = _other("gao2024")["embeddings"]["bert_norm15"]
        yield {**own, **_like("gao2024", data), "embeddings": {"bert": vectors}}
        regions = {**own, **_like("nhamcs", f"{data}/nhamcs"), "pairs": REGIONS}
        without = {k: v for k, v in own["strategies"].items() if k != "pooled"}
        yield {**regions, "strategies": without, "replicates": REPLICATES_OF_FOLDS}


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


def _other(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text("utf-8"))
    return content


def _like(name: str, data: str) -> dict[str, Any]:
    """What another config says of its sites."""
    other = _other(name)
    shared = {key: other[key] for key in SHARED if key in other}
    return {**shared, "study": f"few_labels_{name}", "data": data}


def _sampled(pair: Moved, seed: int, folder: Path) -> dict[str, Any]:
    sites = {}
    for place, role in enumerate(("source", "target")):
        county, distance = getattr(pair, role)
        share = pair.influenza if role == "target" else None
        network = folder / f"{pair.name}-{role}.yaml"
        write_moved(county, distance, share, np.random.default_rng(seed + place), network)
        sites[role] = {
            "adapter": "simulated",
            "network": str(network),
            "encounters": pair.encounters[place],
            "seed": seed + place,
        }
    return {
        "study": f"few_labels_{pair.name}",
        "title": f"Few labels between sampled counties, {pair.name}",
        "sites": sites,
        "pairs": [["source", "target"]],
    }


def write_moved(
    name: str, distance: float, influenza: float | None, rng: np.random.Generator, path: Path
) -> None:
    """An embedded county, moved: illnesses, who comes, what is written, and in which words."""
    county = yaml.safe_load((NETWORKS / f"{name}.yaml").read_text(encoding="utf-8"))
    base = yaml.safe_load((NETWORKS / county["base"]).read_text(encoding="utf-8"))
    moved, illnesses = copy.deepcopy(county), copy.deepcopy(base)
    for sign, table in base["signs"].items():
        by_disease = rng.normal(0, distance / 2, len(base["diseases"]))
        rows = table if isinstance(table, dict) else {"": table}
        shifted = {age: _moved(np.array(row), by_disease) for age, row in rows.items()}
        illnesses["signs"][sign] = shifted if isinstance(table, dict) else shifted[""]
    moved["diseases"] = _shares(county["diseases"], rng, distance / 2)
    if influenza is not None:
        others = 1 - moved["diseases"]["influenza"]
        for disease, share in moved["diseases"].items():
            moved["diseases"][disease] = share * (1 - influenza) / others
        moved["diseases"]["influenza"] = influenza
    moved["ages"] = {d: _shares(each, rng, distance / 2) for d, each in county["ages"].items()}
    usual = county["recorded"]["usual"]
    for state in usual:
        moved["recorded"]["usual"][state] = _moved(np.array(usual[state]), rng.normal(0, distance))
    for sign, words in county["wording"].items():
        if rng.random() < min(distance, 1) / 2:
            values = list(words.values())
            moved["wording"][sign] = dict(zip(words, values[::-1], strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    moved["base"] = f"{path.stem}-illnesses.yaml"
    path.write_text(yaml.safe_dump(moved), encoding="utf-8")
    (path.parent / moved["base"]).write_text(yaml.safe_dump(illnesses), encoding="utf-8")


def _moved(probability: Any, by: Any) -> Any:
    """Probabilities whose log odds are moved; 0 and 1 stay."""
    inside = np.clip(probability, LEAST, 1 - LEAST)
    odds = inside / (1 - inside) * np.exp(by)
    same = (probability == 0) | (probability == 1)
    return np.where(same, probability, odds / (1 + odds)).tolist()


def _shares(shares: dict[str, float], rng: np.random.Generator, distance: float) -> Any:
    values = np.array(list(shares.values())) * np.exp(rng.normal(0, distance, len(shares)))
    return dict(zip(shares, (values / values.sum()).tolist(), strict=True))
