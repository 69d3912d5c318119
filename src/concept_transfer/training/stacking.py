"""The findings of R replicates' batches, as rows of their stacked token tables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset, Findings

MATRIX_NUMBERS = 1 << 23


@dataclass(frozen=True)
class Stacked:
    """One step's findings of R replicates, R * batch encounters in order of the replicates.

    Tokens are rows of the replicates' tables laid one below the other. touched: int64 [R, rows],
    the tokens that make up each replicate's table (a short one is filled up with token 0), or
    None for all tokens.
    """

    findings: Findings
    touched: Tensor | None


class Stacker:
    """Makes the findings of many steps ready at once."""

    def __init__(
        self, dataset: Dataset, table_rows: Tensor | None, tokens: int, counted: bool = False
    ) -> None:
        """tokens: number of rows of a token table; table_rows: int32 [vocabulary], the row of
        each token, or None where a token is its own row; counted: each finding is to come once."""
        self.dataset, self.table_rows, self.tokens = dataset, table_rows, tokens
        self.mean_findings = len(dataset.tokens) / len(dataset)
        self.matrix, self.empty = (None, None) if counted else self._matrix()

    def stack(self, rows: Tensor, compact: bool) -> list[Stacked]:
        """The findings of encounters int64 [steps, R, batch], one entry a step.

        compact: leave tokens out of the tables where a batch cannot touch them all. That
        depends on nothing but the batch's size, lest a replicate's rounding depend on others.
        """
        steps, replicates, batch = rows.shape
        first = torch.arange(replicates, device=rows.device, dtype=torch.int32) * self.tokens
        if self.matrix is not None:
            tokens = self.matrix.index_select(0, rows.reshape(-1)).view(steps, replicates, -1)
            tokens += first[:, None]
            each = self.matrix.shape[1]
            ends = torch.arange(0, replicates * batch * each + 1, each, dtype=torch.int32)
            offsets = [ends.to(rows.device)] * steps
            empty = [None] * steps if self.empty is None else list(self.empty[rows.flatten(1)])
            parts = list(map(Findings, offsets, tokens.flatten(1), empty))
        else:
            findings = self._rows_of(self.dataset.findings(rows.reshape(-1)))
            owners = first.repeat_interleave(batch).repeat(steps)
            findings.tokens.add_(
                owners.repeat_interleave(findings.lengths(), output_size=len(findings.tokens))
            )
            parts = findings.split(replicates * batch)
        if compact and batch * self.mean_findings < self.tokens:
            return [self._compact(part, replicates) for part in parts]
        return [Stacked(part, None) for part in parts]

    def _matrix(self) -> tuple[Tensor | None, Tensor | None]:
        """Table rows of all encounters, int32 [n, most findings], and which hold none.

        Short encounters repeat their last token, which no maximum notices. None where that would
        cost more than it saves.
        """
        lengths = self.dataset.offsets.diff()
        longest = int(lengths.max())
        total = longest * len(lengths)
        if self.table_rows is None and total == len(self.dataset.tokens) > 0:
            return self.dataset.tokens.view(len(lengths), longest), None
        if not 0 < total <= min(2 * len(self.dataset.tokens), MATRIX_NUMBERS):
            return None, None
        places = torch.arange(longest, device=lengths.device).minimum(lengths[:, None] - 1)
        places = (places + self.dataset.offsets[:-1, None]).clamp_(0)
        empty = lengths == 0
        matrix = self.dataset.tokens[places]
        if self.table_rows is not None:
            matrix = self.table_rows[matrix]
        return matrix, empty if bool(empty.any()) else None

    def _rows_of(self, findings: Findings) -> Findings:
        if self.table_rows is None:
            return findings
        return Findings(findings.offsets, self.table_rows[findings.tokens], findings.empty)

    def _compact(self, findings: Findings, replicates: int) -> Stacked:
        device = findings.tokens.device
        present = torch.zeros(replicates, self.tokens, dtype=torch.bool, device=device)
        present.view(-1)[findings.tokens] = True
        place = present.cumsum(1, dtype=torch.int32) - 1
        rows = max(1, int(place[:, -1].max()) + 1)
        touched = torch.zeros(replicates, rows, dtype=torch.int64, device=device)
        owner, token = present.nonzero(as_tuple=True)
        touched[owner, place[owner, token].long()] = token
        place += torch.arange(replicates, dtype=torch.int32, device=device)[:, None] * rows
        tokens = place.view(-1)[findings.tokens]
        return Stacked(Findings(findings.offsets, tokens, findings.empty), touched)
