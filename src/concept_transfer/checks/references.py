"""All checks of a study that need no data, in the order in which their errors help most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.checks.classifiers import check_classifiers, check_encoders
from concept_transfer.checks.embeddings import check_embeddings
from concept_transfer.checks.interconnections import check_interconnections
from concept_transfer.checks.questions import check_keep, check_ladder, check_meaning
from concept_transfer.checks.sites import check_bins, check_notes, check_sites
from concept_transfer.checks.strategies import check_strategies
from concept_transfer.settings.claims import check_claims
from concept_transfer.settings.embeddings import check_parents

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_references(study: Study) -> None:
    """Raise ValueError where a section names what another lacks, or asks for what it cannot do."""
    check_parents(study.embeddings)
    for check in (
        check_sites,
        check_embeddings,
        check_bins,
        check_notes,
        check_classifiers,
        check_encoders,
        check_strategies,
        check_keep,
        check_claims,
        check_ladder,
        check_meaning,
        check_interconnections,
    ):
        check(study)
