"""A study of taggers as its config states it: corpora, what is learned from, taggers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from concept_transfer.errors import StudyError, choices
from concept_transfer.settings.extraction import PHRASES
from concept_transfer.settings.files import check_size
from concept_transfer.settings.problems import described
from concept_transfer.settings.section import Distinct, Name, Section
from concept_transfer.study import Resources, expand

KEY = "extraction"  # tells such a config from that of a transfer study


def _check_type(name: str) -> str:
    if not name or name != "".join(name.split()):
        raise ValueError("a type of mention is a word without blanks, such as Drug")
    return name


Types = Annotated[
    Distinct[Annotated[str, AfterValidator(_check_type)]], Field(description="Types of mentions.")
]
TestPart = Annotated[Name, Field(description="The part that taggers are judged on.")]


class CorpusFiles(Section):
    """Sentences in which people have marked mentions, in parts."""

    format: Literal["iob", "standoff"] = Field(
        default="iob",
        description="iob: a part is a file, a word a line with its label; standoff: a part is a "
        "folder of texts, each with its mentions beside it (brat).",
    )
    types: Types = Field(min_length=1)
    parts: dict[Name, str] = Field(min_length=2, description="Part -> its file or folder.")
    test: TestPart = "test"


class SimulatedPart(Section):
    """Notes of a sample of a county's encounters."""

    network: str = Field(description="YAML file of the network (see resources/networks).")
    style: str = Field(description="YAML file of how the hospital writes (see resources/notes).")
    encounters: int = Field(ge=1, description="How many encounters to sample.")
    seed: int = Field(default=1, ge=0, description="Seed of the sample and of its notes.")


class SimulatedCorpus(Section):
    """Notes as adapter `simulated_notes` has them, in which all mentions are known."""

    format: Literal["simulated_notes"] = Field(description="Notes that templates write.")
    phrases: str = Field(default=PHRASES, description="TSV of the words for each finding.")
    filler: float | None = Field(
        default=None,
        ge=0,
        description="Sentences about nothing for each that mentions something; null: the style's.",
    )
    types: Types = Field(default=["symptom", "sign"], min_length=1)
    parts: dict[Name, SimulatedPart] = Field(min_length=2, description="Part -> its sample.")
    test: TestPart = "test"


AnyCorpus = Annotated[
    Annotated[CorpusFiles, Tag("files")] | Annotated[SimulatedCorpus, Tag("simulated_notes")],
    Discriminator(lambda one: "simulated_notes" if _format(one) == "simulated_notes" else "files"),
]


def _format(corpus: Any) -> str:
    return str(corpus.get("format") if isinstance(corpus, dict) else corpus.format)


class TaggerSettings(Section):
    """What all taggers have that learn."""

    kind: str
    keep_empty: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Probability with which a sentence without a mention is learned from (SamBD; "
        "Belkadi et al. 2023 take 0.08).",
    )


class DictionaryTagger(TaggerSettings):
    """The mentions of training, the longest first, whatever their case and number."""

    kind: Literal["dictionary"]
    least_precision: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="How often a name must be a mention where it stands in training.",
    )


class HashedCrf(TaggerSettings):
    """A CRF on hashed features of the words and their neighbours, without a network."""

    kind: Literal["hashed_crf"]
    epochs: int = Field(default=2, ge=1, description="Passes over the sentences.")
    learning_rate: float = Field(default=0.1, gt=0, description="First step size of AdaGrad.")
    dropout: float = Field(
        default=0.3, ge=0, lt=1, description="Share of a word's features left out in each step."
    )
    penalty: float = Field(
        default=0.02, ge=0, description="Pull to zero of the weights that a step touches."
    )


