"""Several taggers as one: the mean of their probabilities, and the likeliest mentions under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from concept_transfer.extraction.kept import kept_tagger
from concept_transfer.extraction.probable import ProbableTagger, Read, likeliest, nothing
from concept_transfer.extraction.settings import Ensemble
from concept_transfer.extraction.spans import Span, bio_labels
from concept_transfer.extraction.tagger import Sentence


@dataclass(frozen=True)
class TaggersTogether:
    labels: Sequence[str]
    members: Sequence[ProbableTagger]

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        return self.read(sentences)[0]

    def read(self, sentences: Sequence[Sentence]) -> Read:
        if not any(map(len, sentences)):
            return nothing(sentences, self.labels)
        known = [member.read(sentences)[1].float() for member in self.members]  # as taggings keep
        mean = torch.stack(known).double().mean(0)
        return likeliest(mean, self.labels, sentences), mean


def read(folder: Path, types: Sequence[str], settings: Ensemble) -> TaggersTogether:
    """An ensemble of the taggers in the folders below."""
    members = (kept_tagger(folder / name) for name in settings.of)
    return TaggersTogether(bio_labels(types), [cast(ProbableTagger, one) for one in members])
