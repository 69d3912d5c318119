"""The findings of R replicates' batches, as rows of their stacked token tables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset, Findings


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

    def __init__(self, dataset: Dataset, table_rows: Tensor, tokens: int, compact: bool) -> None:
        """table_rows: int32 [vocabulary], the row of each token in a table of `tokens` rows.

        compact: keep tables to the touched tokens where a batch holds fewer than all.
        """
        self.dataset, self.table_rows, self.tokens = dataset, table_rows, tokens
        self.compact = compact

    def stack(self, rows: Tensor) -> list[Stacked]:
        """The findings of encounters int64 [steps, R, batch], one entry a step."""
        steps, replicates, batch = rows.shape
        findings = self.dataset.findings(rows.reshape(-1))
        ends = findings.offsets[:: replicates * batch].tolist()
        first = torch.arange(replicates, device=rows.device, dtype=torch.int32) * self.tokens
        first = first.repeat_interleave(batch).repeat(steps)
        lengths = findings.lengths()
        tokens = self.table_rows[findings.tokens]
        tokens += first.repeat_interleave(lengths, output_size=len(tokens))
        stacked = []
        for step in range(steps):
            part = slice(step * replicates * batch, (step + 1) * replicates * batch)
            offsets = findings.offsets[part.start : part.stop + 1] - ends[step]
            empty = None if findings.empty is None else findings.empty[part]
            own = tokens[ends[step] : ends[step + 1]]
            if self.compact and len(own) < replicates * self.tokens:
                stacked.append(self._compact(Findings(offsets, own, empty), replicates))
            else:
                stacked.append(Stacked(Findings(offsets, own, empty), None))
        return stacked

    def _compact(self, findings: Findings, replicates: int) -> Stacked:
        present = torch.zeros(replicates, self.tokens, dtype=torch.bool, device=self.table_rows.device)
        present.view(-1)[findings.tokens] = True
        place = present.cumsum(1, dtype=torch.int32) - 1
        rows = max(1, int(place[:, -1].max()) + 1)
        touched = torch.zeros(replicates, rows, dtype=torch.int64, device=place.device)
        owner, token = present.nonzero(as_tuple=True)
        touched[owner, place[owner, token].long()] = token
        place += torch.arange(replicates, dtype=torch.int32, device=place.device)[:, None] * rows
        tokens = place.view(-1)[findings.tokens]
        return Stacked(Findings(findings.offsets, tokens, findings.empty), touched)