class EncoderTaggerSettings(TaggerSettings):
    """A language model tuned to label words, or a transformer that learns it from scratch."""

    kind: Literal["encoder"]
    model: str | None = Field(
        description="Hub id, local folder, or package:NAME of an installed package; null: a "
        "transformer from scratch (TransformerCRF)."
    )
    revision: str | None = Field(default=None, description="Commit or tag of a hub model.")
    pickled_weights: bool = Field(
        default=False,
        description="Also load pytorch_model.bin where a model has no safetensors; a pickle can "
        "run code, so only from a publisher you trust.",
    )
    head: Literal["linear", "crf"] = Field(
        default="crf",
        description="Whether labels are judged one by one, or with their neighbours'; either "
        "way a mention never begins with I-.",
    )
    layers: int = Field(default=4, ge=1, description="Layers of a transformer from scratch.")
    width: int = Field(default=256, ge=32, multiple_of=32, description="Its width.")
    max_pieces: int = Field(
        default=180, ge=8, description="Word pieces read at once; longer sentences are halved."
    )
    epochs: int = Field(default=3, ge=1, description="Passes over the sentences.")
    batch_size: int = Field(default=16, ge=1, description="Sentences of a step.")
    learning_rate: float = Field(
        default=5e-5, gt=0, description="First step size of AdamW; it falls in a line to 0."
    )
    head_learning_rate: float = Field(
        default=5e-3, gt=0, description="The same for the layer of the labels, and for their chain."
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout before that layer.")
    freeze_words: bool = Field(
        default=False, description="Leave the model's table of word pieces as it is (faster)."
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Precision of the model's products in training."
    )


class Ensemble(Section):
    """The mean of other taggers' probabilities, and the likeliest mentions under it."""

    kind: Literal["ensemble"]
    of: Distinct[Name] = Field(min_length=2, description="Taggers that have probabilities.")


AnyTagger = Annotated[
    DictionaryTagger | HashedCrf | EncoderTaggerSettings | Ensemble, Field(discriminator="kind")
]


class ExtractionEvaluation(Section):
    """Intervals and tests."""

    draws: int = Field(default=1000, ge=100, description="Bootstrap draws, and deals of a test.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Level of the intervals.")


class ExtractionStudy(Section):
    """A study of taggers: corpora x what they learn from x taggers x replicates."""

    extraction: Name = Field(description="Names the results folder.")
    title: str = Field(default="", description="Title of the report (else the study's name).")
    notice: str = Field(default="", description="Shown at the top of the report.")
    seed: int = Field(default=1, ge=0, description="Seed behind every draw of the study.")
    data: str = Field(default=".", description="Replaces {data} in every path of this config.")
    corpora: dict[Name, AnyCorpus] = Field(min_length=1, description="Corpus -> its files.")
    train: dict[Name, Annotated[Distinct[Name], Field(min_length=1)]] = Field(
        default={"train": ["train"]},
        min_length=1,
        description="What is learned from: a name -> the parts of a corpus.",
    )
    taggers: dict[Name, AnyTagger] = Field(min_length=1, description="Tagger -> its settings.")
    replicates: int = Field(
        default=1, ge=1, le=100, description="Repetitions of what chance decides in learning."
    )
    evaluation: ExtractionEvaluation = Field(
        default=ExtractionEvaluation(), description="Intervals and tests."
    )
    resources: Resources = Field(default=Resources(), description="Where jobs run.")

    @model_validator(mode="after")
    def _sound(self) -> ExtractionStudy:
        for name, corpus in self.corpora.items():
            wanted = {corpus.test, *(part for parts in self.train.values() for part in parts)}
            if missing := sorted(wanted - set(corpus.parts)):
                raise ValueError(
                    f"corpora.{name}.parts has no '{missing[0]}'; its parts are "
                    f"{choices(corpus.parts)}"
                )
            for set_name, parts in self.train.items():
                if corpus.test in parts:
                    raise ValueError(
                        f"train.{set_name} names '{corpus.test}', on which taggers are judged; "
                        "learn from other parts"
                    )
        for name, tagger in self.taggers.items():
            if not isinstance(tagger, Ensemble):
                continue
            known = [n for n, one in self.taggers.items() if one.kind in PROBABLE]
            if missing := [member for member in tagger.of if member not in known]:
                raise ValueError(
                    f"taggers.{name}.of names '{missing[0]}', which is no tagger with "
                    f"probabilities; those are {choices(known) or 'none'}"
                )
        return self

    def cells(self) -> list[tuple[str, str, str]]:
        """Corpus, what is learned from, tagger."""
        return [(c, t, one) for c in self.corpora for t in self.train for one in self.taggers]

    def repeats(self, tagger: str) -> int:
        """Replicates of a tagger: one where chance decides nothing."""
        settings = self.taggers[tagger]
        chance = not isinstance(settings, DictionaryTagger) or settings.keep_empty < 1
        return self.replicates if chance else 1


PROBABLE = ("hashed_crf", "encoder")


def load_extraction(config: dict[str, Any], where: str = "the config") -> ExtractionStudy:
    """Check a raw config and fill its defaults; paths may hold ``{data}``.

    Raises StudyError that lists every problem as ``key: what is wrong``.
    """
    check_size(config, where)
    try:
        return ExtractionStudy.model_validate(expand(config, str(config.get("data", "."))))
    except ValidationError as error:
        problems = described(error, config)
        raise StudyError(f"{where} describes no valid study of taggers. {problems}") from None
