"""What a method is that scores pairs of codes, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.settings.section import Section

if TYPE_CHECKING:
    from concept_transfer.interconnections.code_sets import CodeSets
    from concept_transfer.interconnections.counts import PairCounts
    from concept_transfer.interconnections.nodes import Nodes


class MethodSettings(Section):
    """Settings of a method; each has its own section, with `kind`, the method's name."""

    kind: str


@dataclass(frozen=True)
class Learned:
    """What a method may know: the codes, patients of the learning part, and what others learned.

    nodes: the K codes; sets: whose they are; counts: of their pairs; strata: the same by age group
    and sex, as (grouping) -> counts of each group; vectors: embedding -> float32 [K, width];
    encoders: name -> folder.
    """

    nodes: Nodes
    sets: CodeSets
    counts: PairCounts
    strata: Callable[[tuple[str, ...]], list[PairCounts]]
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    encoders: Mapping[str, Path] = field(default_factory=dict)


def nothing(settings: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Method:
    """The record of a method.

    settings: its section of the config; title: in tables and figures; methods: what the methods
    text says of it; scores: (settings, `Learned`) -> float64 [K, K], higher for pairs that belong
    together, NaN where it cannot say; symmetric unless the method is directed, when [i, j] is for
    i before j. prepare: instead, ``module:function`` for a job of its own: (key of the config,
    settings, nodes) -> such a matrix, and facts for the report. learns: whether from patients of
    the learning part; control: whether it is there to
    be compared with; embeddings, encoders: names in the study that its settings refer to.
    """

    settings: type[MethodSettings]
    title: str
    methods: Callable[[Any], str]
    scores: Callable[[Any, Learned], NDArray[np.float64]] | None = None
    prepare: str = ""
    learns: bool = True
    control: bool = False
    directed: bool = False
    embeddings: Callable[[Any], tuple[str, ...]] = nothing
    encoders: Callable[[Any], tuple[str, ...]] = nothing
