"""Config files as they are written, before anything gives their keys a meaning."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from concept_transfer.errors import StudyError

MERGE = "tag:yaml.org,2002:merge"
MOST_ENTRIES = 1_000_000


def check_files(paths: Iterable[Path]) -> None:
    """Refuse a key that stands twice in one section, of which YAML silently keeps the last.

    Files are read as Snakemake reads them (YAML 1.1; JSON is a part of it). Raises StudyError
    that names every such key with both lines.
    """
    problems = [problem for path in paths if path.is_file() for problem in _repeated(path)]
    if problems:
        raise StudyError(f"{'; '.join(problems)}. Only the last would count, so keep one of them")


def _repeated(path: Path) -> Iterator[str]:
    # A tab between two words of JSON is no YAML; no line or column changes without it.
    loader = yaml.FullLoader(path.read_text(encoding="utf-8").expandtabs(1))
    waiting = [("", loader.get_single_node())]
    seen: set[int] = set()
    for where, node in waiting:
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(f"{where}{i}.", part) for i, part in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[Hashable, int] = {}
            for key, value in node.value:
                if key.tag == MERGE:
                    continue
                name = loader.construct_object(key, deep=True)
                line = key.start_mark.line + 1
                if name in lines:
                    yield f"{path} has '{where}{name}' in line {lines[name]} and in line {line}"
                lines[name] = line
                waiting.append((f"{where}{name}.", value))


def check_size(config: Any, where: str) -> None:
    """Refuse a config whose YAML aliases multiply into more entries than any study has.

    The entries are counted as if every alias were written out, without writing it out.
    """
    counted: dict[int, float] = {}

    def entries(value: Any) -> float:
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in counted:
            counted[id(value)] = math.inf  # until it is known: what holds itself has no end
            parts = value.values() if isinstance(value, dict) else value
            counted[id(value)] = 1 + sum(map(entries, parts))
        return counted[id(value)]

    if entries(config) > MOST_ENTRIES:
        raise StudyError(
            f"{where} describes no valid study. Its YAML aliases (*name) multiply it to more than "
            f"{MOST_ENTRIES:,} entries; write out what each site or embedding needs"
        )
