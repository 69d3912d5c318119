"""How a hospital that receives a bundle writes down its encounters."""

from __future__ import annotations

from pathlib import Path

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.errors import StudyError, choices
from concept_transfer.paths import resolve
from concept_transfer.serving.coding import Coder
from concept_transfer.serving.scoring import Scorer
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.study_file import read_study


def hospital_of(scorer: Scorer, config: str | None, site: str | None) -> Coder:
    """What columns and cells mean.

    Codes are concepts and states go by the usual words, or both are as the tabular site of a
    study's config has them. Raises StudyError.
    """
    vocabulary = scorer.bundle.vocabulary
    if config is None and site is None:
        usual = TabularSite.model_construct(adapter="tabular")
        return Coder(vocabulary, scorer.task, usual)
    if config is None or site is None:
        raise StudyError("--config and --site go together: a study, and one of its tabular sites")
    sites = read_study(Path(config)).sites
    tabular = {name: entry for name, entry in sites.items() if isinstance(entry, TabularSite)}
    if site not in tabular:
        raise StudyError(
            f"--site: {config} has no tabular site '{site}'; its tabular sites are "
            f"{choices(tabular) or 'none'}"
        )
    own = tabular[site]
    roles = (own.label.column, own.patient, own.cluster, own.time, own.partition)
    beside = {*filter(None, roles), *own.ignore_columns}
    crosswalk = None
    if own.crosswalk is not None:
        crosswalk = Crosswalk.read(resolve(own.crosswalk, Path.cwd()), vocabulary)
    return Coder(vocabulary, scorer.task, own, crosswalk, beside)
