"""The method `hierarchy`: codes of one block, or of one chapter, of a classification."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Hierarchy(MethodSettings):
    """Whether the ontology puts two codes together."""

    kind: Literal["hierarchy"]
    level: Literal["chapter", "block", "both"] = Field(
        default="both",
        description="In one chapter, in one block, or both (those of one block come first).",
    )


def scores(settings: Hierarchy, learned: Learned) -> NDArray[np.float64]:
    nodes = learned.nodes
    chapters, blocks = np.array(nodes.chapter), np.array(nodes.block)
    known = (chapters != "")[:, None] & (chapters != "")
    chapter = known & (chapters[:, None] == chapters)
    block = known & (blocks[:, None] == blocks)
    found = {"chapter": chapter, "block": block}.get(settings.level, chapter * 1 + block)
    matrix = np.array(found, float)
    np.fill_diagonal(matrix, np.nan)
    return matrix


METHOD = Method(
    settings=Hierarchy,
    title="classification",
    methods=lambda settings: (
        "whether the ontology has two codes in one "
        + {"chapter": "chapter", "block": "block", "both": "block, or in one chapter"}[
            settings.level
        ]
    ),
    scores=scores,
    learns=False,
    control=True,
)
