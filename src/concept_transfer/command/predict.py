"""`concept-transfer predict`: how probable the outcome is, by a bundle's models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.command.subcommand import declared

if TYPE_CHECKING:
    from concept_transfer.serving.coding import Coder
    from concept_transfer.serving.encounters import Tally
    from concept_transfer.serving.scoring import Scorer

HELP = """Say how probable the outcome of new encounters is. Reads CSV, Parquet, Arrow or XLSX: wide
tables (one row an encounter, one column a concept) or long ones (a row a finding, with the columns
encounter, concept or code, and state or value). Writes CSV, Parquet or Arrow."""

MOST = 10


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "predict", HELP, work)
    parser.add_argument("--bundle", metavar="FOLDER", required=True, help="the models")
    parser.add_argument("--encounters", metavar="FILE", required=True, help="what to predict")
    parser.add_argument("--out", metavar="FILE", required=True, help="where predictions go")
    parser.add_argument("--encounter", metavar="COLUMN", help="ids of encounters (encounter)")
    parser.add_argument("--layout", choices=("wide", "long"), help="(by the names of the columns)")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a study, of whose tabular site --site the columns and spellings are",
    )
    parser.add_argument("--site", metavar="NAME", help="a tabular site of --config")
    parser.add_argument(
        "--replicates", action="store_true", help="also write what each replicate's model says"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --out")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    from concept_transfer.progress import on_terminal
    from concept_transfer.serving.hospital import hospital_of
    from concept_transfer.serving.output import check_output
    from concept_transfer.serving.predict import Request, predict
    from concept_transfer.serving.scoring import Scorer

    out, encounters = Path(arguments.out), Path(arguments.encounters)
    check_output(out, arguments.force, encounters)
    scorer = Scorer.read(Path(arguments.bundle))
    coder = hospital_of(scorer, arguments.config, arguments.site)
    request = Request(
        encounters,
        out,
        arguments.encounter,
        arguments.layout,
        arguments.replicates,
        arguments.force,
    )
    with on_terminal("predict"):
        tally = predict(scorer, coder, request)
    print(told(tally, scorer, coder, out), file=sys.stderr)
    return 0


def told(tally: Tally, scorer: Scorer, coder: Coder, out: Path) -> str:
    """What was predicted, and what of the encounters or of the vocabulary was of no use."""
    from concept_transfer.reporting.words import count
    from concept_transfer.serving.coding import some
    from concept_transfer.serving.encounters import missing

    usable = int(scorer.usable.sum())
    lines = [
        f"{count(tally.encounters, 'encounter')} predicted by {count(usable, 'model')} of "
        f"{scorer.bundle.folder}: {out}"
    ]
    if tally.without:
        lines.append(f"Of these, {tally.without:,} hold no finding that the model knows.")
    if never := missing(tally, coder):
        lines.append(f"Concepts of the model that no encounter records: {some(never)}.")
    if tally.unread:
        lines.append(f"Columns that are not read: {some(tally.unread)}.")
    if tally.unknown:
        findings = sum(tally.unknown.values())
        lines.append(
            f"{count(len(tally.unknown), 'code')} that the model does not know, left out with "
            f"{count(findings, 'finding')}:"
        )
        most = tally.unknown.most_common(MOST)
        lines += [f"  {number:>12,}  {code}" for code, number in most]
        if len(tally.unknown) > MOST:
            lines.append(f"  ... and {len(tally.unknown) - MOST:,} codes more")
    return "\n".join(lines)
