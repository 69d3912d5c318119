"""Addresses of servers, which stand in reports and files and so must hold no secret."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator

_SECRET_PARAMETER = re.compile("key|token|secret|pass|pwd|auth|credential|^sig$", re.IGNORECASE)
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"


class SecretError(ValueError):
    """A refusal that must not show the value."""


def _check_address(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc:
        raise _refused("holds a user name or password")
    for parameter, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET_PARAMETER.search(parameter):
            raise _refused(f"holds the parameter '{parameter}', which looks like a secret")
    if not parts.netloc:
        raise SecretError("is no complete address, such as http://localhost:11434/v1")
    return address


def _refused(why: str) -> SecretError:
    return SecretError(
        f"the address {why}, and addresses appear in reports and files; give the address alone. "
        "A server of embeddings gets its key from the environment variable that 'key_variable' "
        "names (OPENAI_API_KEY unless set)"
    )


def _check_variable(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise SecretError(
            "is no name of an environment variable (letters, digits and '_'); never write the key "
            "itself into a config",
        )
    return name


Address = Annotated[str, AfterValidator(_check_address)]
Variable = Annotated[str, AfterValidator(_check_variable)]
