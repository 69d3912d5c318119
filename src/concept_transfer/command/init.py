"""`concept-transfer init`: a first study of a hospital's own data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.command.subcommand import declared

if TYPE_CHECKING:
    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.drafting.columns import Columns
    from concept_transfer.drafting.vocabulary import Draft

HELP = """Write a first study of your data: a draft of the vocabulary, and a config. Of tables these
are columns and their values (one in fewer than five rows stays out); of datasets in MEDS or OMOP
codes (one of fewer than five patients stays out), and the config marks what you are to fill in.
Nothing is overwritten."""

ADAPTERS = ("tabular", "meds", "omop")
ROLES = ("encounter", "patient", "time")


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "init", HELP, work)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a site each: a table (CSV, Parquet or XLSX), the folder of a MEDS dataset, a folder "
        "of OMOP tables, or a DuckDB file of them",
    )
    parser.add_argument("--adapter", choices=ADAPTERS, help="what the data are (by their files)")
    parser.add_argument(
        "--label", metavar="NAME", help="the outcome: of tables its column; else a name (outcome)"
    )
    parser.add_argument("--positive", metavar="VALUE", help="what the outcome reads (1, yes, ...)")
    for role in ROLES:
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the {role} (by usual names)")
    parser.add_argument("--study", metavar="NAME", default="study", help="names the results")
    parser.add_argument("--folder", default="config", help="where the files go (config)")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    from concept_transfer.errors import StudyError

    folder, paths = Path(arguments.folder), [Path(path) for path in arguments.paths]
    vocabulary, config = folder / "vocabulary.tsv", folder / f"{arguments.study}.yaml"
    for file in (vocabulary, config):
        if file.exists():
            raise StudyError(
                f"{file} is there already, and nothing is overwritten; --folder, or "
                "--study, chooses another"
            )
    adapter = arguments.adapter or recognised(paths[0])
    if adapter == "tabular":
        words, text, said = of_tables(arguments, paths, vocabulary, config)
    else:
        words, text, said = of_events(arguments, paths, adapter, vocabulary, config)
    write(words, text, vocabulary, config)
    print(said)
    return 0


def recognised(path: Path) -> str:
    """The adapter of a path, by the files that are there."""
    from concept_transfer.drafting.meds import is_meds
    from concept_transfer.drafting.omop import is_omop
    from concept_transfer.errors import StudyError

    if is_meds(path):
        return "meds"
    if is_omop(path):
        return "omop"
    if path.is_dir():
        raise StudyError(
            f"{path} is neither a MEDS dataset (data/ with Parquet files, and metadata/) nor has "
            "it the OMOP tables person and condition_occurrence; --adapter names what it is"
        )
    return "tabular"


def of_tables(
    arguments: argparse.Namespace, paths: list[Path], vocabulary: Path, config: Path
) -> tuple[Vocabulary, str, str]:
    """Vocabulary, config, and what to say of a study of tables."""
    from concept_transfer.drafting.columns import columns_of
    from concept_transfer.drafting.study import study_text
    from concept_transfer.drafting.vocabulary import vocabulary_draft
    from concept_transfer.errors import StudyError
    from concept_transfer.paths import HOME

    if arguments.label is None:
        raise StudyError(f"{paths[0]}: which column is the outcome? --label names it")
    roles = {role: getattr(arguments, role) for role in ROLES}
    columns = columns_of(paths, arguments.label, roles)
    draft = vocabulary_draft(columns.codes)
    if not len(draft.vocabulary):
        raise StudyError(f"{paths[0]}: no column holds states of a finding")
    names = arguments.label, arguments.positive
    text = study_text(arguments.study, columns, *names, paths, vocabulary, HOME)
    return draft.vocabulary, text, told(columns, draft, vocabulary, config)


def of_events(
    arguments: argparse.Namespace, paths: list[Path], adapter: str, vocabulary: Path, config: Path
) -> tuple[Vocabulary, str, str]:
    """Vocabulary, config, and what to say of a study of coded events."""
    from concept_transfer.drafting.events import vocabulary_of
    from concept_transfer.drafting.events_study import events_study_text
    from concept_transfer.drafting.events_told import events_told
    from concept_transfer.drafting.meds import meds_draft
    from concept_transfer.drafting.omop import omop_draft
    from concept_transfer.errors import StudyError
    from concept_transfer.paths import HOME

    for option in ("positive", *ROLES):
        if getattr(arguments, option) is not None:
            raise StudyError(f"--{option} is for tables, and {paths[0]} is read by '{adapter}'")
    drafts = [(meds_draft if adapter == "meds" else omop_draft)(path) for path in paths]
    words, numbers = vocabulary_of(drafts)
    name, label = arguments.study, arguments.label or "outcome"
    text = events_study_text(name, label, adapter, paths, drafts, numbers, vocabulary, HOME)
    return words, text, events_told(text, paths, drafts, words, numbers, vocabulary, config)


def write(words: Vocabulary, text: str, vocabulary: Path, config: Path) -> None:
    """Write both files, of which the config is one that can be loaded (StudyError)."""
    import yaml

    from concept_transfer.study import load_study

    load_study(yaml.safe_load(text), str(config))
    config.parent.mkdir(parents=True, exist_ok=True)
    words.write(vocabulary)
    config.write_text(text, encoding="utf-8")


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
