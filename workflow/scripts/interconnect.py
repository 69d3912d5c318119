"""Find which codes belong together by every method, and judge it on other patients."""

import json
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.interconnect import interconnect
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.nodes import Nodes, numbered
from concept_transfer.interconnections.question import Question
from concept_transfer.interconnections.schemas import TABLES
from concept_transfer.interconnections.truth import planted
from concept_transfer.job import job
from concept_transfer.parquet import write_rows
from concept_transfer.registry import imported
from concept_transfer.settings.interconnections import Interconnections
from concept_transfer.settings.sites import Site
from concept_transfer.sites.adapters import ADAPTERS

with job(snakemake.log[0]):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    settings = Interconnections.model_validate_json(params.interconnections)
    evaluation = json.loads(params.evaluation)
    nodes = Nodes.read(Path(inputs.nodes[0]))
    sites = {}
    for path in map(Path, inputs.codes):
        sets = CodeSets.read(path)
        _, number = numbered(sets.names, settings.codes, nodes.code)
        sites[path.stem] = sets.renamed(number, nodes.code)
    read_by = json.loads(params.read_by)
    known_to = {
        name: frozenset(read_by[encoder])
        for name, section in settings.methods.items()
        for encoder in METHODS[section.kind].encoders(section)
    }
    simulated = TypeAdapter(dict[str, Site]).validate_python(json.loads(params.simulated))
    links = [
        link
        for site in simulated.values()
        for link in imported(ADAPTERS[site.adapter].links)(site, Path.cwd())
    ]
    question = Question(
        settings,
        nodes,
        sites,
        params.seed,
        evaluation["small_cells"],
        evaluation["confidence"],
        {Path(path).stem: np.load(path) for path in inputs.vectors},
        {Path(path).parent.parent.name: Path(path).parent for path in inputs.encoders},
        {Path(path).stem: np.load(path) for path in inputs.prepared},
        known_to,
        planted(links, nodes.code) if links else None,
    )
    for name, rows in interconnect(question).items():
        write_rows(output[name], rows, TABLES[name])
