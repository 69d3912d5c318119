"""Strategies: what they ask of classifiers, of each other and of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.errors import choices
from concept_transfer.learners import LEARNERS
from concept_transfer.strategies import STRATEGIES

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_strategies(study: Study) -> None:
    """Raise ValueError unless some classifier can do what some strategy asks; other combinations
    are left out."""
    combining = study.combining_strategies()
    for name in combining:
        for key in ("learning_rate", "epochs"):
            if getattr(study.strategies[name], key) is not None:
                raise ValueError(f"strategies.{name} trains nothing: it has no '{key}'")
    needs = {name: study.strategy(name).needs for name in study.strategies if name not in combining}
    free = [name for name in needs if not study.strategy(name).uses_labels]
    crossing = [
        name for name in study.classifiers if study.learner(name).cross_fits(study.training)
    ]
    if combining and not free and not crossing:
        others = [k for k, record in LEARNERS.items() if record.cross_fits(study.training)]
        raise ValueError(
            f"strategies: {choices(combining)} combine predictions that no label has been used "
            "for, or that are out of fold; add 'direct', or a classifier that cross-fits "
            f"({choices(others)})"
        )
    _check_gathering(study, [name for name in free if study.strategy(name).has_source])
    able = [study.abilities(name) for name in study.classifiers]
    undemanding = [
        kind for kind, record in STRATEGIES.items() if not (record.needs or record.combine)
    ]
    if any(needed <= can for needed in needs.values() for can in able):
        return
    asked = frozenset().union(*needs.values())
    raise ValueError(
        f"strategies: {choices(needs)} ask for what no classifier of the study can do "
        f"({choices(asked)}); add a classifier that can "
        f"({choices(kind for kind, record in LEARNERS.items() if asked <= record.can)}), or a "
        f"strategy that asks for nothing ({choices(undemanding)})"
    )


def _check_gathering(study: Study, free: list[str]) -> None:
    """free: strategies that bring a source's models and use no label of the target."""
    for name in study.combining_strategies():
        if study.strategy(name).gathers and not free:
            raise ValueError(
                f"strategies.{name} combines source models that no label of the target has "
                "been used for; add 'direct'"
            )
        if study.strategy(name).gathers and not study.gathered():
            raise ValueError(
                f"strategies.{name} combines the models of several sources, but no target of "
                "'pairs' has two; take it out, or add a site"
            )
