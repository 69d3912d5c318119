"""Records found by name: ours, and those that other distributions bring as entry points.

A record says what the house must know of an adapter, an embedding provider, a learner or a
strategy. Its module imports next to nothing, because every job loads the records; what is heavy is
imported where it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any, Generic, Protocol, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from concept_transfer.errors import StudyError, choices
from concept_transfer.settings.section import Section


class Registered(Protocol):
    """What every record has: the section of a study's config that describes one use of it."""

    @property
    def settings(self) -> type[Section]: ...


Record = TypeVar("Record", bound=Registered)


class Registry(Mapping[str, Record], Generic[Record]):
    """Name -> record, loaded when it is first asked for."""

    def __init__(self, group: str, ours: Mapping[str, str]) -> None:
        """group: of the entry points; ours: name -> ``module:ATTRIBUTE`` of our own records."""
        self.group, self.ours = group, ours
        self._loaded: dict[str, Record] = {}

    def __getitem__(self, name: str) -> Record:
        if name not in self._loaded:
            if name not in self._entries:
                raise KeyError(name)
            self._loaded[name] = _loaded(self._entries[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def modules(self, name: str, *runs: str) -> list[str]:
        """Where a record's code is: its own module, and those of the functions it runs.

        runs: the record's fields that hold such a function's place (``module:function``, or None).
        """
        places = [getattr(self[name], field) for field in runs]
        places = [self._entries[name].value, *filter(None, places)]
        return [place.partition(":")[0] for place in places]

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        """Ours first. Raises StudyError where two distributions bring one name."""
        entries = {name: EntryPoint(name, value, self.group) for name, value in self.ours.items()}
        for entry in entry_points(group=self.group):
            if entry.name in entries and entries[entry.name].value != entry.value:
                raise StudyError(
                    f"the entry point '{entry.name}' of {self.group} ({entry.value}) has the name "
                    f"of {entries[entry.name].value}; its distribution must choose another. Taken "
                    f"are {choices(entries)}"
                )
            entries[entry.name] = entry
        return entries


def _loaded(entry: EntryPoint) -> Any:
    """Raises StudyError where a distribution's module or attribute is not there."""
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise StudyError(
            f"the entry point '{entry.name}' of {entry.group} ({entry.value}) cannot be loaded: "
            f"{error}; mend its distribution, or uninstall it"
        ) from error


def records_in(
    package: str, folders: Iterable[str], attribute: str, *besides: str
) -> dict[str, str]:
    """Name -> ``module:attribute`` of every module of a package that holds a record.

    The module's name is the record's. `folders`: the package's ``__path__``; `besides`: modules
    without a record.
    """
    modules = (module.name for module in iter_modules(folders))
    return {name: f"{package}.{name}:{attribute}" for name in modules if name not in besides}


@dataclass(frozen=True)
class OneOf:
    """Annotation of a config field: a section of the record that the value under ``key`` names."""

    registry: Mapping[str, Any]
    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        sections = {
            name: handler.generate_schema(record.settings) for name, record in self.registry.items()
        }
        return core_schema.tagged_union_schema(sections, self.key)


def imported(place: str) -> Callable[..., Any]:
    """The function or class at ``module:name``.

    >>> imported("math:sqrt")(9.0)
    3.0
    """
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def named(registry: Mapping[str, Any], key: str, what: str) -> Callable[[Any], Any]:
    """Reads the short forms of a mapping of names to sections of a registry's records.

    A list of registered names is short for a mapping without settings, and a section whose own
    name is registered need not repeat it under ``key``.
    """

    def read(value: Any) -> Any:
        if isinstance(value, list):
            for name in value:
                if name not in registry:
                    raise ValueError(f"unknown {what} '{name}'; choose from {choices(registry)}")
                if value.count(name) > 1:
                    raise ValueError(f"'{name}' is there twice; name it once")
            return {name: {key: name} for name in value}
        if isinstance(value, dict):
            return {
                name: {key: name, **(entry or {})}
                if name in registry and key not in (entry or {})
                else entry
                for name, entry in value.items()
            }
        return value

    return read
