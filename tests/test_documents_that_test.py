"""Models of documents are the same, byte by byte, whatever the documents that test say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cell_data import workbench
from document_data import WORDS, document_site

from concept_transfer.cohorts.splits import NEVER_TESTED
from concept_transfer.inputs.text import Texts
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import Work, Workbench

TRAINING = Training.model_validate({})
OTHERS = {word: WORDS[-1 - place] for place, word in enumerate(WORDS)}
TUNED = {"epochs": 1, "layers": 1, "learning_rate": 2e-2}


def with_other_tests(site: Site, planted: str = "") -> Site:
    """The same, in whose documents that test every word is another, and one may be planted."""
    texts = list(site.inputs["text"])
    for row in np.flatnonzero(site.split.fold != NEVER_TESTED):
        texts[row] = f"{' '.join(OTHERS[word] for word in texts[row].split())} {planted}".rstrip()
    return Site(site.cohort, {"text": Texts.of(texts)})


def with_another_that_trains(site: Site) -> Site:
    """The same but for one document from which models learn."""
    texts = list(site.inputs["text"])
    row = int(np.flatnonzero(site.split.fold == NEVER_TESTED)[0])
    texts[row] = " ".join(OTHERS[word] for word in texts[row].split())
    return Site(site.cohort, {"text": Texts.of(texts)})


def learned(
    folder: Path, bench: Workbench, strategy: str, source: Site, target: Site
) -> tuple[dict[str, bytes], np.ndarray]:
    """The files of the models of the source and of the cell; what is said of who tests."""
    handed_on = train_source(source, bench, TRAINING)
    section = STRATEGIES[strategy].settings.model_validate({"kind": strategy})
    work = Work(section, "60", TRAINING, target, source, handed_on)
    predictions, fitted = run_cell(bench, work)
    family: Any = bench.everyone()
    for name, models in (("source", handed_on.models), ("cell", fitted.models)):
        (folder / name).mkdir(parents=True)
        family.write(models, folder / name)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    found = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    return found, predictions.tested(0)[1]


@pytest.mark.parametrize(
    ("learner", "strategy", "settings", "planted"),
    [
        ("tfidf", "pooled", {}, "plantedword"),
        ("tfidf", "pooled", {"lsa": 10}, "plantedword"),
        ("document", "linear", {"epochs": 0}, ""),
        ("document", "pooled", {"head": "knn"}, ""),
        ("document", "full", TUNED, ""),
    ],
)
def test_what_is_learned_knows_nothing_of_documents_that_test(
    tmp_path: Path, learner: str, strategy: str, settings: dict[str, Any], planted: str
) -> None:
    """Words, their weights, axes, heads, and the weights of language models that are tuned. What
    is planted goes to word counts alone: language models read documents of other lengths in other
    batches, which changes last digits."""
    near, far = document_site("near", 120, seed=1), document_site("far", 120, seed=2)
    bench = workbench(Block(0, [0]), learner=learner, classes=3, **settings)
    before, said = learned(tmp_path / "before", bench, strategy, near, far)
    tests = (with_other_tests(site, planted) for site in (near, far))
    after, others = learned(tmp_path / "after", bench, strategy, *tests)
    assert len(before) == 2 * len(bench.learner.files)
    assert after == before
    assert not np.allclose(said, others)
    trains = with_another_that_trains(near), far
    assert learned(tmp_path / "other", bench, strategy, *trains)[0] != before
