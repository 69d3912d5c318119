"""A first study of a dataset of the Medical Event Data Standard."""

from __future__ import annotations

from pathlib import Path

from concept_transfer.drafting.events import EventDraft, numbers_of
from concept_transfer.drafting.vocabulary import FEWEST
from concept_transfer.events.database import database, reading
from concept_transfer.events.meds.dataset import Dataset
from concept_transfer.events.vocabulary_draft import draft
from concept_transfer.settings.filling import TO_FILL
from concept_transfer.sites.meds import REMEDY
from concept_transfer.sites.meds_site import MedsSite

SITE = f"""\
    cohort:  # or labels: FILE, in the standard's label schema; or aces: FILE
      index: [{TO_FILL}]  # codes that patients enter with, as the data have them; VISIT//* for all
      outcome: [{TO_FILL}]  # codes of the outcome, likewise
      horizon_days: 30  # an outcome until then counts
      look_back_days: 365  # findings of the year before the index
"""


def is_meds(path: Path) -> bool:
    """Whether a folder has Parquet files in ``data``, and ``metadata``."""
    return (path / "metadata").is_dir() and any((path / "data").rglob("*.parquet"))


def meds_draft(path: Path) -> EventDraft:
    """What a dataset records of `FEWEST` patients or more (StudyError)."""
    fields = MedsSite.model_fields
    dataset = Dataset(path, fields["unit_column"].default)
    dataset.check()
    with database() as db, reading(str(path), REMEDY):
        dataset.load(db, fields["max_corrupt"].default)
        described = {code: text for code, (text, _) in dataset.descriptions(db).items()}
        made = draft(db, described, FEWEST)
        age = db.execute("SELECT 1 FROM births LIMIT 1").fetchone() is not None
        return EventDraft(made.vocabulary, numbers_of(db, made), made.rare, {}, age, SITE)
