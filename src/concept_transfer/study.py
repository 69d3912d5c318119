"""The study a config file describes: its settings, defaults and the checks that need no data.

Every section (`concept_transfer.settings`) is a pydantic model that forbids unknown keys, so a typo
is an error and not a silent default. `config/schema.json` is generated from here, and a test keeps
the two in step.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from concept_transfer.cell import ALL_SITES, NO_EMBEDDING
from concept_transfer.checks.references import check_references
from concept_transfer.errors import StudyError, choices
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Learner, LearnerSettings
from concept_transfer.registry import OneOf, named
from concept_transfer.settings.bins import Bins, from_edges
from concept_transfer.settings.claims import Claim, ClaimSide
from concept_transfer.settings.embeddings import (
    Embedding,
    control_of,
    from_catalogue,
    is_of_source,
)
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.settings.evaluation import Evaluation, Meaning
from concept_transfer.settings.files import check_size
from concept_transfer.settings.interconnections import Interconnections
from concept_transfer.settings.keep import Keep
from concept_transfer.settings.problems import described
from concept_transfer.settings.section import Distinct, Name, Section, Sizes
from concept_transfer.settings.sites import Site
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.settings.training import Training
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Strategy, StrategySettings

DEVICES = ("cpu", "cuda", "mps", "xpu")


def _check_device(device: str) -> str:
    kind, colon, number = device.partition(":")
    if kind not in DEVICES or (colon and not number.isdecimal()):
        raise ValueError(f"no torch device; choose from {choices(DEVICES)}, or name one: cuda:1")
    return device


def _check_rungs(rungs: list[str]) -> list[str]:
    if len(rungs) == 1:
        raise ValueError(f"'{rungs[0]}' is the only rung; a ladder has two at least")
    return rungs


Encoder = Annotated[
    Annotated[CodeEncoder, Tag("codes")] | Annotated[TextEncoder, Tag("text")],
    Discriminator(
        lambda entry: entry.get("kind", "codes") if isinstance(entry, dict) else entry.kind,
        custom_error_type="encoder_kind",
        custom_error_message="the kind of an encoder is 'codes' or 'text'",
    ),
]


class Resources(Section):
    """Where embedding and training jobs run."""

    device: Annotated[str, AfterValidator(_check_device)] = Field(
        default="cpu", description="torch device of embedding and training jobs."
    )
    gpu: int = Field(default=0, ge=0, description="GPUs each embedding or training job asks for.")
    threads: int = Field(default=1, ge=1, description="CPU threads of a training job.")


class Study(Section):
    """One transfer study: sites x embeddings x classifiers x strategies x target sizes."""

    study: Name = Field(description="Names the results folder.")
    title: str = Field(default="", description="Title of the report (else the study's name).")
    notice: str = Field(
        default="", description="Shown at the top of the report, e.g. that patients are simulated."
    )
    seed: int = Field(default=1, ge=0, description="Seed behind every draw of the study.")
    data: str = Field(default=".", description="Replaces {data} in every path of this config.")
    vocabulary: str = Field(
        default="",
        description="TSV of concepts, states and texts (docs/contracts.md); may be left out where "
        "a site is given as a bundle, whose vocabulary is then used.",
    )
    bins: Annotated[dict[str, Bins], BeforeValidator(from_edges)] = Field(
        default={},
        description="Concept -> how the numbers of its column become states, alike at all sites: "
        "a list of edges, or a section.",
    )
    task: Task = Field(description="What is predicted, and from which concepts.")
    sites: dict[Name, Site] = Field(
        min_length=1, description="Site name -> where its encounters come from."
    )
    split: SplitSettings = Field(description="How every site's encounters are divided.")
    pairs: Annotated[
        Annotated[Literal["all"], Tag("word")]
        | Annotated[Distinct[tuple[Name, Name]], Field(min_length=1), Tag("list")],
        Discriminator(lambda pairs: "list" if isinstance(pairs, list) else "word"),
    ] = Field(default="all", description="[source, target] pairs, or all ordered pairs of sites.")
    embeddings: Annotated[dict[Name, Embedding], BeforeValidator(from_catalogue)] = Field(
        min_length=1,
        description="Embedding name -> how its vectors are made; a name alone stands for the "
        "entry of that name in config/embeddings/.",
    )
    encoders: dict[Name, Encoder] = Field(
        default={},
        description="Encoder name -> what it is pre-trained on, without labels; classifiers that "
        "read patients' histories (`kind: codes`), or documents (`kind: text`), are trained with "
        "each of theirs.",
    )
    classifiers: Annotated[
        dict[Name, Annotated[LearnerSettings, OneOf(LEARNERS, "kind")]],
        BeforeValidator(named(LEARNERS, "kind", "classifier")),
    ] = Field(
        default=["cnn", "logistic", "gradient_boosting"],
        validate_default=True,
        min_length=1,
        description="A list of learners by name, or classifier name -> its settings.",
    )
    strategies: Annotated[
        dict[Name, Annotated[StrategySettings, OneOf(STRATEGIES, "kind")]],
        BeforeValidator(named(STRATEGIES, "kind", "strategy")),
    ] = Field(
        default=["local", "direct", "linear", "full", "pooled", "auto"],
        validate_default=True,
        min_length=1,
        description="A list of strategies by name, or strategy name -> its settings.",
    )
    target_sizes: Sizes = Field(
        default=["all"], min_length=1, description="Labelled target encounters, validation included"
    )
    balanced_labels: bool = Field(
        default=False,
        description="Draw as many labelled encounters of each class, until one is used up, at all "
        "target sizes but `all`. A few labels then hold positives, but risks learned from them are "
        "those of the draw: judge ranks.",
    )
    replicates: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Independent redraws of everything that chance decides.",
    )
    block_size: int = Field(default=10, ge=1, description="Replicates that share one job.")
    training: Training = Field(
        default_factory=lambda: Training.model_validate({}), description="How models are fitted."
    )
    keep: Keep = Field(default=Keep(), description="Fitted models that are kept as bundles.")
    evaluation: Evaluation = Field(
        default=Evaluation(), description="Intervals, and what is too small to show."
    )
    meaning: Meaning = Field(
        default=Meaning(), description="How an embedding's gain from meaning is tested."
    )
    ladder: Annotated[Distinct[Name], AfterValidator(_check_rungs)] = Field(
        default=[],
        description="Embeddings, or encoders, of which each adds something to the one before: what "
        "does every step gain?",
    )
    claims: list[Claim] = Field(
        default=[],
        description="Statements that the report puts to the test; write them before the results.",
    )
    interconnections: Interconnections | None = Field(
        default=None,
        description="Which codes belong together, and which method foretells it of other patients; "
        "null does not ask.",
    )
    resources: Resources = Field(default=Resources(), description="Where jobs run.")

    @model_validator(mode="after")
    def _sound(self) -> Study:
        check_references(self)
        return self

    def has_encounters(self, site: str) -> bool:
        """Whether a site of the study has more to it than the models that it hands on."""
        return ADAPTERS[self.sites[site].adapter].has_encounters

    def learner(self, classifier: str) -> Learner:
        """The record of a classifier of the study."""
        return LEARNERS[self.classifiers[classifier].kind]

    def strategy(self, name: str) -> Strategy:
        """The record of a strategy of the study."""
        return STRATEGIES[self.strategies[name].kind]

    def combining_strategies(self) -> list[str]:
        """Strategies that train nothing and combine what the others predict."""
        return [name for name in self.strategies if self.strategy(name).combine]

    def embedding_classifiers(self) -> list[str]:
        """Classifiers that are trained with each of the study's embeddings."""
        return [name for name in self.classifiers if self.learner(name).takes_embedding]

    def encoder_classifiers(self) -> list[str]:
        """Classifiers that are trained with each of the study's encoders of their kind."""
        return [name for name in self.classifiers if self.learner(name).takes_encoder]

    def is_received(self, representation: str) -> bool:
        """Whether it is an encoder that comes with the models of sites without encounters."""
        encoder = self.encoders.get(representation)
        if encoder is None or not encoder.sites:
            return False
        return not any(map(self.has_encounters, encoder.sites))

    def has_table_each_site(self, representation: str) -> bool:
        """Whether it is an embedding that each site's own encounters teach."""
        return is_of_source(representation, self.embeddings)

    def representations(self, classifier: str) -> list[str]:
        """The embeddings, or encoders of its kind, that a classifier is trained with, or "none"."""
        learner = self.learner(classifier)
        if learner.takes_embedding:
            return list(self.embeddings)
        kind = learner.takes_encoder
        return self.encoders_of(kind) if kind else [NO_EMBEDDING]

    def encoders_of(self, kind: str) -> list[str]:
        """The encoders of a kind."""
        return [name for name, encoder in self.encoders.items() if encoder.kind == kind]

    def document_encoders(self) -> list[str]:
        """The encoders that classifiers read documents by."""
        return [name for name in self.encoders_of("text") if self.taking(name)]

    def taking(self, representation: str) -> list[str]:
        """The classifiers that are trained with an embedding or an encoder, or with "none"."""
        return [name for name in self.classifiers if representation in self.representations(name)]

    def abilities(self, classifier: str) -> frozenset[str]:
        """What strategies may ask of a classifier with its settings."""
        learner = self.learner(classifier)
        return learner.can - learner.lacks(self.classifiers[classifier])

    def is_control(self, name: str) -> bool:
        """Whether an embedding or an encoder is there to be compared with alone."""
        if name in self.encoders:
            encoder = self.encoders[name]
            vectors = encoder.vectors if isinstance(encoder, CodeEncoder) else None
            return encoder.is_control or (vectors is not None and self.is_control(vectors))
        return name in self.embeddings and control_of(self.embeddings[name]) is not None

    def climbing_classifiers(self) -> list[str]:
        """Classifiers that are trained with every rung of the ladder, if there is one."""
        rungs = {*self.ladder}
        return [c for c in self.classifiers if rungs and rungs <= {*self.representations(c)}]

    def classifier_of(self, side: ClaimSide) -> str:
        """The classifier that a claim's side is about: the first for its embedding if not named."""
        return side.classifier or self.taking(side.embedding or NO_EMBEDDING)[0]

    def gathered(self) -> list[tuple[str, str]]:
        """All sources together, and a target, for each target of a strategy that gathers them."""
        sources: dict[str, list[str]] = {}
        for source, target in self.ordered_pairs():
            sources.setdefault(target, []).append(source)
        several = [target for target, of in sources.items() if len(of) > 1]
        gathers = any(self.strategy(name).gathers for name in self.strategies)
        return [(ALL_SITES, target) for target in several] if gathers else []

    def directions(self) -> list[tuple[str, str]]:
        """All pairs, and all sources together of each target that has several."""
        return [*self.ordered_pairs(), *self.gathered()]

    def parked_sites(self) -> list[str]:
        """Sites that stand in no pair, so that no job reads them."""
        used = {site for pair in self.ordered_pairs() for site in pair}
        return [site for site in self.sites if site not in used]

    def measured_pairs(self) -> list[tuple[str, str]]:
        """The ordered pairs of sites that both have encounters, so that a distance is known."""
        return [pair for pair in self.ordered_pairs() if self.has_encounters(pair[0])]

    def ordered_pairs(self) -> list[tuple[str, str]]:
        """All [source, target] pairs of the study."""
        if self.pairs == "all":
            targets = [site for site in self.sites if self.has_encounters(site)]
            return [(s, t) for s in self.sites for t in targets if s != t]
        return list(self.pairs)


def load_study(config: dict[str, Any], where: str = "the config") -> Study:
    """Check a raw config and fill its defaults.

    Paths in the config may hold ``{data}``, which the key ``data`` replaces.

    Raises StudyError that lists every problem as ``key: what is wrong``.
    """
    check_size(config, where)
    data = str(config.get("data", "."))
    try:
        study = Study.model_validate(expand(config, data))
    except ValidationError as error:
        problems = described(error, config)
        raise StudyError(f"{where} describes no valid study. {problems}") from None
    least, small = study.evaluation.min_positives, study.evaluation.small_cells
    if least < small:  # jobs that know only one of them are right to accept it
        raise StudyError(
            f"{where}: evaluation.min_positives ({least}) is less than evaluation.small_cells "
            f"({small}): findings would rest on counts that are suppressed; raise min_positives or "
            "lower small_cells"
        )
    return study


def expand(value: Any, data: str) -> Any:
    """The value with {data} replaced in every text within."""
    if isinstance(value, dict):
        return {key: expand(entry, data) for key, entry in value.items()}
    if isinstance(value, list):
        return [expand(entry, data) for entry in value]
    if isinstance(value, str):
        return value.replace("{data}", data)
    return value
