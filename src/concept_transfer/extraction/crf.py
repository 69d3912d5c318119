"""Linear-chain conditional random fields, exactly (Lafferty, McCallum, Pereira 2001, ICML).

A sentence's labels y have the score s[y_1] + sum e[t, y_t] + sum T[y_t, y_t+1] + f[y_n], of the
scores e of its words and those of the chain; their probability is proportional to its exponential.
Sentences of any lengths are laid end to end, without padding: scores are [words, labels].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from concept_transfer.extraction.spans import OUTSIDE, follows

FORBIDDEN = -1e4  # as a score; its exponential is 0


@dataclass(frozen=True)
class Chain:
    """What neighbouring labels add to the score, all float64: transitions [labels, labels] from the
    row's label to the column's, first [labels] and last [labels] of a sentence."""

    transitions: Tensor
    first: Tensor
    last: Tensor


def bio_chain(labels: Sequence[str]) -> Chain:
    """The chain that forbids what BIO labels must not do, and prefers nothing."""

    def score(allowed: bool) -> float:
        return 0.0 if allowed else FORBIDDEN

    steps = [[score(follows(label, before)) for label in labels] for before in labels]
    first = [score(follows(label, OUTSIDE)) for label in labels]
    return Chain(
        torch.tensor(steps, dtype=torch.float64),
        torch.tensor(first, dtype=torch.float64),
        torch.zeros(len(labels), dtype=torch.float64),
    )


@dataclass(frozen=True)
class Layout:
    """Where the words of sentences lie when first words of all come first, then second words, ...

    lengths: of the sentences, none 0. The longest sentence comes first, so that those that go on
    are always a prefix of those before.
    """

    lengths: Tensor

    @cached_property
    def order(self) -> Tensor:
        """The sentences, the longest first, int64 [sentences]."""
        return self.lengths.argsort(descending=True, stable=True)

    @cached_property
    def sizes(self) -> list[int]:
        """How many sentences have a first word, a second, ..."""
        longest = int(self.lengths.max())
        ended = torch.bincount(self.lengths, minlength=longest + 1).cumsum(0)[:-1]
        return (len(self.lengths) - ended).tolist()

    @cached_property
    def places(self) -> Tensor:
        """Of every word in this layout its place among sentences laid end to end, int64 [words]."""
        starts = self.lengths.cumsum(0) - self.lengths
        starts = starts[self.order]
        return torch.cat([starts[:size] + step for step, size in enumerate(self.sizes)])

    @cached_property
    def owners(self) -> Tensor:
        """Of every word in this layout its sentence, as a place in `order`, int64 [words]."""
        return torch.cat([torch.arange(size) for size in self.sizes])

    @cached_property
    def before(self) -> Tensor:
        """Of every word in this layout but the first ones the place of the word before it."""
        sizes, starts = self.sizes, self.starts
        return torch.cat(
            [torch.zeros(0, dtype=torch.int64)]
            + [
                start + torch.arange(size)
                for start, size in zip(starts[:-1], sizes[1:], strict=True)
            ]
        )

    @cached_property
    def starts(self) -> list[int]:
        """Where the first words, the second words, ... begin."""
        starts = [0]
        for size in self.sizes[:-1]:
            starts.append(starts[-1] + size)
        return starts

    @cached_property
    def ends(self) -> Tensor:
        """Where the last word of every sentence of `order` lies, int64 [sentences]."""
        starts = torch.tensor(self.starts)
        return starts[self.lengths[self.order] - 1] + torch.arange(len(self.lengths))

    def steps(self) -> Iterator[tuple[slice, slice]]:
        """Second words and their predecessors, third words and theirs, ..., as slices."""
        for before, start, size in zip(self.starts, self.starts[1:], self.sizes[1:], strict=False):
            yield slice(before, before + size), slice(start, start + size)


def _forward(scores: Tensor, chain: Chain, layout: Layout) -> tuple[Tensor, Tensor]:
    """log of what all labellings up to a word give each of its labels, [words, labels]; and of
    what all labellings of a sentence give, [sentences of order]."""
    alphas = scores.clone()
    alphas[: layout.sizes[0]] += chain.first
    for before, now in layout.steps():
        alphas[now] += (alphas[before, :, None] + chain.transitions).logsumexp(1)
    return alphas, (alphas[layout.ends] + chain.last).logsumexp(1)


def _backward(scores: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """log of what all labellings after a word give each of its labels, [words, labels]."""
    betas = torch.empty_like(scores)
    betas[layout.ends] = chain.last
    for before, now in reversed(list(layout.steps())):
        after = scores[now] + betas[now]
        betas[before] = (after[:, None, :] + chain.transitions).logsumexp(2)
    return betas


class _LogPartition(torch.autograd.Function):
    """The gradients of the log partition are the marginals, of labels and of pairs of labels."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, *parts: Any) -> Tensor:
        *tensors, layout = parts
        chain = Chain(*tensors)
        alphas, total = _forward(scores, chain, layout)
        ctx.save_for_backward(scores, alphas, total, *tensors)
        ctx.layout = layout
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (weights,) = gradients
        scores, alphas, total, *tensors = ctx.saved_tensors
        layout, chain = ctx.layout, Chain(*tensors)
        after = scores + (betas := _backward(scores, chain, layout))
        owners, later = layout.owners, slice(layout.sizes[0], None)
        expected = (alphas + betas - total[owners, None]).exp() * weights[owners, None]
        pairs = alphas[layout.before][:, :, None] + chain.transitions + after[later][:, None, :]
        pairs = (pairs - total[owners[later], None, None]).exp()
        return (
            expected,
            torch.einsum("n,nij->ij", weights[owners[later]], pairs),
            expected[: layout.sizes[0]].sum(0),
            expected[layout.ends].sum(0),
            None,
        )


