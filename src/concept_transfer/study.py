"""The study a config file describes: its models, defaults and the checks that need no data.

Every section is a pydantic model that forbids unknown keys, so a typo is an error and not a
silent default. `config/schema.json` is generated from here, and a test keeps the two in step.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from concept_transfer.embeddings import catalogue
from concept_transfer.errors import StudyError, choices

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.]*"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f"'{name}' cannot name a folder; use letters, digits, '_' and '.', "
            "starting with a letter or digit"
        )
    if name == "none":
        raise ValueError("'none' is reserved: it stands for 'no embedding'")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Task(Section):
    """What is predicted, and from which concepts."""

    label: str = Field(description="Name of the outcome, used in titles and by some adapters.")
    exclude_categories: list[str] = Field(
        default=[], description="Concept categories that no model sees (for example lab result)."
    )
    exclude_concepts: list[str] = Field(
        default=[], description="Single concept ids that no model sees."
    )
    not_recorded: Literal["omit", "absent"] = Field(
        default="omit",
        description="A finding nobody wrote down contributes nothing (omit) or is read as the "
        "concept's state 'absent', as Gao et al. 2024 did.",
    )


class SimulatedSite(Section):
    """Encounters sampled from a small Bayesian network."""

    adapter: Literal["simulated"]
    network: str = Field(description="YAML file of the network (see resources/networks).")
    encounters: int = Field(default=6000, ge=1, description="How many encounters to sample.")
    seed: int = Field(default=1, ge=0, description="Seed of the sample.")


class LabelColumn(Section):
    """Which column holds the outcome of a tabular site, and how it is spelled."""

    column: str = Field(description="Name of the column.")
    positive: list[str] = Field(min_length=1, description="Spellings of the outcome.")
    negative: list[str] = Field(min_length=1, description="Spellings of its absence.")
    drop: list[str] = Field(default=[], description="Encounters with these values are left out.")


class TabularSite(Section):
    """A wide table: one row an encounter, one column a finding (CSV, Parquet or XLSX)."""

    adapter: Literal["tabular"]
    path: str | None = Field(default=None, description="The file, when one file holds all rows.")
    train: list[str] = Field(default=[], description="Files whose rows are given for training.")
    validation: list[str] = Field(default=[], description="Files given for validation.")
    test: list[str] = Field(default=[], description="Files given for testing.")
    label: LabelColumn = Field(description="Where the outcome stands.")
    encounter: str | None = Field(default=None, description="Encounter id column (else row).")
    patient: str | None = Field(default=None, description="Patient id column.")
    cluster: str | None = Field(
        default=None, description="Column of the unit that must not be divided (else patient)."
    )
    time: str | None = Field(default=None, description="Column of the encounter's date.")
    partition: str | None = Field(
        default=None, description="Column holding train / validation / test."
    )
    spelling: dict[str, list[str]] = Field(
        default={
            "present": ["present", "P", "1", "true", "yes"],
            "absent": ["absent", "A", "0", "false", "no"],
            "not recorded": ["", "missing", "M", "NA"],
        },
        description="State -> spellings (case is ignored) for concepts without their own entry.",
    )
    concept_spelling: dict[str, dict[str, list[str]]] = Field(
        default={}, description="Concept -> state -> spellings, for graded concepts."
    )
    crosswalk: str | None = Field(
        default=None, description="TSV with columns site_code, concept; else columns are concepts."
    )
    ignore_columns: list[str] = Field(default=[], description="Columns that hold no finding.")
    show_values: bool = Field(
        default=False, description="Show offending cell values of patients' rows in errors."
    )

    @model_validator(mode="after")
    def _one_source_of_rows(self) -> TabularSite:
        given = bool(self.train or self.validation or self.test)
        if (self.path is None) == (not given):
            raise ValueError("give either 'path' or the lists 'train', 'validation', 'test'")
        return self


class NhamcsSite(Section):
    """Emergency-department visits of one census region (NHAMCS public-use Stata files)."""

    adapter: Literal["nhamcs"]
    path: str = Field(description="Folder of the CDC's zipped Stata files.")
    years: list[int] = Field(min_length=1, description="Survey years to read.")
    region: Literal["Northeast", "Midwest", "South", "West"] = Field(
        description="Census region of the hospital."
    )
    cohort: Literal["respiratory", "all"] = Field(
        default="respiratory",
        description="Visits with a fever or respiratory reason (10050-10123, 14000-14859), or all.",
    )
    download_from: str | None = Field(
        default="https://ftp.cdc.gov/pub/Health_Statistics/NCHS/dataset_documentation/nhamcs/stata",
        description="Where missing years are fetched; null never downloads.",
    )


Site = Annotated[SimulatedSite | TabularSite | NhamcsSite, Field(discriminator="adapter")]


class Split(Section):
    """How every site's encounters are divided, always by cluster (default: patient)."""

    by: Literal["given", "time", "share", "folds"] = Field(
        description="The files say (given), the last period tests (time), a random share of the "
        "clusters tests (share), or every encounter is tested once by a model that saw nothing of "
        "its cluster (folds)."
    )
    folds: int = Field(default=5, ge=2, description="folds: number of cross-fitting folds.")
    test_share: float = Field(default=0.3, gt=0, lt=1, description="share: part held for testing.")
    test_from: datetime.date | None = Field(
        default=None, description="time: encounters from this day on test."
    )
    validation_share: float = Field(
        default=0.2, gt=0, lt=1, description="Part of the non-test clusters kept for validation."
    )

    @model_validator(mode="after")
    def _time_needs_a_day(self) -> Split:
        if self.by == "time" and self.test_from is None:
            raise ValueError("split by time needs 'test_from', the first day of the test period")
        return self


