"""What some patients show: scores of all methods, and what is true among them."""

from __future__ import annotations

from dataclasses import dataclass

from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import (
    Array,
    PairCounts,
    all_pairs,
    counts_by,
    expected_within,
    pair_counts,
)
from concept_transfer.interconnections.judging import Ranking
from concept_transfer.interconnections.matrices import of_pairs
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Learned
from concept_transfer.interconnections.question import Question
from concept_transfer.interconnections.truth import Truth, truth_of

ADJUSTED = ("age", "sex")


@dataclass(frozen=True)
class Findings:
    """What some patients show: scores of every method, a number a pair and in their order (of
    directed methods the whole matrix too), and what is true among them; expected: how many would
    have both codes by chance within groups of age and sex."""

    sets: CodeSets
    scores: dict[str, Array]
    rankings: dict[str, Ranking]
    directed: dict[str, Array]
    truth: Truth
    expected: Array


def learned_from(sets: CodeSets, question: Question) -> Learned:
    """What methods may know of some patients."""
    groups = dict[tuple[str, ...], list[PairCounts]]()

    def strata(by: tuple[str, ...]) -> list[PairCounts]:
        if by not in groups:
            groups[by] = counts_by(sets, sets.strata(by))
        return groups[by]

    counts = pair_counts(sets.codes, len(question.nodes))
    return Learned(question.nodes, sets, counts, strata, question.vectors, question.encoders)


def unlearned_scores(sets: CodeSets, question: Question) -> dict[str, Array]:
    """Scores of the methods that learn from no patient, whoever is given."""
    learned, found = learned_from(sets, question), {}
    for name, section in question.settings.methods.items():
        method = METHODS[section.kind]
        if method.scores is not None and not method.learns:
            found[name] = method.scores(section, learned)
    return found


def findings_of(sets: CodeSets, question: Question) -> Findings:
    settings, learned = question.settings, learned_from(sets, question)
    scores, directed = {}, {}
    for name, section in settings.methods.items():
        method = METHODS[section.kind]
        matrix = question.prepared.get(name)
        if matrix is None:
            assert method.scores is not None, name
            matrix = method.scores(section, learned)
        scores[name] = of_pairs(matrix)
        if method.directed:
            directed[name] = matrix
    within = learned.strata(ADJUSTED)
    truth = truth_of(
        learned.counts, within, settings.edges, question.small_cells, question.confidence
    )
    rankings = {name: Ranking.of(own) for name, own in scores.items()}
    expected = expected_within(within)[all_pairs(len(question.nodes))]
    return Findings(sets, scores, rankings, directed, truth, expected)
