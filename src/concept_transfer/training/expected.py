"""How much classifiers of documents read while they tune language models, told before any job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from concept_transfer.cell import Cell
from concept_transfer.cohorts.budget import FEWEST_OF_A_CLASS
from concept_transfer.grid import Grid
from concept_transfer.learners.document import Document, folds
from concept_transfer.sites.amounts import Amount
from concept_transfer.training.choosing import alternatives

FROZEN = "linear"  # the strategy that trains a head alone


@dataclass(frozen=True)
class Tuning:
    """What a classifier is still to do with one language model.

    amounts: of the documents of each site; most: tokens that it reads of a document; results: the
    study's folder.
    """

    grid: Grid
    settings: Document
    amounts: Mapping[str, Amount]
    most: int
    results: Path

    def tokens(self, cells: Iterable[Cell]) -> tuple[float, float]:
        """Learned, and read besides, by these cells and the source models that they start from, if
        each is tuned for all epochs and no two replicates are alike."""
        learned, read, sources = 0.0, 0.0, dict[Path, float]()
        for cell in cells:
            starts = self.grid.study.strategy(cell.strategy).starts_from_source
            if starts and cell.source not in self.grid.received:
                folder = self.results / "sources" / cell.source / cell.embedding / cell.classifier
                sources[folder] = self._passes(self._labelled(cell.source, "all"))
            fits = self._to_fit(self.results / "predictions" / cell.path, ".parquet")
            own = self._of_fit(cell)
            learned += fits * own
            if own or starts:
                read += fits * self.amounts[cell.target].all(self.most)
        learned += sum(self._to_fit(folder, "/card.json") * own for folder, own in sources.items())
        return learned, read

    def _of_fit(self, cell: Cell) -> float:
        """Tokens that one replicate learns from."""
        section = self.grid.study.strategies[cell.strategy]
        strategy = self.grid.study.strategy(cell.strategy)
        if strategy.adapts or strategy.is_unchanged or section.kind == FROZEN:
            return 0.0
        tokens = [self._labelled(cell.target, cell.size)] if strategy.uses_labels else []
        tokens += [self._labelled(cell.source, "all")] if strategy.uses_source else []
        return len(alternatives(strategy.choices, section)) * self._passes(*tokens)

    def _labelled(self, site: str, size: str) -> tuple[int, float]:
        """How many labels a target size is of a site at most, and the tokens of their documents."""
        amount = self.amounts[site]
        if size == "all":
            tokens = amount.all(self.most)
            return amount.documents or int(tokens / self.most), tokens
        return int(size), amount.some(int(size), self.most)

    def _passes(self, first: tuple[int, float], *others: tuple[int, float]) -> float:
        """Tokens of all passes over labelled documents, of which the first are those that choose
        how many; 0 where these are too few to choose."""
        labels, tokens = first
        if labels < FEWEST_OF_A_CLASS * len(self.grid.study.task.class_names):
            return 0.0
        passes = self.settings.epochs * (folds(labels, True) + 1)
        split = self.grid.study.split
        models = split.folds if split.by == "folds" else 1
        return models * passes * (tokens + sum(more for _, more in others))

    def _to_fit(self, folder: Path, file: str) -> int:
        """Replicates whose blocks have no such file yet."""
        there = {
            block: Path(f"{folder}/block{block}{file}").is_file() for block in self.grid.blocks
        }
        return sum(len(of) for block, of in self.grid.blocks.items() if not there[block])