class Norm(Section):
    """Rows scaled to a stated length."""

    norm: float = Field(gt=0, description="Every row is scaled to this Euclidean norm.")


class Standardized(Section):
    """Columns standardized, then rows scaled to a stated length."""

    standardized: float = Field(
        gt=0, description="Columns to mean 0 and variance 1, then every row to this norm."
    )


Scale = Literal["raw", "unit", "standardized"] | Norm | Standardized


SCALE = (
    "Length of the rows: as they are (raw), 1 (unit), columns standardized (standardized), "
    "or a stated norm."
)


PLACEHOLDERS = ("text", "name", "state", "category", "definition")


def _check_template(template: str) -> str:
    unknown = [found for found in re.findall(r"\{(.*?)\}", template) if found not in PLACEHOLDERS]
    if unknown:
        raise ValueError(
            f"unknown placeholder {{{unknown[0]}}}; choose from {{{'}, {'.join(PLACEHOLDERS)}}}"
        )
    return template


def _check_prompt(prompt: str) -> str:
    if re.findall(r"\{(.*?)\}", prompt) != ["text"]:
        raise ValueError("a prompt holds the placeholder {text} exactly once, and no other")
    return prompt


Template = Annotated[str, AfterValidator(_check_template)]
Prompt = Annotated[str, AfterValidator(_check_prompt)]
PROMPT = "What the model is given, around the token's text."


class Wording(Section):
    """How a token is put into words, where the vocabulary's own texts are not used."""

    templates: dict[str, Template] = Field(
        default={},
        description="State -> template, such as {absent: 'no {name}'}; 'other' serves the states "
        "not listed, else {text}, the vocabulary's own text.",
    )
    synonyms: str | None = Field(
        default=None,
        description="TSV with columns concept, synonym: a token's vector is the mean over its "
        "name and synonyms.",
    )
    definitions: str | None = Field(
        default=None, description="TSV with columns concept, definition, for {definition}."
    )
    same_text: Literal["error", "allow"] = Field(
        default="error",
        description="Two tokens with one text get one vector, and no model can tell them apart.",
    )


class OneHotEmbedding(Section):
    """Baseline without meaning: every token is its own dimension."""

    provider: Literal["one_hot"]
    scale: Scale = Field(default="raw", description=SCALE)


class RandomEmbedding(Section):
    """Control: Gaussian rows of the width and row norms of another embedding."""

    provider: Literal["random"]
    like: Name = Field(description="Embedding whose width and row norms are copied.")


class ShuffledEmbedding(Section):
    """Control: the vectors of another embedding, concepts permuted, states kept together."""

    provider: Literal["shuffled"]
    of: Name = Field(description="Embedding whose rows are permuted.")


