"""The inputs by name. Another one is a module like `findings` and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from concept_transfer.inputs.findings import FINDINGS
from concept_transfer.inputs.history import HISTORY
from concept_transfer.inputs.input import Input
from concept_transfer.inputs.text import TEXT

INPUTS: Mapping[str, Input] = {"findings": FINDINGS, "history": HISTORY, "text": TEXT}
