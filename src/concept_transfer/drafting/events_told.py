"""What `concept-transfer init` says of a study of coded events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.drafting.events import EventDraft, Number
from concept_transfer.drafting.vocabulary import FEWEST
from concept_transfer.settings.filling import TO_FILL, unfilled


def events_told(
    text: str,
    paths: Sequence[Path],
    drafts: Sequence[EventDraft],
    words: Vocabulary,
    numbers: Mapping[str, Number],
    vocabulary: Path,
    config: Path,
) -> str:
    """What was written, what was left out, and what to do next."""
    lines = [f"{vocabulary}: {len(words.concept_states)} concepts; read its texts"]
    for path, draft in zip(paths, drafts, strict=True):
        lines.append(f"{path}: {draft.rare} code(s) of fewer than {FEWEST} patients left out")
        lines += [f"{path}: {n} code(s) {reason} left out" for reason, n in draft.unusable.items()]
    if numbers:
        lines.append(f"numbers, divided into bins by {config}: {', '.join(numbers)}")
    several = [code for code, number in numbers.items() if len(number.units) > 1]
    if several:
        lines.append(
            f"in several units, whose factors belong under the site's units: {', '.join(several)}"
        )
    sites = yaml.safe_load(text)["sites"]
    first = next(iter(sites))
    places = unfilled(sites[first], f"sites.{first}")
    places += [f"sites.{name}.path" for name, site in sites.items() if site["path"] == TO_FILL]
    lines.append(f"next: in {config}, replace {TO_FILL} in {', '.join(places)}")
    lines.append(f"then: concept-transfer check --config {config}")
    return "\n".join(lines)
