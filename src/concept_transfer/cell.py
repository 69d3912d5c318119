"""A cell of a study: its names, and the name of the pair of sites it is about."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

NO_EMBEDDING = "none"
ALL_SITES = "all_sites"  # in place of a source, where a strategy gathers the models of all sources
ALL_MODELS = "all_models"  # in place of a classifier, where a strategy combines the others' models
SIMPLE = "simple"  # the jobs of learners without an embedding


@dataclass(frozen=True)
class Cell:
    """source is "" and size "0" where the strategy has none; so is embedding "none"."""

    source: str
    target: str
    embedding: str
    classifier: str
    strategy: str
    size: str

    @property
    def pair(self) -> str:
        return pair_name(self.source, self.target)

    @property
    def path(self) -> str:
        return f"{self.pair}/{self.embedding}/{self.classifier}/{self.strategy}/{self.size}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


CELL_COLUMNS = tuple(field.name for field in fields(Cell))


def pair_name(source: str, target: str) -> str:
    """The name of a pair of sites; source is "" where there is none."""
    return f"{source}-to-{target}" if source else target


def split_pair(pair: str) -> tuple[str, str]:
    """(source, target) of a pair's name; source is "" where there is none."""
    source, separator, target = pair.rpartition("-to-")
    return (source, target) if separator else ("", pair)
