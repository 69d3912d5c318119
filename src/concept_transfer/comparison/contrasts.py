"""Which cells of a study are compared, and in which family of comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from concept_transfer.cell import NO_EMBEDDING, Cell
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.settings.embeddings import control_of, parents_of
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.settings.training import several
from concept_transfer.study import Study

SHUFFLED = "shuffled control"
BEST_LOCAL = "best target-only model"
LADDER = "ladder"
FAMILIES = (
    SHUFFLED,
    "random control",
    "against one-hot",
    "width and scale",
    "encoder controls",
    LADDER,
    "unlabelled encounters",
    "tuning",
    "target data only",
    BEST_LOCAL,
    "simple baselines",
    "scale",
    "learning rate",
    "scale x learning rate",
)


@dataclass(frozen=True)
class Contrast:
    """The sum of the cells ``plus`` less the sum of the cells ``minus``, all of one target."""

    family: str
    plus: tuple[Cell, ...]
    minus: tuple[Cell, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (*self.plus, *self.minus)


def study_contrasts(study: Study, validation: Mapping[Cell, float]) -> list[Contrast]:
    """Every contrast of `FAMILIES` between the evaluated cells.

    Controls appear where embeddings are compared, not where strategies are.
    ``validation``: each evaluated cell -> the mean AUROC by which it can be chosen without its
    test encounters (NaN where there is none): on validation labels of the target or, of a source
    model without target labels, of its source. It chooses the embedding that meets the simple
    baselines, and the target-only model that transfer must beat.
    """
    models = [cell for cell in validation if not study.is_control(cell.embedding)]
    contrasts = [
        *_of_embeddings(study, validation),
        *_of_encoder_controls(study, validation),
        *_of_ladder(study, validation),
        *_of_strategies(study, models),
        *_of_best_local(study, models, validation),
        *_of_baselines(study, models, validation),
        *_of_scale_and_learning_rate(study, models),
    ]
    present = set(validation)
    return [c for c in dict.fromkeys(contrasts) if present.issuperset(c.cells)]


def controls_of(study: Study, embedding: str) -> list[str]:
    """Names of the shuffled and random controls of an embedding."""
    return [name for name in study.embeddings if parent_of(study, name) == embedding]


def parent_of(study: Study, embedding: str) -> str | None:
    """The embedding whose shuffled or random control this is, else None."""
    settings = study.embeddings.get(embedding)
    return parents_of(settings)[0] if settings and control_of(settings) else None


def one_hot_for(study: Study, embedding: str) -> str | None:
    """The study's one-hot embedding of the same scale, else its first, else None."""
    names = [n for n in study.embeddings if _is_reference(study, n)]
    settings = study.embeddings[parent_of(study, embedding) or embedding]
    alike = [n for n in names if _scale(study.embeddings[n]) == _scale(settings)]
    return next(iter(alike + names), None)


def _is_reference(study: Study, embedding: str) -> bool:
    return PROVIDERS[study.embeddings[embedding].provider].is_reference


def _of_embeddings(study: Study, cells: Iterable[Cell]) -> Iterator[Contrast]:
    for cell in cells:
        if cell.embedding not in study.embeddings:
            continue
        for control in controls_of(study, cell.embedding):
            is_shuffled = control_of(study.embeddings[control]) == "shuffled"
            family = SHUFFLED if is_shuffled else "random control"
            yield Contrast(family, (cell,), (replace(cell, embedding=control),))
        reference = one_hot_for(study, cell.embedding)
        if reference and not _is_reference(study, cell.embedding):
            meaningless = parent_of(study, cell.embedding) is not None
            family = "width and scale" if meaningless else "against one-hot"
            yield Contrast(family, (cell,), (replace(cell, embedding=reference),))


def _of_encoder_controls(study: Study, cells: Iterable[Cell]) -> Iterator[Contrast]:
    meant = [name for name in study.encoders if not study.is_control(name)]
    for cell in cells:
        if cell.embedding in meant:
            for control in controls_of_encoder(study, cell.embedding):
                yield Contrast("encoder controls", (cell,), (replace(cell, embedding=control),))


def controls_of_encoder(study: Study, name: str) -> list[str]:
    """The controls that are like an encoder in all but what makes them controls."""

    meant = study.encoders[name]
    if isinstance(meant, TextEncoder):
        return _bases(study, meant)

    def apart(other: str) -> dict[str, Any]:
        encoder = study.encoders[other]
        assert isinstance(encoder, CodeEncoder)
        control = encoder.vectors if encoder.vectors and study.is_control(encoder.vectors) else None
        vectors = parents_of(study.embeddings[control])[0] if control else encoder.vectors
        same = encoder.model_dump(exclude={"pretrain", "shuffled", "vectors"})
        return same | {"vectors": vectors}

    controls = [other for other in study.encoders_of("codes") if study.is_control(other)]
    return [other for other in controls if apart(other) == apart(name)]


def _bases(study: Study, adapted: TextEncoder) -> list[str]:
    """The encoders that a language model was before it was adapted."""
    return [
        name
        for name, encoder in study.encoders.items()
        if isinstance(encoder, TextEncoder)
        and adapted.pretrain
        and not encoder.pretrain
        and encoder.start == adapted.start
    ]


def _of_ladder(study: Study, cells: Iterable[Cell]) -> Iterator[Contrast]:
    """Every rung against the one before, and against the first."""
    below = dict(zip(study.ladder[1:], study.ladder, strict=False))
    classifiers = study.climbing_classifiers()
    for cell in cells:
        if cell.classifier in classifiers and cell.embedding in below:
            for rung in (below[cell.embedding], study.ladder[0]):
                yield Contrast(LADDER, (cell,), (replace(cell, embedding=rung),))


