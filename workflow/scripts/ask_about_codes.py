"""Ask about all pairs of codes by the names of these alone."""

import json
from pathlib import Path

import numpy as np

from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.job import job
from concept_transfer.registry import imported

with job(snakemake.log[0]):
    name, output = snakemake.wildcards.method, snakemake.output
    given = json.loads(snakemake.params.settings)
    method = METHODS[given["kind"]]
    nodes = Nodes.read(Path(snakemake.input.nodes[0]))
    where = f"interconnections.methods.{name}"
    ask = imported(method.prepare)
    scores, facts = ask(where, method.settings.model_validate(given), nodes)
    np.save(output.scores, scores)
    Path(output.facts).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
