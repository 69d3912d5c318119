"""What a drafted config leaves to its author to say."""

from __future__ import annotations

from typing import Any

TO_FILL = "FILL_IN"


def unfilled(section: Any, key: str = "") -> list[str]:
    """The keys, with dots, below which a section of a config still says `TO_FILL`.

    >>> unfilled({"north": {"path": "FILL_IN", "cohort": {"index": ["FILL_IN"]}}}, "sites")
    ['sites.north.path', 'sites.north.cohort.index']
    """
    if isinstance(section, dict):
        own = [f"{key}.{name}" for name in section if name == TO_FILL]
        return own + [
            place
            for name, entry in section.items()
            if name != TO_FILL
            for place in unfilled(entry, f"{key}.{name}")
        ]
    entries = section if isinstance(section, list) else [section]
    return [key] if TO_FILL in entries else []
