"""Write the models of the study that may leave the hospital as bundles, and an index of all."""

import json
import shutil
from pathlib import Path

from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.study_vocabulary import study_vocabulary
from concept_transfer.exporting.description import Hospital
from concept_transfer.exporting.export import Sender, index_text
from concept_transfer.job import job
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.sites.extract import Extract

with job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    vocabulary = study_vocabulary(inputs.vocabulary, params.vocabulary, inputs.edges)
    hospitals = {
        Path(split).stem: Hospital(
            Extract.read(Path(encounters).parent, vocabulary), Split.read(split), params.classes
        )
        for encounters, split in zip(inputs.encounters, inputs.splits, strict=True)
    }
    index = Path(snakemake.output[0])
    exports, results = index.parent, index.parent.parent
    sender = Sender(
        hospitals,
        Evaluation.model_validate_json(params.evaluation),
        params.seed,
        json.loads(params.use),
        json.loads(params.limits),
        results / "sources",
        params.taught,
    )
    for room in ("sources", "models"):
        shutil.rmtree(exports / room, ignore_errors=True)
    rows = []
    predictions = [None] * len(inputs.sources) + list(map(Path, inputs.predictions))
    for card, own in zip([*inputs.sources, *inputs.kept], predictions, strict=True):
        inner = Path(card).parent
        row = sender.export(inner, exports / inner.relative_to(results), own)
        print(row["bundle"], row["reason"] or "exported")
        rows.append(row)
    index.write_text(index_text(rows), encoding="utf-8")
