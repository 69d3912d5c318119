"""`concept-transfer predict`: how probable the outcome is, by a bundle's models."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.command.subcommand import declared

if TYPE_CHECKING:
    from concept_transfer.serving.scoring import Scorer

FINDINGS, HISTORY = "findings", "history"

HELP = """Say how probable the outcome of new encounters is. Models of findings read CSV, Parquet,
Arrow or XLSX: wide tables (one row an encounter, one column a concept) or long ones (a row a
finding, with the columns encounter, concept or code, and state or value). Models of histories read
the folder of a MEDS dataset, or the MEDS or OMOP site of a study, and predict whom --labels names
from the events before that time, or everybody at the last event. Writes CSV, Parquet or Arrow."""

MOST = 10


def add(subcommands: Any) -> None:
    parser = declared(subcommands, "predict", HELP, work)
    parser.add_argument("--bundle", metavar="FOLDER", required=True, help="the models")
    parser.add_argument(
        "--encounters",
        metavar="PATH",
        help="whom to predict: a file, or a folder (of histories: what --site reads)",
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="where predictions go")
    parser.add_argument("--encounter", metavar="COLUMN", help="ids of encounters (encounter)")
    parser.add_argument("--layout", choices=("wide", "long"), help="(by the names of the columns)")
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="of histories: subject_id and prediction_time, as in the label schema of MEDS",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a study, of whose tabular site --site the columns and spellings are, or of whose "
        "MEDS or OMOP site the data, their columns and the look-back",
    )
    parser.add_argument("--site", metavar="NAME", help="a site of --config")
    parser.add_argument(
        "--replicates", action="store_true", help="also write what each replicate's model says"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --out")


def work(arguments: argparse.Namespace, further: list[str]) -> int:
    from concept_transfer.progress import on_terminal
    from concept_transfer.serving.output import check_output
    from concept_transfer.serving.scoring import Scorer

    given = Path(arguments.encounters) if arguments.encounters else None
    check_output(Path(arguments.out), arguments.force, given)
    scorer = Scorer.read(Path(arguments.bundle))
    check_form(arguments, scorer)
    with on_terminal("predict"):
        predict = of_histories if scorer.reads == HISTORY else of_findings
        told = list(predict(arguments, scorer))
    print("\n".join(told), file=sys.stderr)
    return 0


def check_form(arguments: argparse.Namespace, scorer: Scorer) -> None:
    """Raise StudyError where the encounters are of another form than the models read, or an option
    is for another form."""
    from concept_transfer.errors import StudyError

    histories, path = scorer.reads == HISTORY, Path(arguments.encounters or "")
    if scorer.reads not in (FINDINGS, HISTORY):
        raise StudyError(
            f"{arguments.bundle} is of a learner that reads the input '{scorer.reads}'; "
            f"{FINDINGS} and {HISTORY} can be predicted from"
        )
    if histories and path.is_file() and arguments.config is None:
        raise StudyError(
            f"{path} is a file, but the models of {arguments.bundle} read patients' histories; "
            "give the folder of a MEDS dataset, with the folders data and metadata"
        )
    if not histories and arguments.encounters is None:
        raise StudyError(f"--encounters is needed: {arguments.bundle} reads a table of findings")
    if not histories and path.is_dir():
        raise StudyError(
            f"{path} is a folder, but the models of {arguments.bundle} read findings; give a table "
            "of encounters, as CSV, Parquet, Arrow or XLSX"
        )
    others = ("encounter", "layout") if histories else ("labels",)
    for option in others:
        if getattr(arguments, option) is not None:
            form = "tables of findings" if histories else "MEDS datasets, which hold histories"
            raise StudyError(f"--{option} is for {form}; {arguments.bundle} reads {scorer.reads}")


def of_findings(arguments: argparse.Namespace, scorer: Scorer) -> Iterator[str]:
    """Predict a table; says what of the encounters or of the vocabulary was of no use."""
    from concept_transfer.reporting.words import count
    from concept_transfer.serving.coding import some
    from concept_transfer.serving.encounters import Tally, missing, read_encounters
    from concept_transfer.serving.hospital import hospital_of
    from concept_transfer.serving.predict import predict

    coder, tally = hospital_of(scorer, arguments.config, arguments.site), Tally()
    encounters = read_encounters(
        Path(arguments.encounters), arguments.encounter, coder, tally, arguments.layout
    )
    predict(scorer, encounters, Path(arguments.out), arguments.replicates)
    yield predicted(arguments, scorer, tally.encounters)
    if tally.without:
        yield f"Of these, {tally.without:,} hold no finding that the model knows."
    if never := missing(tally, coder):
        yield f"Concepts of the model that no encounter records: {some(never)}."
    if tally.unread:
        yield f"Columns that are not read: {some(tally.unread)}."
    if tally.unknown:
        yield (
            f"{count(len(tally.unknown), 'code')} that the model does not know, left out with "
            f"{count(tally.unknown.total(), 'finding')}:"
        )
        yield from most_common(tally.unknown)


def of_histories(arguments: argparse.Namespace, scorer: Scorer) -> Iterator[str]:
    """Predict patients of a dataset of events; says what of the events models do not know."""
    from concept_transfer.reporting.words import count
    from concept_transfer.serving.patients import Tally, counted, dataset_of, read_patients
    from concept_transfer.serving.predict import predict

    dataset = dataset_of(scorer, arguments.encounters, arguments.config, arguments.site)
    times, tally = Path(arguments.labels) if arguments.labels else None, Tally()
    with read_patients(dataset, times) as asked:
        recorded = counted(asked, scorer, tally)
        predict(scorer, recorded, Path(arguments.out), arguments.replicates)
    yield predicted(arguments, scorer, tally.patients)
    if dataset.look_back_days:
        yield f"Events of the last {dataset.look_back_days:g} days before the time are read."
    for reason, number in asked.left_out.items():
        if number:
            yield f"Left out: {number:,} {reason}."
    if tally.without:
        yield f"Of these, {tally.without:,} have no event before their time."
    for known in (one for place, one in enumerate(tally.known) if one not in tally.known[:place]):
        prefix, unknown, cut = known.shares().values()
        yield (
            f"Of {count(known.events, 'event')} {prefix:.1%} are read as the beginning of their "
            f"code, {unknown:.1%} as unknown; {cut:.1%} of all are cut off, as too long ago."
        )
        if known.unknown:
            yield f"{count(len(known.unknown), 'code')} that the model does not know:"
            yield from most_common(known.unknown)


def predicted(arguments: argparse.Namespace, scorer: Scorer, encounters: int) -> str:
    from concept_transfer.reporting.words import count

    return (
        f"{count(encounters, 'encounter')} predicted by "
        f"{count(int(scorer.usable.sum()), 'model')} of {scorer.bundle.folder}: {arguments.out}"
    )


def most_common(codes: Counter[str]) -> Iterator[str]:
    """The codes with most findings or events, a line each."""
    for code, number in codes.most_common(MOST):
        yield f"  {number:>12,}  {code}"
    if len(codes) > MOST:
        yield f"  ... and {len(codes) - MOST:,} codes more"
