"""Runs the real workflow on a tiny study in a folder of its own."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]


def tiny_study() -> dict[str, Any]:
    """Two simulated sites of 400 encounters, three embeddings, every strategy, two replicates."""
    networks = REPOSITORY / "resources" / "networks"
    return {
        "study": "tiny",
        "vocabulary": str(REPOSITORY / "resources" / "concepts" / "influenza.tsv"),
        "task": {"label": "influenza", "exclude_categories": ["impression", "lab result"]},
        "sites": {
            name: {
                "adapter": "simulated",
                "network": str(networks / f"{name}.yaml"),
                "encounters": 400,
            }
            for name in ("north", "south")
        },
        "split": {"by": "share"},
        "embeddings": {
            "one_hot": {"provider": "one_hot"},
            "random": {"provider": "random", "like": "one_hot"},
            "shuffled": {"provider": "shuffled", "of": "one_hot"},
        },
        "classifiers": ["cnn", "logistic"],
        "strategies": ["local", "direct", "linear", "full", "pooled", "auto"],
        "target_sizes": [60, "all"],
        "replicates": 2,
        "block_size": 2,
        "meaning": {"shuffles": 2},
        "training": {"epochs": 2, "fixed_epochs": 2},
        "evaluation": {"draws": 100},
    }


@dataclass
class Run:
    """One call of snakemake."""

    code: int
    output: str

    def jobs(self) -> dict[str, int]:
        """Rule -> number of planned or executed jobs; empty where there is nothing to do."""
        stats = re.search(r"^job +count\n[- ]+\n(.*?)\n\n", self.output + "\n\n", re.M | re.S)
        if stats is None:
            return {}
        counts = dict(re.findall(r"^(\w+) +(\d+)$", stats.group(1), re.M))
        return {rule: int(n) for rule, n in counts.items() if rule not in ("total", "all")}


class Study:
    """A study's config in a folder, changed in memory and run from there."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.config = folder, config

    def changed(self, **sections: Any) -> Study:
        """The same folder with some top-level keys replaced."""
        return Study(self.folder, {**copy.deepcopy(self.config), **sections})

    def run(self, *arguments: str, also: Path | None = None) -> Run:
        """Call snakemake on this config and another file; arguments are targets and flags."""
        path = self.folder / "study.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", *arguments]
        command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.folder)]
        command += ["--configfile", str(path), *([str(also)] if also else [])]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return Run(done.returncode, done.stdout)

    def plan(self, *arguments: str) -> dict[str, int]:
        """Jobs that a run would start."""
        planned = self.run("--dry-run", *arguments)
        assert planned.code == 0, planned.output
        return planned.jobs()
