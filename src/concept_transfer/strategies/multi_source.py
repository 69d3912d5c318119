"""The models of several sites as one for another, with weights that its labels teach.

What sites hand on is combined, not their data: a target that is a mixture of sources is served by a
combination of their models (Mansour, Mohri, Rostamizadeh 2009, Domain adaptation with multiple
sources, NIPS 21). The weights are those of stacking (Breiman 1996, doi:10.1007/BF00117832).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from concept_transfer.strategies.strategy import Strategy, StrategySettings, untrained

if TYPE_CHECKING:
    import numpy as np

    from concept_transfer.combining.pool import Labelled, Pool


class MultiSource(StrategySettings):
    """Combine the models that all sources hand on, weighted by the target's labels.

    It trains nothing else. Targets with at least two sources have it; its candidates are the
    models of these that use no label of the target.
    """

    kind: Literal["multi_source"]


def combine(settings: MultiSource, labelled: Labelled, rng: np.random.Generator) -> Pool:
    from concept_transfer.combining.stacking import stacked

    return stacked(labelled, rng)


STRATEGY = Strategy(
    settings=MultiSource,
    summary=(
        "the models of all sources of a target that use no label of it, stacked by a logistic "
        "regression with non-negative coefficients on the target's labels (Mansour et al. 2009; "
        "Breiman 1996); without labels, or with too few to choose, weighted by "
        "the AUROC at their source, compared within each source"
    ),
    plan=untrained,
    combine=combine,
    uses_source=True,
    gathers=True,
)
