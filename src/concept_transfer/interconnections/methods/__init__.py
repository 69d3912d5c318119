"""Ways to say which codes belong together, one record each: another one is a file here."""

from __future__ import annotations

from concept_transfer.interconnections.methods.method import Method
from concept_transfer.registry import Registry, records_in

METHODS: Registry[Method] = Registry(
    "concept_transfer.interconnections", records_in(__name__, __path__, "METHOD", "method")
)
