"""Encoders that are pre-trained without labels, as the config states them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Distinct, Name, Section

Codes = Distinct[Annotated[str, Field(min_length=1)]]


class CodeEncoder(Section):
    """An encoder of patients' histories, pre-trained to predict codes that are masked (BEHRT,
    Med-BERT, CORE-BEHRT)."""

    kind: Literal["codes"] = "codes"
    sites: Distinct[Name] = Field(
        min_length=1,
        description="Sites whose patients it learns from: whole records of those outside every "
        "test set.",
    )
    unlabelled: Distinct[Name] = Field(
        default=[],
        description="Sites of which it reads records before the index time alone, as of a target "
        "without labels.",
    )
    pretrain: bool = Field(
        default=True, description="false: the same encoder with untrained weights, a control."
    )
    shuffled: bool = Field(
        default=False,
        description="Pre-train on histories whose codes are dealt anew among patients, a control.",
    )
    codes: Codes = Field(
        default=["*"],
        description="Codes that it reads; a * at the end is for all codes that begin so.",
    )
    min_count: int = Field(
        default=5, ge=1, description="A code that fewer patients have is read as its prefix."
    )
    background: bool = Field(
        default=True, description="Whether what has no time (sex, race) stands first."
    )
    segments: bool = Field(default=True, description="Add a vector of the visit's number.")
    age: bool = Field(default=True, description="Add Time2Vec of the age at the event.")
    position: bool = Field(
        default=False, description="Add Time2Vec of the event's time since a fixed day."
    )
    rotary: bool = Field(
        default=True, description="Rotary positions; false: a learned vector of each place."
    )
    swiglu: bool = Field(default=True, description="SwiGLU in feed-forward layers; false: GELU.")
    body: Literal["transformer", "gru"] = Field(
        default="transformer", description="What reads the sequence."
    )
    vectors: Name | None = Field(
        default=None,
        description="An embedding of the study from whose vectors those of codes start; null: "
        "random ones.",
    )
    width: int = Field(default=64, ge=4, description="Width of all layers.")
    layers: int = Field(default=3, ge=1, description="Number of layers.")
    heads: int = Field(default=2, ge=1, description="Attention heads.")
    feed_forward: int = Field(default=128, ge=1, description="Width of feed-forward layers.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout.")
    max_length: int = Field(
        default=512,
        ge=8,
        description="Tokens of a history at most: background and the newest events stay.",
    )
    mask_rate: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="Share of codes to be predicted (80 % masked, 10 % replaced, 10 % left).",
    )
    next_visits: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of histories that are cut off at a visit and asked for the next one; 0: "
        "masked codes of whole histories alone (BERT, BEHRT, Med-BERT).",
    )
    prolonged_stay: float | None = Field(
        default=None,
        gt=0,
        description="Predict besides whether any visit lasts longer than so many days (Med-BERT).",
    )
    epochs: int = Field(default=20, ge=1, description="At most so many passes over the histories.")
    patience: int = Field(
        default=3, ge=1, description="Passes without a lower loss on held-out patients."
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.5, description="Share of patients whose loss ends pre-training."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Peak of AdamW's step size.")
    batch_tokens: int = Field(
        default=4096, ge=64, description="Tokens of a batch at most, padding included."
    )
    copies: int = Field(
        default=1,
        ge=1,
        description="Independent pre-trainings; replicate r is given number r modulo this.",
    )

    @model_validator(mode="after")
    def _sound(self) -> CodeEncoder:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width ({self.width}) must be a multiple of twice the number of heads "
                f"({self.heads})"
            )
        both = sorted({*self.sites} & {*self.unlabelled})
        if both:
            raise ValueError(f"'{both[0]}' is among sites and unlabelled; name it once")
        return self

    @property
    def all_sites(self) -> list[str]:
        """The sites that it reads of."""
        return [*self.sites, *self.unlabelled]

    @property
    def learns(self) -> bool:
        """Whether it knows anything of the sites: codes, if not weights."""
        return True

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with, and no model for anybody."""
        return not self.pretrain or self.shuffled