class PrecomputedEmbedding(Section):
    """Vectors somebody published: HDF5, NPZ, Parquet or word2vec text."""

    provider: Literal["precomputed"]
    path: str = Field(description="File of the vectors; its suffix says the format.")
    crosswalk: str | None = Field(
        default=None,
        description="TSV with columns key, concept, state, for keys that no rule matches.",
    )
    missing: Literal["error", "zero", "mean", "nearest"] = Field(
        default="error",
        description="Tokens without a vector: an error that lists them, a zero row, the mean of "
        "all matched rows, or the row of the concept with the most similar name.",
    )
    scale: Scale = Field(default="raw", description=SCALE)


class TextEmbedding(Section):
    """What all providers share that read a token's text."""

    catalogue: str | None = Field(
        default=None, description="Entry of config/embeddings/ whose settings are used."
    )
    prompt: Prompt = Field(default="{text}", description=PROMPT)
    wording: Wording = Field(default=Wording(), description="How tokens are put into words.")


class TransformersEmbedding(TextEmbedding):
    """Texts embedded by a language model (hub id, local folder, or package:NAME)."""

    provider: Literal["transformers"]
    model: str = Field(description="Hub id, local folder, or package:NAME of an installed package.")
    revision: str | None = Field(default=None, description="Commit or tag of a hub model.")
    pooling: Literal["cls", "mean", "last"] = Field(
        default="mean",
        description="First token, mean over tokens, or last token of the last layer.",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Precision the model computes in; tables are float32."
    )
    truncate: bool = Field(
        default=False, description="Cut texts that exceed the model's length, else an error."
    )
    pickled_weights: bool = Field(
        default=False,
        description="Also load pytorch_model.bin where a model has no safetensors; a pickle can "
        "run code, so only from a publisher you trust.",
    )
    scale: Scale = Field(default="raw", description=SCALE)


class OpenAIEmbedding(TextEmbedding):
    """Texts embedded by a server that speaks OpenAI's API; only concept texts are ever sent."""

    provider: Literal["openai"]
    model: str = Field(description="Model (or Azure deployment) name on the server.")
    base_url: str | None = Field(
        default=None, description="Server, e.g. http://localhost:11434/v1; null is OpenAI's own."
    )
    api_version: str | None = Field(
        default=None, description="Azure's API version; base_url is then the Azure endpoint."
    )
    key_variable: str = Field(
        default="OPENAI_API_KEY", description="Environment variable that holds the key."
    )
    dimensions: int | None = Field(default=None, ge=1, description="Ask for shortened vectors.")
    batch_texts: int = Field(default=256, ge=1, description="Texts a request at most.")
    batch_tokens: int = Field(
        default=100_000, ge=1, description="Estimated tokens a request at most."
    )
    retries: int = Field(
        default=6, ge=0, description="Repeats after 429, 5xx, time-outs and lost connections."
    )
    timeout: float = Field(default=60, gt=0, description="Seconds to wait for an answer.")
    price: float | None = Field(
        default=None, ge=0, description="US dollars a million tokens, for the cost estimate."
    )
    offline: bool = Field(default=False, description="Use the cache only; send nothing.")
    scale: Scale = Field(default="raw", description=SCALE)


class ScaledEmbedding(Section):
    """Another embedding at another row length."""

    provider: Literal["scaled"]
    of: Name = Field(description="Embedding whose rows are scaled.")
    scale: Scale = Field(description=SCALE)


class PcaEmbedding(Section):
    """The first principal components of another embedding: its width as an axis."""

    provider: Literal["pca"]
    of: Name = Field(description="Embedding that is projected.")
    width: int = Field(ge=1, description="Number of components.")
    scale: Scale = Field(default="raw", description=SCALE)


class ConcatenatedEmbedding(Section):
    """Rows of several embeddings side by side."""

    provider: Literal["concatenated"]
    of: list[Name] = Field(min_length=2, description="Embeddings, in order.")
    scale: Scale = Field(default="raw", description=SCALE)


class AverageEmbedding(Section):
    """Mean of several embeddings of one width."""

    provider: Literal["average"]
    of: list[Name] = Field(min_length=2, description="Embeddings of one width.")
    scale: Scale = Field(default="raw", description=SCALE)


