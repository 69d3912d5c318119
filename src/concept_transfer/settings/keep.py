"""Which fitted models a study keeps, as the config states it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.settings.section import Distinct, Name, Section


class Keep(Section):
    """Fitted models that are kept as bundles beside the source models, for use at a hospital.

    `snakemake export_bundle` writes those that may leave, and the sources' own, to
    `results/<study>/exports/`. Under cross-fitting a kept model is refitted on all labels that the
    target size grants.
    """

    classifiers: Distinct[Name] | None = Field(
        default=None, description="Names of `classifiers`; null: all."
    )
    embeddings: Distinct[Name] | None = Field(
        default=None,
        description="Names of `embeddings` and `encoders`; null: all but the controls.",
    )
    strategies: Distinct[Name] | None = Field(
        default=None, description="Names of `strategies`; null: all that train; []: keep nothing."
    )
    target_sizes: Distinct[int | Literal["all"]] | None = Field(
        default=None, description="Entries of `target_sizes`; null: the largest."
    )
    licence: str = Field(
        default="", description="On the cards of exported bundles: who may use the models, and how."
    )
    intended_use: str = Field(
        default="", description="On the cards of exported bundles: what the models are for."
    )
