"""The method `masked_codes`: what an encoder of histories has learned of codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings

if TYPE_CHECKING:
    from concept_transfer.pretraining.encoder import EncoderFiles


class MaskedCodes(MethodSettings):
    """What an encoder of the study says of two codes; it is judged at sites that it never read."""

    kind: Literal["masked_codes"]
    of: str = Field(description="An encoder of the study; its first copy is asked.")
    measure: Literal["vectors", "conditional"] = Field(
        default="vectors",
        description="Cosines of the codes' input vectors; or by how much one code makes the other "
        "more probable at a mask beside it (mean of both directions, logarithms).",
    )


def scores(settings: MaskedCodes, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import cosines
    from concept_transfer.pretraining.encoder import EncoderFiles
    from concept_transfer.pretraining.vocabulary import SPECIALS

    files = EncoderFiles.read(Path(learned.encoders[settings.of]))
    members = _members(files, learned.nodes.code)
    if settings.measure == "vectors":
        vectors = files.weights["embedding.codes.weight"][SPECIALS:]
        return cosines(members @ vectors)
    return _conditional(files, members)


def _members(files: EncoderFiles, nodes: tuple[str, ...]) -> NDArray[np.float64]:
    """Shares of the encoder's codes in each node, float64 [K, codes]; zeros where it has none."""
    from concept_transfer.pretraining.vocabulary import longest_prefix

    places = {code: place for place, code in enumerate(nodes)}
    members = np.zeros((len(nodes), len(files.vocabulary.names)))
    for number, name in enumerate(files.vocabulary.names):
        node = longest_prefix(name, places)
        if node is not None:
            members[places[node], number] = 1
    return np.asarray(members / np.maximum(members.sum(axis=1, keepdims=True), 1))


def _conditional(files: EncoderFiles, members: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of P(j | i in the same visit) / P(j | nothing), mean of both directions, [K, K]."""
    import torch

    from concept_transfer.models.code_encoder import model_of
    from concept_transfer.pretraining.batches import Batch
    from concept_transfer.pretraining.vocabulary import CLS, MASK, SPECIALS

    model, count = model_of(files), members.shape[1]
    codes = torch.arange(SPECIALS, SPECIALS + count)

    def asked(given: torch.Tensor) -> NDArray[np.float64]:
        """Probabilities of all codes at a mask after those given, [rows, codes]."""
        ones = torch.ones(len(given), 1, dtype=torch.int64)
        tokens = torch.cat([ones * CLS, given, ones * MASK], dim=1)
        unknown = torch.full(tokens.shape, torch.nan)
        segments = (tokens != CLS).long()
        lengths = torch.full((len(given),), tokens.shape[1])
        with torch.inference_mode():
            hidden = model(Batch(tokens, segments, unknown, unknown, lengths))
            chances = model.code_logits(hidden[:, -1])[:, SPECIALS:].softmax(dim=1)
        return np.asarray(chances.double().numpy())

    held = (members > 0).T.astype(float)
    alone = asked(torch.zeros(1, 0, dtype=torch.int64)) @ held
    beside = members @ (asked(codes[:, None]) @ held)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.log(beside) - np.log(alone)
    known = members.any(axis=1)
    gain[~known] = np.nan
    gain[:, ~known] = np.nan
    np.fill_diagonal(gain, np.nan)
    return np.asarray((gain + gain.T) / 2)


METHOD = Method(
    settings=MaskedCodes,
    title="masked-code model",
    methods=lambda settings: (
        f"the encoder {settings.of}, "
        + (
            "by the cosine of two codes' input vectors"
            if settings.measure == "vectors"
            else "by how much more probable one code makes the other at a mask in its visit"
        )
    ),
    scores=scores,
    learns=False,
    encoders=lambda settings: (settings.of,),
)