def _of_strategies(study: Study, cells: Iterable[Cell]) -> Iterator[Contrast]:
    free = [name for name in study.strategies if not study.strategy(name).uses_labels]
    local = _target_only(study)
    sizes = [str(size) for size in study.target_sizes]
    for cell in cells:
        strategy = study.strategy(cell.strategy)
        if strategy.uses_labels:
            for name in free:
                has_source = study.strategy(name).has_source
                if strategy.has_source or not has_source:
                    origin = cell.source if has_source else ""
                    unlabelled = replace(cell, source=origin, strategy=name, size="0")
                    yield Contrast("tuning", (cell,), (unlabelled,))
        if not strategy.has_source:
            continue
        if strategy.uses_encounters:
            for name in free:
                if study.strategy(name).is_unchanged:
                    as_it_is = replace(cell, strategy=name)
                    yield Contrast("unlabelled encounters", (cell,), (as_it_is,))
        for size in [cell.size] if strategy.uses_labels else sizes:
            for name in local[:1]:
                alone = replace(cell, source="", strategy=name, size=size)
                yield Contrast("target data only", (cell,), (alone,))


def _target_only(study: Study) -> list[str]:
    """Strategies that train on labels of the target alone."""
    return [
        name
        for name in study.strategies
        if study.strategy(name).uses_labels and not study.strategy(name).has_source
    ]


def _of_best_local(
    study: Study, cells: Sequence[Cell], validation: Mapping[Cell, float]
) -> Iterator[Contrast]:
    """All other models against validation's choice among the target-only ones of a target and
    size."""
    local = _target_only(study)
    best: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        if cell.strategy in local and math.isfinite(validation[cell]):
            rival = best.setdefault((cell.target, cell.size), cell)
            if validation[cell] > validation[rival]:
                best[cell.target, cell.size] = cell
    for cell in cells:
        if cell.strategy not in local:
            sizes = map(str, study.target_sizes) if cell.size == "0" else [cell.size]
            for size in sizes:
                if (cell.target, size) in best:
                    yield Contrast(BEST_LOCAL, (cell,), (best[cell.target, size],))


def _of_baselines(
    study: Study, cells: Iterable[Cell], validation: Mapping[Cell, float]
) -> Iterator[Contrast]:
    """The network against a simple model that saw the same labels: of the same strategy or, where
    the simple model cannot tune, trained on the data of both sites."""
    networks = [n for n in study.classifiers if study.representations(n) != [NO_EMBEDDING]]
    baselines = [name for name in study.classifiers if name not in networks]
    together = [
        name
        for name in study.strategies
        for strategy in [study.strategy(name)]
        if strategy.has_source and strategy.uses_labels and not strategy.starts_from_source
    ]
    rivals: dict[Cell, list[Cell]] = {}
    for cell in cells:
        if cell.classifier in networks:
            rivals.setdefault(replace(cell, embedding=""), []).append(cell)
    for group in rivals.values():
        known = [cell for cell in group if math.isfinite(validation[cell])]
        chooses = known and study.split.by != "folds"
        chosen = [max(known, key=lambda cell: validation[cell])] if chooses else group
        for cell, name in product(chosen, baselines):
            simple = replace(cell, embedding=NO_EMBEDDING, classifier=name)
            if study.strategy(cell.strategy).tunes and simple not in validation:
                if not together:
                    continue  # a target-only rival would see fewer labels
                simple = replace(simple, strategy=together[0])
            yield Contrast("simple baselines", (cell,), (simple,))


def _of_scale_and_learning_rate(study: Study, cells: Iterable[Cell]) -> Iterator[Contrast]:
    scales = _scale_pairs(study)
    rates = _learning_rate_pairs(study)
    for cell in cells:
        scaled = [replace(cell, embedding=a) for a, b in scales if b == cell.embedding]
        faster = [replace(cell, strategy=a) for a, b in rates if b == cell.strategy]
        for other in scaled:
            yield Contrast("scale", (other,), (cell,))
        for other in faster:
            yield Contrast("learning rate", (other,), (cell,))
        for a, b in product(scaled, faster):
            both = replace(cell, embedding=a.embedding, strategy=b.strategy)
            yield Contrast("scale x learning rate", (both, cell), (a, b))


def _scale_pairs(study: Study) -> list[tuple[str, str]]:
    """(later, earlier) names of embeddings that differ in their scale only."""

    def vectors(name: str) -> dict[str, Any]:
        settings = study.embeddings[name]
        if PROVIDERS[settings.provider].rescales:
            return vectors(parents_of(settings)[0])
        return settings.model_dump(exclude={"scale"})

    return [
        (b, a)
        for a, b in combinations(study.embeddings, 2)
        if vectors(a) == vectors(b) and _scale(study.embeddings[a]) != _scale(study.embeddings[b])
    ]


def _scale(settings: Any) -> Any:
    return getattr(settings, "scale", "raw")


def _learning_rate_pairs(study: Study) -> list[tuple[str, str]]:
    """(higher, lower) names of strategies that differ in their learning rate only."""

    def rate(name: str) -> list[float]:
        chosen, training = study.strategies[name].learning_rate, study.training
        usual = training.rate_of_tuning if study.strategy(name).tunes else training.learning_rate
        return several(chosen or usual)

    def apart_from_rate(name: str) -> dict[str, Any]:
        return study.strategies[name].model_dump(exclude={"learning_rate"})

    pairs = []
    for a, b in combinations(study.strategies, 2):
        if rate(a) != rate(b) and apart_from_rate(a) == apart_from_rate(b):
            pairs.append((a, b) if rate(a) > rate(b) else (b, a))
    return pairs