class NegationEmbedding(Section):
    """Absent = present + one direction for all concepts, the mean of absent - present."""

    provider: Literal["negation"]
    of: Name = Field(description="Embedding whose absent rows are replaced.")
    strength: float = Field(
        default=1.0, gt=0, description="Length of the step, in mean differences."
    )
    scale: Scale = Field(default="raw", description=SCALE)


Embedding = Annotated[
    OneHotEmbedding
    | RandomEmbedding
    | ShuffledEmbedding
    | PrecomputedEmbedding
    | TransformersEmbedding
    | OpenAIEmbedding
    | ScaledEmbedding
    | PcaEmbedding
    | ConcatenatedEmbedding
    | AverageEmbedding
    | NegationEmbedding,
    Field(discriminator="provider"),
]


def parents_of(embedding: Any) -> tuple[str, ...]:
    """Names of the embeddings that one is made from; empty where it stands alone."""
    named = getattr(embedding, "of", None) or getattr(embedding, "like", None) or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _check_parents(embeddings: dict[str, Any]) -> None:
    """Every parent is defined, no parent is a control, no embedding is made from itself."""
    for name, embedding in embeddings.items():
        for parent in parents_of(embedding):
            if parent not in embeddings:
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is not defined; "
                    f"defined are {choices(embeddings)}"
                )
            if embeddings[parent].provider in ("random", "shuffled"):
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is a control itself; "
                    "refer to the embedding behind it"
                )
    for name in embeddings:
        ancestors = list(parents_of(embeddings[name]))
        for ancestor in ancestors:
            if ancestor == name:
                raise ValueError(f"embeddings.{name} is made from itself; break the circle")
            ancestors += [p for p in parents_of(embeddings[ancestor]) if p not in ancestors]


def _from_catalogue(value: Any) -> Any:
    """`name:` alone, or `name: {catalogue: entry, ...}`, takes the entry's settings."""
    if not isinstance(value, dict):
        return value
    return {
        name: catalogue.fill(name, {} if entry is None else entry)
        if entry is None or (isinstance(entry, dict) and entry.get("catalogue") is not None)
        else entry
        for name, entry in value.items()
    }


StrategyKind = Literal["local", "direct", "linear", "full", "pooled"]
STRATEGIES: tuple[str, ...] = ("local", "direct", "linear", "full", "pooled")
CLASSIFIERS: tuple[str, ...] = ("cnn", "logistic", "gradient_boosting")


class Strategy(Section):
    """One way to use source and target data; a name in the config maps to one of these."""

    kind: StrategyKind = Field(
        description="Target only (local), source model unchanged (direct), linear layer tuned "
        "(linear), all layers tuned (full), or source and target together (pooled). May be left "
        "out where the strategy's own name is one of these."
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="Overrides training.learning_rate for this strategy."
    )
    epochs: int | None = Field(
        default=None, ge=1, description="Overrides the protocol's number of epochs."
    )
    source_weight: float = Field(
        default=1.0, gt=0, description="pooled: weight of a source encounter in the loss."
    )


class Training(Section):
    """How models are fitted; every field's default follows from the protocol."""

    protocol: Literal["early_stopping", "gao2024"] = Field(
        default="early_stopping",
        description="Whole epochs until validation stops improving, or the paper's fixed schedule.",
    )
    learning_rate: float = Field(gt=0, description="Step size of the optimizer.")
    batch_size: int = Field(default=32, ge=1, description="Encounters a step.")
    epochs: int = Field(ge=1, description="At most this many epochs.")
    iterations: int | None = Field(
        default=None, ge=1, description="Batches an epoch; null is one pass over the data."
    )
    patience: int | None = Field(
        default=None, ge=1, description="Epochs without improvement before stopping; null: never."
    )
    monitor: Literal["log_loss", "auroc"] = Field(
        default="log_loss", description="Validation quantity whose best epoch is kept."
    )
    fixed_epochs: int = Field(
        default=20, ge=1, description="Epochs when fewer than 10 positives rule out early stopping."
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd", description="SGD with Nesterov momentum, or AdamW."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Nesterov momentum (sgd).")
    weight_decay: float = Field(default=1e-3, ge=0, description="Decay of all weights.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout before the linear layer.")
    filters: int = Field(default=100, ge=1, description="Filters of the convolution.")
    class_weight: Literal["none", "balanced"] = Field(
        default="none",
        description="none keeps predicted probabilities calibrated; balanced weights each class "
        "by the inverse of its training frequency.",
    )

    @model_validator(mode="before")
    @classmethod
    def _protocol_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        protocols: dict[str, dict[str, Any]] = {
            "early_stopping": {"learning_rate": 0.03, "epochs": 60, "patience": 8},
            "gao2024": {
                "learning_rate": 1e-3,
                "epochs": 50,
                "iterations": 100,
                "monitor": "auroc",
                "fixed_epochs": 50,
            },
        }
        return {**protocols.get(values.get("protocol", "early_stopping"), {}), **values}


