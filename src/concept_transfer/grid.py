"""The cells of a study and the files each of them owns; pure names, nothing is read.

A cell is source x target x embedding x classifier x strategy x target size. Only combinations
with a meaning exist: `local` has no source, `direct` uses no target labels (size 0), baselines
have no embedding and cannot be tuned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from concept_transfer.settings.embeddings import controlled_by

if TYPE_CHECKING:
    from concept_transfer.study import Study

BASELINES = ("logistic", "gradient_boosting")
TUNED = ("linear", "full")
NO_EMBEDDING = "none"
SHUFFLES_A_BLOCK = 33


@dataclass(frozen=True)
class Cell:
    """source is "" for `local`; embedding is "none" for baselines; size is "0" for `direct`."""

    source: str
    target: str
    embedding: str
    classifier: str
    strategy: str
    size: str

    @property
    def pair(self) -> str:
        return f"{self.source}-to-{self.target}" if self.source else self.target

    @property
    def path(self) -> str:
        return f"{self.pair}/{self.embedding}/{self.classifier}/{self.strategy}/{self.size}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


CELL_COLUMNS = tuple(field.name for field in fields(Cell))


def split_pair(pair: str) -> tuple[str, str]:
    """(source, target) of a pair's name; source is "" where there is none."""
    source, separator, target = pair.rpartition("-to-")
    return (source, target) if separator else ("", pair)


@dataclass(frozen=True)
class Grid:
    """All cells of a study, and the parts of the config that each job depends on."""

    study: Study

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return self.study.ordered_pairs()

    @cached_property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(target for _, target in self.pairs))

    @cached_property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(source for source, _ in self.pairs))

    @cached_property
    def sites(self) -> list[str]:
        used = {*self.sources, *self.targets}
        return [site for site in self.study.sites if site in used]

    @cached_property
    def blocks(self) -> dict[int, list[int]]:
        """Block number -> its replicates; a study with more replicates adds blocks."""
        size = self.study.block_size
        numbers = range(self.study.replicates)
        return {
            block: list(numbers[first : first + size])
            for block, first in enumerate(range(0, self.study.replicates, size))
        }

    @cached_property
    def models(self) -> list[tuple[str, str]]:
        """(embedding, classifier) combinations."""
        found = []
        if "cnn" in self.study.classifiers:
            found += [(embedding, "cnn") for embedding in self.study.embeddings]
        return found + [(NO_EMBEDDING, name) for name in self.study.classifiers if name != "cnn"]

    @cached_property
    def cells(self) -> list[Cell]:
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        for target in self.targets:
            for embedding, classifier in self.models:
                for strategy, settings in self.study.strategies.items():
                    if settings.kind in TUNED and classifier != "cnn":
                        continue
                    sources = [""] if settings.kind == "local" else self.sources_of(target)
                    sizes = ["0"] if settings.kind == "direct" else self.sizes
                    for source in sources:
                        for size in sizes:
                            yield Cell(source, target, embedding, classifier, strategy, size)

    @cached_property
    def sizes(self) -> list[str]:
        return [str(size) for size in self.study.target_sizes]

    @cached_property
    def shuffled_cells(self) -> list[Cell]:
        """The cells whose gain from meaning is tested by permuting concepts.

        Without a random control beside the shuffled one nothing could be claimed of an embedding.
        """
        meaning, strategies = self.study.meaning, self.study.strategies
        if "cnn" not in self.study.classifiers:
            return []
        chosen = meaning.strategies
        if chosen is None:
            kinds = {strategy.kind: name for name, strategy in reversed(strategies.items())}
            chosen = [kinds[kind] for kind in ("direct", "full") if kind in kinds]
        largest = max(self.study.target_sizes, key=lambda n: float("inf") if n == "all" else n)
        size = str(meaning.target_size or largest)
        random = controlled_by(self.study.embeddings, "random")
        shuffled = controlled_by(self.study.embeddings, "shuffled")
        return [
            Cell(*pair, embedding, "cnn", name, "0" if strategies[name].kind == "direct" else size)
            for pair in self.pairs
            for embedding in shuffled
            if embedding in random
            for name in chosen
        ]

    @cached_property
    def shuffle_blocks(self) -> dict[int, list[int]]:
        """Block number -> its shuffles; a study with more shuffles adds blocks."""
        numbers = range(1, self.study.meaning.shuffles + 1)
        return {
            block: list(numbers[first : first + SHUFFLES_A_BLOCK])
            for block, first in enumerate(range(0, len(numbers), SHUFFLES_A_BLOCK))
        }

    def sources_of(self, target: str) -> list[str]:
        return [source for source, other in self.pairs if other == target]

    def embeddings_of_metrics(self) -> list[str]:
        """Folder names under metrics/<target>: the embeddings, and `none` for baselines."""
        return list(dict.fromkeys(cell.embedding for cell in self.cells))

    def cells_of(self, target: str, embedding: str) -> list[Cell]:
        return [c for c in self.cells if c.target == target and c.embedding == embedding]

    def training(self, strategy: str | None = None) -> dict[str, Any]:
        """Complete training settings of a strategy, or of source models (None)."""
        settings = self.study.training.model_dump(mode="json")
        if strategy is None:
            return settings
        chosen = self.study.strategies[strategy]
        if chosen.learning_rate is not None:
            settings["learning_rate"] = chosen.learning_rate
        if chosen.epochs is not None:
            settings["epochs"] = settings["fixed_epochs"] = chosen.epochs
        return settings

    def is_own_source(self, target: str, strategy: str) -> bool:
        """Whether `local` at target size "all" is the model the target trains as a source.

        It is where one fold tests and the settings are equal: the encounters, the initial weights
        and the batches are then the same.
        """
        transfers = any(s.kind in ("direct", *TUNED) for s in self.study.strategies.values())
        return (
            transfers
            and self.study.strategies[strategy].kind == "local"
            and target in self.sources
            and self.study.split.by != "folds"
            and self.training(strategy) == self.training()
        )
