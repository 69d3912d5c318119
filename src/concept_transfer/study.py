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

    column: str
    positive: list[str] = Field(min_length=1)
    negative: list[str] = Field(min_length=1)
    drop: list[str] = Field(default=[], description="Encounters with these values are left out.")


class TabularSite(Section):
    """A wide table: one row an encounter, one column a finding (CSV, Parquet or XLSX)."""

    adapter: Literal["tabular"]
    path: str | None = Field(default=None, description="The file, when one file holds all rows.")
    train: list[str] = Field(default=[], description="Files whose rows are given for training.")
    validation: list[str] = Field(default=[], description="Files given for validation.")
    test: list[str] = Field(default=[], description="Files given for testing.")
    label: LabelColumn
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
    years: list[int] = Field(min_length=1)
    region: Literal["Northeast", "Midwest", "South", "West"]
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

    by: Literal["given", "time", "share", "folds"]
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
    norm: float = Field(gt=0, description="Every row is scaled to this Euclidean norm.")


class Standardized(Section):
    standardized: float = Field(
        gt=0, description="Columns to mean 0 and variance 1, then every row to this norm."
    )


Scale = Literal["raw", "unit", "standardized"] | Norm | Standardized


class OneHotEmbedding(Section):
    provider: Literal["one_hot"]
    scale: Scale = "raw"


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
    path: str
    scale: Scale = "raw"


class TransformersEmbedding(Section):
    """Texts embedded by a language model (hub id, local folder, or package:NAME)."""

    provider: Literal["transformers"]
    model: str
    revision: str | None = Field(default=None, description="Commit or tag of a hub model.")
    pooling: Literal["cls", "mean", "last"] = "mean"
    scale: Scale = "raw"


Embedding = Annotated[
    OneHotEmbedding
    | RandomEmbedding
    | ShuffledEmbedding
    | PrecomputedEmbedding
    | TransformersEmbedding,
    Field(discriminator="provider"),
]

StrategyKind = Literal["local", "direct", "linear", "full", "pooled"]
STRATEGIES: tuple[str, ...] = ("local", "direct", "linear", "full", "pooled")
CLASSIFIERS: tuple[str, ...] = ("cnn", "logistic", "gradient_boosting")


class Strategy(Section):
    """One way to use source and target data; a name in the config maps to one of these."""

    kind: StrategyKind
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

    protocol: Literal["early_stopping", "gao2024"] = "early_stopping"
    learning_rate: float = Field(gt=0)
    batch_size: int = Field(default=32, ge=1)
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
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Nesterov momentum (sgd).")
    weight_decay: float = Field(default=1e-3, ge=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    filters: int = Field(default=100, ge=1)
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
            "early_stopping": {"learning_rate": 0.1, "epochs": 60, "patience": 8},
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
    draws: int = Field(default=1000, ge=100, description="Bootstrap draws of clusters.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    min_positives: int = Field(
        default=20, ge=1, description="Cells with fewer test positives stay out of headlines."
    )
    small_cells: int = Field(
        default=11, ge=0, description="Counts of patients below this are suppressed in the report."
    )


class Resources(Section):
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
    title: str = ""
    notice: str = Field(
        default="", description="Shown at the top of the report, e.g. that patients are simulated."
    )
    seed: int = Field(default=1, ge=0)
    data: str = Field(default=".", description="Replaces {data} in every path of this config.")
    vocabulary: str
    task: Task
    sites: dict[Name, Site] = Field(min_length=1)
    split: Split
    pairs: Literal["all"] | list[tuple[Name, Name]] = Field(
        default="all", description="[source, target] pairs, or all ordered pairs of sites."
    )
    embeddings: dict[Name, Embedding] = Field(min_length=1)
    classifiers: list[Literal["cnn", "logistic", "gradient_boosting"]] = Field(
        default=["cnn", "logistic", "gradient_boosting"], min_length=1
    )
    strategies: Annotated[dict[Name, Strategy], BeforeValidator(_strategies)] = Field(
        default_factory=lambda: {name: Strategy(kind=name) for name in STRATEGIES}  # type: ignore[arg-type]
    )
    target_sizes: list[Annotated[int, Field(ge=2)] | Literal["all"]] = Field(
        default=["all"], min_length=1, description="Labelled target encounters, validation included"
    )
    replicates: int = Field(default=10, ge=1)
    block_size: int = Field(default=10, ge=1, description="Replicates that share one job.")
    training: Training = Field(default_factory=lambda: Training.model_validate({}))
    evaluation: Evaluation = Evaluation()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _references_exist(self) -> Study:
        for name, embedding in self.embeddings.items():
            parent = getattr(embedding, "of", None) or getattr(embedding, "like", None)
            if parent is None:
                continue
            if parent not in self.embeddings:
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is not defined; "
                    f"defined are {choices(self.embeddings)}"
                )
            if hasattr(self.embeddings[parent], "of") or hasattr(self.embeddings[parent], "like"):
                raise ValueError(
                    f"embeddings.{name} refers to '{parent}', which is a control itself; "
                    "refer to the embedding behind it"
                )
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
        return self

    def ordered_pairs(self) -> list[tuple[str, str]]:
        """All [source, target] pairs of the study."""
        if self.pairs == "all":
            return [(s, t) for s in self.sites for t in self.sites if s != t]
        return [tuple(pair) for pair in self.pairs]


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