def log_partition(scores: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """The logarithm of the sum over all labellings, float64 [sentences]; with gradients."""
    laid = scores.double()[layout.places]
    total: Tensor = _LogPartition.apply(laid, chain.transitions, chain.first, chain.last, layout)  # type: ignore[no-untyped-call]
    result = torch.empty_like(total)
    result[layout.order] = total
    return result


def score_of(scores: Tensor, labels: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """The scores of given labels int64 [words], float64 [sentences]; with gradients."""
    laid, own = scores.double()[layout.places], labels[layout.places]
    words = laid.gather(1, own[:, None])[:, 0]
    steps = chain.transitions[own[layout.before], own[layout.sizes[0] :]]
    words = words + torch.cat([chain.first[own[: layout.sizes[0]]], steps])
    total = torch.zeros(len(layout.lengths), dtype=torch.float64, device=scores.device)
    total = total.index_add(0, layout.order[layout.owners], words)
    return total.index_add(0, layout.order, chain.last[own[layout.ends]])


def log_likelihood(scores: Tensor, labels: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """The logarithm of the labels' probability given the words, float64 [sentences]."""
    return score_of(scores, labels, chain, layout) - log_partition(scores, chain, layout)


def marginals(scores: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """Each word's probabilities of its labels, float64 [words, labels]."""
    laid = scores.double()[layout.places]
    alphas, total = _forward(laid, chain, layout)
    betas = _backward(laid, chain, layout)
    result = torch.empty_like(laid)
    result[layout.places] = (alphas + betas - total[layout.owners, None]).exp()
    return result


def best_labels(scores: Tensor, chain: Chain, layout: Layout) -> Tensor:
    """The labels of the highest score, int64 [words] (Viterbi)."""
    best = scores.double()[layout.places]
    best[: layout.sizes[0]] += chain.first
    came = torch.empty(best.shape, dtype=torch.int64, device=best.device)
    for before, now in layout.steps():
        highest, came[now] = (best[before, :, None] + chain.transitions).max(1)
        best[now] += highest
    labels = torch.empty(len(best), dtype=torch.int64, device=best.device)
    labels[layout.ends] = (best[layout.ends] + chain.last).argmax(1)
    for before, now in reversed(list(layout.steps())):
        labels[before] = came[now].gather(1, labels[now][:, None])[:, 0]
    result = torch.empty_like(labels)
    result[layout.places] = labels
    return result
