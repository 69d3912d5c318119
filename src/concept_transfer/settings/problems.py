"""What is wrong with a config, said with the keys and the values that its author wrote."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from concept_transfer.settings.addresses import SecretError


def described(error: ValidationError, config: Any) -> str:
    """Every problem of the raw config as ``key: what is wrong``; alternatives joined by 'or'."""
    places: dict[str, list[Any]] = {}
    for detail in error.errors(include_url=False):
        places.setdefault(_place(detail, config), []).append(detail)
    return "; ".join(
        f"{place}: {_said(details)}" if place else _said(details)
        for place, details in places.items()
    )


def _place(detail: Any, config: Any) -> str:
    """The dotted key, without the names of alternatives that pydantic puts between."""
    keys, value = [], config
    for part in detail["loc"]:
        inside = _entries(value)
        if str(part) in inside:
            keys.append(str(part))
            value = inside[str(part)]
    if detail["type"] == "missing":
        keys.append(str(detail["loc"][-1]))
    return ".".join(keys)


def _entries(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): entry for key, entry in value.items()}
    if isinstance(value, list):
        return {str(position): entry for position, entry in enumerate(value)}
    return {}


def _said(alternatives: list[Any]) -> str:
    value = alternatives[0]["input"]
    message = " or ".join(dict.fromkeys(map(_message, alternatives)))
    if (
        any(map(_may_be_secret, alternatives))
        or repr(str(value)) in message
        or not isinstance(value, str | int | float | None)
    ):
        return message
    shown = repr(value)
    return f"{message} (got {shown if len(shown) <= 80 else shown[:80] + '...'})"


def _may_be_secret(detail: Any) -> bool:
    """Whether a check said so; under a misspelled key nobody has checked."""
    refused = detail.get("ctx", {}).get("error")
    return detail["type"] == "extra_forbidden" or isinstance(refused, SecretError)


def _message(detail: Any) -> str:
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return "unknown key (see config/README.md for the accepted ones)"
        case "missing":
            return "is required"
        case "string_type" if isinstance(value, bool):
            return (
                "should be text, but YAML reads yes, no, on, off, true and false as true or "
                f"false; quote the word, as in '{'yes' if value else 'no'}'"
            )
        case "string_type" if isinstance(value, int | float | datetime.date):
            return f"should be text; quote it: '{value}'"
        case "model_type" | "dict_type":
            return "should be a section of keys"
        case "list_type" | "tuple_type":
            return "should be a list"
        case "too_short":
            fewest = context["min_length"]
            return f"should have at least {fewest} {'entry' if fewest == 1 else 'entries'}"
        case "union_tag_invalid":
            return (
                f"{context['discriminator']} is '{context['tag']}'; choose from "
                f"{context['expected_tags']}"
            )
        case "union_tag_not_found":
            return f"needs the key {context['discriminator']}"
    return str(detail["msg"]).removeprefix("Value error, ").replace("Input should", "should")
