"""Bundles of a study as they may leave the hospital, or the reason why one may not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.cell_predictions import read_predictions
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.exporting.card import leaving
from concept_transfer.exporting.description import Hospital
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import Bundle, ModelCard, read_bundle, read_card, write_bundle
from concept_transfer.models.manifest import fingerprint
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.training.reading import family_of

COLUMNS = (
    "bundle",
    "site",
    "source",
    "embedding",
    "classifier",
    "strategy",
    "target_size",
    "exported",
    "reason",
    "fingerprint",
)


@dataclass(frozen=True)
class Sender:
    """A study whose bundles leave.

    hospitals: site -> its encounters; use: what the sender says of the models' use, see
    `ModelCard`; limits: site -> what a reader must not conclude of its data; sources: folder of the
    models that sources hand on; taught: representations that have learned from documents.
    """

    hospitals: Mapping[str, Hospital]
    evaluation: Evaluation
    seed: int
    use: Mapping[str, str]
    limits: Mapping[str, str]
    sources: Path
    taught: Collection[str] = ()

    def export(self, inner: Path, outer: Path, predictions: Path | None) -> dict[str, str]:
        """Write the bundle `inner` of the study as `outer`, and return its row of the index.

        predictions: those of its cell's block, None of models that a source hands on. One that may
        not leave is not written; the row says why.
        """
        bundle = read_bundle(inner)
        card = bundle.card
        row = {
            "bundle": str(outer),
            "site": card.site,
            "source": card.source,
            "embedding": card.embedding,
            "classifier": inner.parts[-4 if predictions else -2],
            "strategy": (card.strategy or {}).get("name", ""),
            "target_size": card.target_size,
        }
        if problem := self._problem(bundle):
            return row | {"exported": "no", "reason": problem, "fingerprint": ""}
        family = family_of(bundle)
        models = family.read(inner)
        limits = dict.fromkeys(self.limits[site] for site in self._sites(card))
        outer_card = leaving(
            card,
            self.hospitals[card.site],
            self._estimates(card, predictions),
            self._data(bundle),
            {**self.use, "limits": [text for text in limits if text]},
            self.evaluation.small_cells,
        )
        write_bundle(
            outer,
            lambda folder: family.write(models, folder),
            outer_card,
            bundle.vocabulary,
            bundle.table,
        )
        return row | {"exported": "yes", "reason": "", "fingerprint": fingerprint(outer)}

    def _problem(self, bundle: Bundle) -> str:
        """Why models may not leave; "" where nothing is known against it."""
        card, small = bundle.card, self.evaluation.small_cells
        record = LEARNERS[card.learner["kind"]]
        if record.leaves is None:
            return (
                f"nothing is known of whether models of the learner {card.learner['kind']} hold "
                "values of single patients: its record has no `leaves`"
            )
        if card.embedding in self.taught:
            return (
                "its vectors are of a language model that has learned from documents, and nothing "
                "bounds what they tell of a single one; keep models with its base"
            )
        if not all((bundle.folder / name).is_file() for name in record.files):
            return "no replicate has a model"
        learned = [record["train"] + record["validation"] for record in card.replicates]
        if min(learned) < small:
            return f"it learned from fewer than {small} encounters; keep a larger target size"
        return record.leaves(family_of(bundle).read(bundle.folder), small)

    def _estimates(self, card: ModelCard, predictions: Path | None) -> list[dict[str, Any]]:
        """What evaluation says of the cell's block, as rows of ``estimates.parquet``."""
        if predictions is None or card.performance is None or card.performance["auroc"] is None:
            return []
        split = self.hospitals[card.site].split
        classes = card.classes if len(card.classes) > 2 else []
        found = evaluate_cells(
            [read_predictions([predictions])],
            split.encounter,
            split.cluster,
            self.evaluation,
            self.seed,
            classes=classes,
        )
        return list(found.estimates.to_pylist())

    def _sites(self, card: ModelCard) -> list[str]:
        """The sites with encounters here that models learned from."""
        return [site for site in (card.source, card.site) if site in self.hospitals]

    def _data(self, bundle: Bundle) -> dict[str, dict[str, Any]]:
        """Site -> what is told of its encounters; of a source without any here, what came."""
        card, small = bundle.card, self.evaluation.small_cells
        told: dict[str, dict[str, Any]] = {}
        if card.source and card.source not in self.hospitals:
            embedding, classifier, *_, block = bundle.folder.parts[-5:]
            told |= read_card(self.sources / card.source / embedding / classifier / block).data
        for site in self._sites(card):
            told[site] = self.hospitals[site].described(bundle.vocabulary, small)
        return told


def index_text(rows: list[dict[str, str]]) -> str:
    """The index as TSV. Raises StudyError where no model at all may leave."""
    if rows and not any(row["exported"] == "yes" for row in rows):
        reasons = "; ".join(dict.fromkeys(f"{row['classifier']}: {row['reason']}" for row in rows))
        raise StudyError(f"no model of the study may leave. {reasons}")
    lines = ["\t".join(COLUMNS), *("\t".join(row[name] for name in COLUMNS) for row in rows)]
    return "\n".join(lines) + "\n"