class Evaluation(Section):
    """Intervals, and what is too small to show."""

    draws: int = Field(default=1000, ge=100, description="Bootstrap draws of clusters.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Level of the intervals.")
    min_positives: int = Field(
        default=20, ge=1, description="Cells with fewer test positives stay out of headlines."
    )
    alert_rate: float = Field(
        default=0.1, gt=0, lt=1, description="Share of encounters alerted, for the PPV."
    )
    margin: float | None = Field(
        default=None,
        gt=0,
        description="AUROC difference that counts as equivalent; null asks for differences only.",
    )
    small_cells: int = Field(
        default=11, ge=0, description="Counts of patients below this are suppressed in the report."
    )


class ClaimSide(Section):
    """One side of a claim: the concept CNN with an embedding and a strategy."""

    embedding: Name = Field(description="Name of an embedding of the study.")
    strategy: Name = Field(description="Name of a strategy of the study.")


class ClaimTest(Section):
    """Two sides and the conditions under which they are compared."""

    under: str = Field(description="The conditions in words, as in 'with vectors of equal length'.")
    better: ClaimSide = Field(description="What should be better if the claim is right.")
    than: ClaimSide = Field(description="What it should be better than.")
    source: Name | None = Field(default=None, description="Only transfer from this site.")


class Claim(Section):
    """A statement, of a paper or of your own, that the report puts to the test."""

    text: str = Field(description="The claim as the report quotes it.")
    tests: list[ClaimTest] = Field(
        min_length=1, description="It survives if every one of these comparisons bears it out."
    )


class Resources(Section):
    """Where embedding and training jobs run."""

    device: str = Field(default="cpu", description="torch device of embedding and training jobs.")
    gpu: int = Field(default=0, ge=0, description="GPUs each embedding or training job asks for.")
    threads: int = Field(default=1, ge=1, description="CPU threads of a training job.")


def _strategies(value: Any) -> Any:
    """A list of the built-in names is short for a mapping without settings."""
    if isinstance(value, list):
        for name in value:
            if name not in STRATEGIES:
                raise ValueError(f"unknown strategy '{name}'; choose from {choices(STRATEGIES)}")
        return {name: {"kind": name} for name in value}
    if isinstance(value, dict):
        return {
            name: {"kind": name, **(entry or {})}
            if name in STRATEGIES and "kind" not in (entry or {})
            else entry
            for name, entry in value.items()
        }
    return value


