"""What adaptation reads of a study: documents of patients outside every test set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.cohorts.untested import never_test
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.sites.site import read_inputs


def read_documents(
    files: Iterable[str], cohorts: Mapping[str, tuple[Encounters, Split]], shared_identifiers: bool
) -> Readable:
    """The documents of patients who test nowhere.

    files: of folders ``encounters/<site>``; cohorts, shared_identifiers: as `never_test`.

    Raises StudyError where files do not belong together, or it is not known whose encounters are.
    """
    sites, patients, kinds, labels = [], [], [], []
    for folder in dict.fromkeys(Path(file).parent for file in files):
        encounters = cohorts[folder.name][0]
        texts = read_inputs(folder, len(encounters), ["text"])["text"]
        whose = np.asarray(encounters.table.column("patient").to_numpy(), dtype=object)
        rows = never_test(whose, folder.name, cohorts, shared_identifiers).nonzero()[0]
        sites.append(texts.select(rows))
        owner = "" if shared_identifiers else f"{folder.name} "
        patients.append(np.array([f"{owner}{patient}" for patient in whose[rows]], dtype=object))
        named = np.array([*texts.names, ""], dtype=object)  # the last for NO_CATEGORY, -1
        kinds.append(named[texts.categories[rows]])
        labels.append(encounters.labels[rows].astype(np.int64))
    names, categories = np.unique(np.concatenate(kinds).astype(str), return_inverse=True)
    nameless = int("" in names)  # which stands first
    _, people = np.unique(np.concatenate(patients).astype(str), return_inverse=True)
    return Readable(
        tuple(sites),
        people.astype(np.int64),
        categories.astype(np.int64) - nameless,
        tuple(names[nameless:].tolist()),
        np.concatenate(labels),
    )
