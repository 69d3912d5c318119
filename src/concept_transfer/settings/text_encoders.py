"""Language models that are adapted to documents without labels, as the config states them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Distinct, Name, Section

BUDGETS = ("steps", "tokens", "seconds")


class Objectives(Section):
    """What a language model learns, each by the weight of its loss; what has none is not learned.

    Spans of `contrastive` take the place of whole documents: masked words, and the category, are
    then those of the anchors.
    """

    mlm: float = Field(
        default=0, ge=0, description="Words that are masked (BERT's masked language model)."
    )
    contrastive: float = Field(
        default=0,
        ge=0,
        description="Which spans are neighbours in a document, among those of a batch (DeCLUTR).",
    )
    metadata: float = Field(
        default=0, ge=0, description="The document's category (Taylor et al. 2024 give it 0.1)."
    )


class Scratch(Section):
    """Shape of a language model without a base, and of its own word pieces."""

    width: int = Field(default=256, ge=4, description="Width of all layers.")
    layers: int = Field(default=4, ge=1, description="Number of layers.")
    heads: int = Field(default=4, ge=1, description="Attention heads.")
    feed_forward: int = Field(default=1024, ge=1, description="Width of feed-forward layers.")
    word_pieces: int = Field(default=8000, ge=100, description="Word pieces at most.")
    min_count: int = Field(
        default=5,
        ge=1,
        description="Patients in whose documents a word must stand to teach word pieces.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Scratch:
        if self.width % self.heads:
            raise ValueError(
                f"width ({self.width}) must be a multiple of the number of heads ({self.heads})"
            )
        return self


class TextEncoder(Section):
    """A language model, adapted to the documents of sites (Taylor et al. 2024)."""

    kind: Literal["text"]
    sites: Distinct[Name] = Field(
        default=[],
        description="Sites whose documents it learns from: those outside every test set.",
    )
    base: str | None = Field(
        default=None,
        description="What it starts from: hub id, local folder, or package:NAME of an installed "
        "package; null: from scratch, with word pieces of its own.",
    )
    revision: str | None = Field(default=None, description="Commit or tag of a hub model.")
    pickled_weights: bool = Field(
        default=False,
        description="Also load pytorch_model.bin where a model has no safetensors; a pickle can "
        "run code, so only from a publisher you trust.",
    )
    scratch: Scratch = Field(default=Scratch(), description="Its shape where it has no base.")
    layers: int | None = Field(
        default=None, ge=1, description="How many of the base's lowest layers it has; null: all."
    )
    pretrain: bool = Field(
        default=True,
        description="false: the base as it is, which adapted ones are compared with; "
        "without a base untrained weights, a control.",
    )
    objectives: Objectives = Field(default=Objectives(mlm=1), description="What it learns.")
    metadata: Literal["cross_entropy", "contrastive"] = Field(
        default="cross_entropy",
        description="How it learns the category: by a linear layer, or by drawing documents of a "
        "category together (supervised contrastive).",
    )
    steps: int | None = Field(default=None, ge=1, description="Steps of the optimizer.")
    tokens: int | None = Field(
        default=None,
        ge=1,
        description="Tokens to learn from, instead of steps; neither: each document once.",
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        description="Time, instead of steps: measured once, and the steps that it is worth are "
        "recorded for every later run.",
    )
    freeze_words: bool = Field(default=False, description="Whether vectors of words stay.")
    freeze_layers: int = Field(
        default=0, ge=0, description="How many of the lowest layers stay, with all below them."
    )
    rank: int | None = Field(
        default=None,
        ge=1,
        description="Learn updates of this rank to the matrices of layers that are not frozen "
        "(LoRA), and nothing else of the network; null: all of it.",
    )
    learning_rate: float = Field(default=5e-5, gt=0, description="Peak of AdamW's step size.")
    batch_size: int = Field(default=16, ge=2, description="Documents a step.")
    max_length: int = Field(
        default=512, ge=8, description="Tokens of a document that a step reads at most."
    )
    mask_rate: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="Share of words to be predicted (80 % masked, 10 % replaced, 10 % left).",
    )
    anchors: int = Field(
        default=1,
        ge=1,
        description="Spans a document that others are held to (DeCLUTR has 2, of long documents).",
    )
    positives: int = Field(default=2, ge=1, description="Spans beside, or in, each of the anchors.")
    shortest_span: int = Field(
        default=8, ge=1, description="Tokens of a span at least, where the document has as many."
    )
    longest_span: int = Field(
        default=256,
        ge=1,
        description="Tokens of a span at most; a share of the document where that is short.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="In which products are computed; auto: bfloat16 on a GPU that has it.",
    )
    copies: int = Field(
        default=1,
        ge=1,
        description="Independent adaptations; replicate r is given number r modulo this.",
    )

    @model_validator(mode="after")
    def _sound(self) -> TextEncoder:
        if self.learns and not self.sites:
            raise ValueError("sites: name those whose documents it learns from")
        if not any(weight for _, weight in self.objectives):
            raise ValueError("objectives: none has a weight; give one, as in {mlm: 1}")
        budgets = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(budgets) > 1:
            raise ValueError(f"{' and '.join(budgets)} say both how long to learn; keep one")
        if self.shortest_span > self.longest_span:
            raise ValueError(
                f"shortest_span ({self.shortest_span}) is above longest_span ({self.longest_span})"
            )
        if self.base is None and self.layers is not None:
            raise ValueError("layers are those of a base; give scratch.layers")
        return self

    @property
    def model(self) -> str:
        """The base, as `embeddings.model_files` asks for it."""
        assert self.base is not None, "it starts from scratch"
        return self.base

    @property
    def all_sites(self) -> list[str]:
        """The sites that it reads of."""
        return list(self.sites)

    @property
    def learns(self) -> bool:
        """Whether it knows anything of the sites: word pieces, or weights."""
        return self.pretrain or self.base is None

    @property
    def is_control(self) -> bool:
        """Whether it is there to be compared with, and no model for anybody; a base as it is may be
        the best."""
        return not self.pretrain and self.base is None

    @property
    def start(self) -> dict[str, Any]:
        """What it is before it is adapted."""
        keys = {"base", "revision", "layers"} if self.base else {"scratch", "sites", "max_length"}
        return self.model_dump(include=keys)