class Study(Section):
    """One transfer study: sites x embeddings x classifiers x strategies x target sizes."""

    study: Name = Field(description="Names the results folder.")
    title: str = Field(default="", description="Title of the report (else the study's name).")
    notice: str = Field(
        default="", description="Shown at the top of the report, e.g. that patients are simulated."
    )
    seed: int = Field(default=1, ge=0, description="Seed behind every draw of the study.")
    data: str = Field(default=".", description="Replaces {data} in every path of this config.")
    vocabulary: str = Field(description="TSV of concepts, states and texts (docs/contracts.md).")
    task: Task = Field(description="What is predicted, and from which concepts.")
    sites: dict[Name, Site] = Field(
        min_length=1, description="Site name -> where its encounters come from."
    )
    split: Split = Field(description="How every site's encounters are divided.")
    pairs: Literal["all"] | list[tuple[Name, Name]] = Field(
        default="all", description="[source, target] pairs, or all ordered pairs of sites."
    )
    embeddings: Annotated[dict[Name, Embedding], BeforeValidator(_from_catalogue)] = Field(
        min_length=1,
        description="Embedding name -> how its vectors are made; a name alone stands for the "
        "entry of that name in config/embeddings/.",
    )
    classifiers: list[Literal["cnn", "logistic", "gradient_boosting"]] = Field(
        default=["cnn", "logistic", "gradient_boosting"],
        min_length=1,
        description="The concept CNN, and baselines on one-hot findings.",
    )
    strategies: Annotated[dict[Name, Strategy], BeforeValidator(_strategies)] = Field(
        default_factory=lambda: {name: Strategy(kind=name) for name in STRATEGIES},  # type: ignore[arg-type]
        description="A list of the built-in names, or strategy name -> its settings.",
    )
    target_sizes: list[Annotated[int, Field(ge=2)] | Literal["all"]] = Field(
        default=["all"], min_length=1, description="Labelled target encounters, validation included"
    )
    replicates: int = Field(
        default=10, ge=1, description="Independent redraws of everything that chance decides."
    )
    block_size: int = Field(default=10, ge=1, description="Replicates that share one job.")
    training: Training = Field(
        default_factory=lambda: Training.model_validate({}), description="How models are fitted."
    )
    evaluation: Evaluation = Field(
        default=Evaluation(), description="Intervals, and what is too small to show."
    )
    claims: list[Claim] = Field(
        default=[],
        description="Statements that the report puts to the test; write them before the results.",
    )
    resources: Resources = Field(default=Resources(), description="Where jobs run.")

    @model_validator(mode="after")
    def _references_exist(self) -> Study:
        _check_parents(self.embeddings)
        if self.pairs != "all":
            for source, target in self.pairs:
                for site in (source, target):
                    if site not in self.sites:
                        raise ValueError(
                            f"pairs names the site '{site}'; defined are {choices(self.sites)}"
                        )
                if source == target:
                    raise ValueError(f"pairs: source and target are both '{source}'")
        elif len(self.sites) < 2:
            raise ValueError("a study needs at least two sites (a source and a target)")
        self._check_claims()
        return self

    def _check_claims(self) -> None:
        sources = {source for source, _ in self.ordered_pairs()}
        if self.claims and "cnn" not in self.classifiers:
            raise ValueError("claims are about the concept CNN; add 'cnn' to 'classifiers'")
        for claim in self.claims:
            for test in claim.tests:
                for kind, name, defined in (
                    ("embedding", test.better.embedding, self.embeddings),
                    ("embedding", test.than.embedding, self.embeddings),
                    ("strategy", test.better.strategy, self.strategies),
                    ("strategy", test.than.strategy, self.strategies),
                    ("source", test.source, sources),
                ):
                    if name is not None and name not in defined:
                        raise ValueError(
                            f"claims: '{claim.text}' names the {kind} '{name}'; defined are "
                            f"{choices(defined)}"
                        )

    def ordered_pairs(self) -> list[tuple[str, str]]:
        """All [source, target] pairs of the study."""
        if self.pairs == "all":
            return [(s, t) for s in self.sites for t in self.sites if s != t]
        return list(self.pairs)


def load_study(config: dict[str, Any], where: str = "the config") -> Study:
    """Check a raw config and fill its defaults.

    Paths in the config may hold ``{data}``, which the key ``data`` replaces.

    Raises StudyError that lists every problem as ``key: what is wrong``.
    """
    data = str(config.get("data", "."))
    try:
        return Study.model_validate(_expand(config, data))
    except ValidationError as error:
        problems = "; ".join(_problem(detail) for detail in error.errors())
        raise StudyError(f"{where} describes no valid study. {problems}") from None


def _expand(value: Any, data: str) -> Any:
    if isinstance(value, dict):
        return {key: _expand(entry, data) for key, entry in value.items()}
    if isinstance(value, list):
        return [_expand(entry, data) for entry in value]
    if isinstance(value, str):
        return value.replace("{data}", data)
    return value


def _problem(detail: Any) -> str:
    keys = [str(part) for part in detail["loc"] if not str(part).startswith("function-")]
    where = ".".join(keys) or "top level"
    value = detail.get("input")
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key (see config/README.md for the accepted ones)"
    message = detail["msg"].removeprefix("Value error, ")
    shown = f" (got {value!r})" if isinstance(value, str | int | float | bool | None) else ""
    return f"{where}: {message}{shown}"


def resolve(path: str, root: Path) -> Path:
    """A path of the config, relative to the folder the workflow runs in."""
    return Path(path) if Path(path).is_absolute() else root / path
