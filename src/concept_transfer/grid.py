"""The cells of a study and the files each of them owns; pure names, nothing is read.

A cell is source x target x embedding x classifier x strategy x target size. Only combinations
with a meaning exist: a strategy without a source has none, one without target labels has size 0,
a learner that takes neither an embedding nor an encoder has "none" in its place, and no learner
meets a strategy that asks for what it cannot do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from concept_transfer.cell import ALL_MODELS, ALL_SITES, NO_EMBEDDING, SIMPLE, Cell
from concept_transfer.settings.embeddings import controlled_by
from concept_transfer.study import Study

SOURCE_KIND = "local"  # how a source trains its own models
TESTED_KINDS = ("direct", "full")  # in the test of meaning, unless the config says otherwise
SHUFFLES_A_BLOCK = 33


def _given(chosen: Collection[Any] | None, otherwise: Collection[Any]) -> Collection[Any]:
    return otherwise if chosen is None else chosen


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
        """The sites in use that have encounters."""
        used = {*self.sources, *self.targets}
        has = self.study.has_encounters
        return [site for site in self.study.sites if site in used and has(site)]

    @cached_property
    def histories(self) -> list[str]:
        """The sites whose patients' events are needed in their order: all, if a classifier reads
        them, or interconnections are sought among them."""
        reading = {self.study.learner(name).reads for name in self.study.classifiers}
        if self.study.interconnections is not None:
            reading.add(self.study.interconnections.codes.read)
        return self.sites if "history" in reading else []

    @cached_property
    def texts(self) -> list[str]:
        """The sites whose documents are needed: all, if a classifier reads them, else those that
        language models learn from."""
        reading = {self.study.learner(name).reads for name in self.study.classifiers}
        if "text" in reading:
            return self.sites
        encoders = [self.study.encoders[name] for name in self.study.encoders_of("text")]
        learned = {site for one in encoders if one.learns for site in one.all_sites}
        return [site for site in self.sites if site in learned]

    @cached_property
    def gold(self) -> dict[str, str]:
        """Site whose findings are read from notes -> the site that has them otherwise."""
        chosen = {name: getattr(self.study.sites[name], "gold", None) for name in self.sites}
        return {name: gold for name, gold in chosen.items() if gold}

    @cached_property
    def twins(self) -> dict[Cell, Cell]:
        """Cells on findings read from notes -> the same on the findings themselves."""
        known = set(self.cells)
        twins = {
            cell: replace(
                cell, target=self.gold[cell.target], source=self.gold.get(cell.source, "")
            )
            for cell in self.cells
            if cell.target in self.gold and (not cell.source or cell.source in self.gold)
        }
        return {cell: twin for cell, twin in twins.items() if twin in known}

    @cached_property
    def received(self) -> dict[str, list[tuple[str, str]]]:
        """Source that only its models are known of -> these, as (embedding, classifier)."""
        sections: dict[str, Any] = dict(self.study.sites)
        return {
            source: [tuple(model) for model in sections[source].models or self.models]
            for source in self.sources
            if not self.study.has_encounters(source)
        }

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
        """(embedding or encoder, classifier) combinations, those of simple classifiers last."""
        every = [
            (representation, name)
            for name in self.study.classifiers
            for representation in self.study.representations(name)
        ]
        return sorted(every, key=lambda model: model[0] == NO_EMBEDDING)

    @cached_property
    def teams(self) -> dict[str, list[str]]:
        """The classifiers that are trained by the same jobs, by a name for these.

        Learners without an embedding and without torch compute less than a job costs to start:
        they share theirs.
        """
        teams: dict[str, list[str]] = {}
        for name in self.study.classifiers:
            learner = self.study.learner(name)
            alone = self.study.representations(name) != [NO_EMBEDDING] or learner.uses_torch
            teams.setdefault(name if alone else SIMPLE, []).append(name)
        return teams

    @cached_property
    def cells(self) -> list[Cell]:
        return [*self.trained_cells, *self.combined_cells]

    @cached_property
    def trained_cells(self) -> list[Cell]:
        """The cells of a learner."""
        return list(self._trained_cells())

    @cached_property
    def combined_cells(self) -> dict[Cell, list[Cell]]:
        """The cells that are made of others' predictions -> those others.

        Candidates are cells of the same target, from the same source or from none, whose
        predictions of labelled encounters are out of fold: of learners that cross-fit, and all
        that use no label of the target; where all sources are gathered the latter, from any.
        Controls are none.
        """
        offered: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.trained_cells:
            if cell.embedding in self.meant_embeddings and (
                cell.size == "0" or self.cross_fits(cell.classifier)
            ):
                offered.setdefault((cell.target, cell.source), []).append(cell)
                if cell.source and cell.size == "0":
                    offered.setdefault((cell.target, ALL_SITES), []).append(cell)
        combined = {
            Cell(source, target, NO_EMBEDDING, ALL_MODELS, strategy, size): [
                cell
                for origin in ([source] if source == ALL_SITES else [source, ""])
                for cell in offered.get((target, origin), [])
                if cell.size in (size, "0")
            ]
            for strategy in self.study.combining_strategies()
            for source, target in self.pairs_of(strategy)
            for size in ("0", *self.sizes)
        }
        return {cell: candidates for cell, candidates in combined.items() if candidates}

    def pairs_of(self, strategy: str) -> list[tuple[str, str]]:
        """The pairs of sites for which a strategy combines models."""
        return self.study.gathered() if self.study.strategy(strategy).gathers else self.pairs

    def _trained_cells(self) -> Iterator[Cell]:
        for target in self.targets:
            for embedding, classifier in self.models:
                for strategy in self.strategies_of(classifier):
                    record = self.study.strategy(strategy)
                    for source in self.sources_of(target) if record.has_source else [""]:
                        if self.study.is_received(embedding) and source not in self.received:
                            continue
                        if source in self.received and (
                            record.reads_source
                            or (embedding, classifier) not in self.received[source]
                        ):
                            continue
                        for size in self.sizes_of(strategy):
                            yield Cell(source, target, embedding, classifier, strategy, size)

    def strategies_of(self, classifier: str) -> list[str]:
        """The strategies of the study that a classifier can do."""
        can = self.study.abilities(classifier)
        combining = self.study.combining_strategies()
        return [
            name
            for name in self.study.strategies
            if name not in combining and self.study.strategy(name).needs <= can
        ]

    def cross_fits(self, classifier: str) -> bool:
        """Whether a classifier trains on every label that its cells own."""
        return self.study.learner(classifier).cross_fits(self.study.training)

    def sizes_of(self, strategy: str) -> list[str]:
        """The target sizes of a strategy; "0" alone if it uses no label of the target."""
        return self.sizes if self.study.strategy(strategy).uses_labels else ["0"]

    def kept_sizes(self, classifier: str, strategy: str) -> list[str]:
        """The target sizes at which the models of a strategy are kept as bundles."""
        keep, study = self.study.keep, self.study
        kept = (
            study.strategy(strategy).uses_labels
            and strategy in _given(keep.strategies, study.strategies)
            and classifier in _given(keep.classifiers, study.classifiers)
        )
        return [str(size) for size in _given(keep.target_sizes, [self.largest])] if kept else []

    @cached_property
    def kept_embeddings(self) -> list[str]:
        """The embeddings and encoders whose models are kept as bundles, and "none"."""
        meant = [name for name in self.meant_embeddings if name != NO_EMBEDDING]
        return [*_given(self.study.keep.embeddings, meant), NO_EMBEDDING]

    @cached_property
    def meant_embeddings(self) -> list[str]:
        """All embeddings and encoders but the controls, and "none"."""
        every = (*self.study.embeddings, *self.study.encoders)
        return [*(name for name in every if not self.study.is_control(name)), NO_EMBEDDING]

    @cached_property
    def kept_cells(self) -> list[Cell]:
        """The cells whose models are kept as bundles."""
        return [
            cell
            for cell in self.trained_cells
            if cell.embedding in self.kept_embeddings
            and cell.size in self.kept_sizes(cell.classifier, cell.strategy)
        ]

    @cached_property
    def largest(self) -> str:
        """The largest target size."""
        sizes = self.study.target_sizes
        return str(max(sizes, key=lambda size: float("inf") if size == "all" else size))

    @cached_property
    def sizes(self) -> list[str]:
        return [str(size) for size in self.study.target_sizes]

    @cached_property
    def shuffled_cells(self) -> list[Cell]:
        """The cells whose gain from meaning is tested by permuting concepts.

        Without a random control beside the shuffled one nothing could be claimed of an embedding.
        """
        meaning, strategies = self.study.meaning, self.study.strategies
        chosen = meaning.strategies
        if chosen is None:
            kinds = {strategy.kind: name for name, strategy in reversed(strategies.items())}
            chosen = [kinds[kind] for kind in TESTED_KINDS if kind in kinds]
        size = str(meaning.target_size or self.largest)
        random = controlled_by(self.study.embeddings, "random")
        shuffled = controlled_by(self.study.embeddings, "shuffled")
        return [
            Cell(*pair, embedding, classifier, name, size if size_matters else "0")
            for classifier in self.study.embedding_classifiers()
            for pair in self.pairs
            if pair[0] not in self.received
            for embedding in shuffled
            if embedding in random
            for name in chosen
            if name in self.strategies_of(classifier)
            for size_matters in [self.study.strategy(name).uses_labels]
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
        """Folder names under metrics/<target>: embeddings, encoders, and `none` for baselines."""
        return list(dict.fromkeys(cell.embedding for cell in self.cells))

    def cells_of(self, target: str, embedding: str) -> list[Cell]:
        return [c for c in self.cells if c.target == target and c.embedding == embedding]

    def training(self, classifier: str, strategy: str | None = None) -> dict[str, Any]:
        """Training settings that a classifier reads: of a strategy, or of source models (None)."""
        settings = self.study.training.model_dump(mode="json")
        chosen = self.study.strategies[strategy] if strategy else None
        if chosen and chosen.learning_rate is not None:
            settings["learning_rate"] = settings["tuning_rate"] = chosen.learning_rate
        if chosen and chosen.epochs is not None:
            settings["epochs"] = settings["fixed_epochs"] = chosen.epochs
        keys = self.study.learner(classifier).training
        return {key: value for key, value in settings.items() if key in keys}

    def strategy_settings(self, name: str) -> dict[str, Any]:
        """A strategy's section without what `training` holds of it."""
        settings = self.study.strategies[name]
        return settings.model_dump(mode="json", exclude={"learning_rate", "epochs"})

    def hands_on(self, classifier: str) -> bool:
        """Whether any strategy starts from the models that sources hand on."""
        return any(
            self.study.strategy(name).starts_from_source for name in self.strategies_of(classifier)
        )

    def is_own_source(self, classifier: str, target: str, strategy: str) -> bool:
        """Whether `local` at target size "all" is the model the target trains as a source.

        It is where one fold tests and the settings are equal: the encounters, the initial weights
        and the batches are then the same.
        """
        return (
            self.hands_on(classifier)
            and not self.cross_fits(classifier)
            and self.study.strategies[strategy].kind == SOURCE_KIND
            and target in self.sources
            and self.study.split.by != "folds"
            and self.training(classifier, strategy) == self.training(classifier)
        )
