"""Write which words of notes were taken for which concept, those of few encounters left out."""

from pathlib import Path

from concept_transfer.job import job
from concept_transfer.sites.review import review

with job(snakemake.log[0], texts=True):
    folder = Path(snakemake.input[0]).parent
    review(folder, snakemake.params.small_cells, Path(snakemake.output[0]))
