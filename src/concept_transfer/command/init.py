"""`concept-transfer init`: a first study of a hospital's own tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.command.subcommand import declared

if TYPE_CHECKING:
    from concept_transfer.drafting.columns import Columns
    from concept_transfer.drafting.vocabulary import Draft

HELP = """Write a first study of your tables: a draft of the vocabulary, of the columns and their
values (one in fewer than five rows stays out), and a config. Nothing is overwritten."""

TEMPLATES = ("tabular",)


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "init", HELP, work)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a table a site: CSV, Parquet or XLSX"
    )
    parser.add_argument("--label", metavar="COLUMN", required=True, help="the outcome")
    parser.add_argument("--positive", metavar="VALUE", help="what the outcome reads (1, yes, ...)")
    for role in ("encounter", "patient", "time"):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the {role} (by usual names)")
    parser.add_argument("--study", metavar="NAME", default="study", help="names the results")
    parser.add_argument("--folder", default="config", help="where the files go (config)")
    parser.add_argument("--template", choices=TEMPLATES, default="tabular", help="(tabular)")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    import yaml

    from concept_transfer.drafting.columns import columns_of
    from concept_transfer.drafting.study import study_text
    from concept_transfer.drafting.vocabulary import vocabulary_draft
    from concept_transfer.errors import StudyError
    from concept_transfer.study import load_study

    folder, paths = Path(arguments.folder), [Path(file) for file in arguments.files]
    vocabulary, config = folder / "vocabulary.tsv", folder / f"{arguments.study}.yaml"
    for file in (vocabulary, config):
        if file.exists():
            raise StudyError(
                f"{file} is there already, and nothing is overwritten; --folder, or "
                "--study, chooses another"
            )
    roles = {role: getattr(arguments, role) for role in ("encounter", "patient", "time")}
    columns = columns_of(paths, arguments.label, roles)
    draft = vocabulary_draft(columns.codes)
    if not len(draft.vocabulary):
        raise StudyError(f"{paths[0]}: no column holds states of a finding")
    names = arguments.label, arguments.positive
    text = study_text(arguments.study, columns, *names, paths, vocabulary)
    load_study(yaml.safe_load(text), str(config))
    folder.mkdir(parents=True, exist_ok=True)
    draft.vocabulary.write(vocabulary)
    config.write_text(text, encoding="utf-8")
    print(told(columns, draft, vocabulary, config))
    return 0


def told(columns: Columns, draft: Draft, vocabulary: Path, config: Path) -> str:
    """What was written, what was left out, and what to do next."""
    from concept_transfer.drafting.vocabulary import FEWEST

    concepts = len(draft.vocabulary.concept_states)
    lines = [f"{vocabulary}: {concepts} concepts, {len(draft.vocabulary)} states; read its texts"]
    if columns.numbers:
        lines.append(f"numbers, divided into bins by {config}: {', '.join(columns.numbers)}")
    lines += [f"column '{name}' is ignored: {why}" for name, why in columns.ignored.items()]
    lines += [
        f"column '{code}': {number} value(s) in fewer than {FEWEST} rows left out; say in "
        "the site's concept_spelling what such cells mean"
        for code, number in draft.left_out.items()
    ]
    roles = ", ".join(f"{key} = {column}" for key, column in columns.roles.items())
    lines.append(f"{config}: {roles or 'no column of ids was found'}")
    lines.append(f"next: concept-transfer check --config {config}")
    return "\n".join(lines)
