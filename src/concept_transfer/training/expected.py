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

    amounts: of the documents of each site; most: tokens that it reads of a document; copies: of the
    language model; results: the study's folder.
    """

    grid: Grid
    settings: Document
    amounts: Mapping[str, Amount]
    most: int
    copies: int
    results: Path

    def tokens(self, cells: Iterable[Cell]) -> tuple[float, float]:
        """Learned, and read besides, by these cells and the source models that they start from, if
        each is tuned for all epochs.

        Replicates that have the same labels, or the same source model, share a fit, or what it
        reads, unless they have different copies of the language model.
        """
        learned, read, sources = 0.0, 0.0, dict[Path, float]()
        for cell in cells:
            starts = self.grid.study.strategy(cell.strategy).starts_from_source
            if starts and cell.source not in self.grid.received:
                folder = self.results / "sources" / cell.source / cell.embedding / cell.classifier
                sources[folder] = self._passes(self._labelled(cell.source, "all"))
            own = self._of_fit(cell)
            drawn = own > 0 and cell.size not in ("all", "0")
            fits = self._to_fit(self.results / "predictions" / cell.path, ".parquet", drawn)
            learned += fits * own
            if own or starts:
                read += fits * self.amounts[cell.target].all(self.most) * self._shares[1]
        for folder, own in sources.items():
            learned += own * self._to_fit(folder, "/card.json", False)
        return learned, read

    @property
    def _shares(self) -> tuple[float, float]:
        """Of a site's documents, that may train and that test, at most."""
        split = self.grid.study.split
        return (1 - split.test_share, split.test_share) if split.by == "share" else (1.0, 1.0)

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
            tokens = amount.all(self.most) * self._shares[0]
            return int(tokens / amount.each(self.most)), tokens
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

    def _to_fit(self, folder: Path, file: str, drawn: bool) -> int:
        """Of blocks that have no such file yet, the replicates, or where they do not draw labels
        of their own, the copies of the language model."""
        left = [
            len(replicates)
            for block, replicates in self.grid.blocks.items()
            if not Path(f"{folder}/block{block}{file}").is_file()
        ]
        return sum(left if drawn else (min(count, self.copies) for count in left))
