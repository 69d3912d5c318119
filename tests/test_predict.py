"""`concept-transfer predict`: the study's own numbers, whatever form encounters come in."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pytest
from hospital import ENCOUNTERS, OMIT, fitted, long_table, study_reads, table, vocabulary
from scipy.special import softmax

from concept_transfer.command import main
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import read_bundle, write_bundle
from concept_transfer.serving import encounters
from concept_transfer.serving.card import card_text
from concept_transfer.serving.coding import Coder
from concept_transfer.serving.encounters import Tally, read_encounters
from concept_transfer.serving.output import whole_file
from concept_transfer.settings.task import Task
from concept_transfer.sites.tabular_site import TabularSite

OF_FINDINGS = sorted(name for name, each in LEARNERS.items() if each.reads == "findings")
REPLICATES = ["replicate_0", "replicate_1", "replicate_2"]


def predicted(folder: Path, file: str, *options: str, out: str = "out.parquet") -> pd.DataFrame:
    arguments = ["--encounters", str(folder / file), "--out", str(folder / out)]
    assert main(["predict", "--bundle", str(folder / "bundle"), *arguments, *options]) == 0
    return READERS[Path(out).suffix](folder / out).set_index("encounter")


READERS = {
    ".parquet": pd.read_parquet,
    ".csv": lambda path: pd.read_csv(path, dtype=dict.fromkeys(REPLICATES, np.float32)),
    ".arrow": lambda path: pa.ipc.open_file(path).read_pandas(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of naive Bayes, its study's predictions, and encounters.csv."""
    folder = tmp_path_factory.mktemp("hospital")
    fitted(folder, "naive_bayes")
    table().drop(columns="flu").to_csv(folder / "encounters.csv", index=False)
    return folder


# The study's numbers


@pytest.mark.parametrize("learner", OF_FINDINGS)
def test_replicates_are_the_studys_predictions_bit_for_bit(learner: str, tmp_path: Path) -> None:
    study = fitted(tmp_path, learner).pivot(
        index="encounter", columns="replicate", values="probability"
    )
    table().sample(frac=1, random_state=1).to_csv(tmp_path / "new.csv", index=False)
    found = predicted(tmp_path, "new.csv", "--replicates")
    assert len(found) == ENCOUNTERS
    ours = found.loc[study.index, REPLICATES].to_numpy()
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, study.to_numpy())
    assert len(np.unique(ours)) > 10
    np.testing.assert_allclose(found["probability"], found[REPLICATES].mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("learner", OF_FINDINGS)
@pytest.mark.parametrize("at_once", [1, 7])
def test_predictions_do_not_depend_on_who_comes_together(
    learner: str, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(tmp_path, learner)
    table().head(60).to_parquet(tmp_path / "new.parquet")
    whole = predicted(tmp_path, "new.parquet", "--replicates")
    monkeypatch.setattr(encounters, "AT_ONCE", at_once)
    parts = predicted(tmp_path, "new.parquet", "--replicates", "--force")
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)


def test_calibrated_is_the_mean_of_the_cards_recalibrations(folder: Path) -> None:
    found = predicted(folder, "encounters.csv", "--replicates", out="calibrated.parquet")
    changes = json.loads((folder / "bundle" / "card.json").read_text())["calibration"]
    expected = np.zeros(len(found))
    for name, change in zip(REPLICATES, changes, strict=True):
        risk = found[name].to_numpy(float)
        scores = change["slope"] * np.log(np.stack([1 - risk, risk], axis=1))
        expected += softmax(scores + change["intercepts"], axis=1)[:, 1] / len(changes)
    np.testing.assert_allclose(found["calibrated"], expected, rtol=1e-5)
    assert np.abs(found["calibrated"] - found["probability"]).max() > 1e-3


def test_each_of_several_classes_has_columns(tmp_path: Path) -> None:
    task = Task(label="virus", classes=["none", "flu", "rsv"], exclude_categories=["lab result"])
    study = fitted(tmp_path, "logistic", task, classes=3)
    table(3).to_csv(tmp_path / "new.csv", index=False)
    found = predicted(tmp_path, "new.csv", "--replicates")
    first = study[study["replicate"] == 1].set_index("encounter")
    for number, name in enumerate(task.class_names):
        ours = found.loc[first.index, f"replicate_1_{name}"]
        np.testing.assert_array_equal(ours, first[f"probability_{number}"])
    np.testing.assert_allclose(
        found[[f"calibrated_{name}" for name in task.class_names]].sum(axis=1), 1, rtol=1e-5
    )


def test_a_replicate_without_a_model_is_left_out_of_the_mean(folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(folder / "bundle")
    records = [record | {} for record in bundle.card.replicates]
    records[1]["status"] = "diverged"
    models = (folder / "bundle" / "models.safetensors").read_bytes()
    calibration = [bundle.card.calibration[0], None, bundle.card.calibration[2]]
    write_bundle(
        tmp_path / "bundle",
        lambda inside: (inside / "models.safetensors").write_bytes(models),
        replace(bundle.card, replicates=records, calibration=calibration, source="there"),
        bundle.vocabulary,
        None,
    )
    table().to_csv(tmp_path / "new.csv", index=False)
    found = predicted(tmp_path, "new.csv", "--replicates")
    assert found["replicate_1"].isna().all()
    both = found[["replicate_0", "replicate_2"]].mean(axis=1)
    np.testing.assert_allclose(found["probability"], both, rtol=1e-6)
    assert found["calibrated"].notna().all()
    said = card_text(read_bundle(tmp_path / "bundle"))
    assert "started from there's model" in said
    assert re.search(r"^calibrated +recalibration slope .*, one a replicate$", said, re.MULTILINE)
    partly = replace(bundle.card, calibration=[None, *bundle.card.calibration[1:]])
    assert "calibrated" not in card_text(replace(bundle, card=partly))


# The forms of encounters

WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path),
    ".xlsx": lambda frame, path: frame.to_excel(path, index=False),
    ".arrow": lambda frame, path: frame.to_feather(path, compression="uncompressed"),
}


@pytest.mark.parametrize("ending", sorted(WRITERS))
@pytest.mark.parametrize("layout", ["wide", "long"])
def test_every_form_gives_the_same_predictions(
    ending: str, layout: str, folder: Path, tmp_path: Path
) -> None:
    frame = table().drop(columns="flu")
    given = frame if layout == "wide" else long_table(frame).reset_index(drop=True)
    WRITERS[ending](given, tmp_path / f"new{ending}")
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    found = predicted(tmp_path, f"new{ending}", "--replicates")
    out = f"{layout}{ending}.parquet"
    expected = predicted(folder, "encounters.csv", "--replicates", out=out)
    pd.testing.assert_frame_equal(found.loc[expected.index], expected, check_exact=True)
    if layout == "wide":
        assert found.index.tolist() == expected.index.tolist()


@pytest.mark.parametrize("ending", [".csv", ".arrow"])
def test_every_form_of_output_holds_the_same(ending: str, folder: Path) -> None:
    expected = predicted(folder, "encounters.csv", "--replicates", out=f"as{ending}.parquet")
    found = predicted(folder, "encounters.csv", "--replicates", out=f"as{ending}")
    np.testing.assert_array_equal(found[REPLICATES], expected[REPLICATES])
    mode = (folder / f"as{ending}").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("layout", ["wide", "long"])
@pytest.mark.parametrize(
    "task",
    [
        OMIT,
        Task(label="flu", not_recorded="absent"),
        Task(label="flu", not_recorded="absent", exclude_concepts=["cough", "age_group"]),
    ],
)
def test_encounters_have_the_tokens_that_a_study_gives_them(
    layout: str, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = table()
    extract = study_reads(tmp_path, frame, task, ignore_columns=[])
    given = frame.drop(columns="flu") if layout == "wide" else long_table(frame)
    given.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(encounters, "AT_ONCE", 50)
    usual = TabularSite.model_construct(adapter="tabular")
    words = vocabulary(tmp_path)
    coder = Coder(words, task, usual)
    found: dict[str, list[int]] = {}
    for ids, findings in read_encounters(tmp_path / "new.csv", "encounter", coder, Tally()):
        found |= dict(zip(ids.to_pylist(), map(np.ndarray.tolist, findings), strict=True))
    names = extract.encounters.table.column("encounter").to_pylist()
    assert [found[name] for name in names] == [row.tolist() for row in extract.inputs["findings"]]


def test_of_several_states_the_first_of_the_vocabulary_counts(folder: Path, tmp_path: Path) -> None:
    """A wide table with one state, and a long one that says it and a later one."""
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    rows = "v,fever,no\nv,fever,yes\nv,temperature,39\nv,temperature,36\n"
    (tmp_path / "long.csv").write_text(f"encounter,code,value\n{rows}")
    (tmp_path / "wide.csv").write_text("encounter,fever,temperature\nv,yes,36\n")
    both = [predicted(tmp_path, f"{name}.csv", out=f"{name}.arrow") for name in ("long", "wide")]
    pd.testing.assert_frame_equal(*both, check_exact=True)


def test_ids_that_no_row_has_are_no_encounters(folder: Path, tmp_path: Path) -> None:
    """A table of categories that was cut keeps all of them in its dictionary."""
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    whole = pd.DataFrame({"encounter": ["u", "v", "w", "v"], "code": ["rash", "rash", "cough", ""]})
    whole["encounter"] = whole["encounter"].astype("category")
    whole[1:].to_parquet(tmp_path / "long.parquet", index=False)
    made = predicted(tmp_path, "long.parquet", out="long.arrow")
    assert made.index.tolist() == ["v", "w"]


def test_a_table_of_codes_alone_says_what_is_present(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    (tmp_path / "long.csv").write_text("encounter,code\nv,rash\nv,cough\nw,\n")
    (tmp_path / "wide.csv").write_text("encounter,rash,cough\nv,yes,yes\nw,,\n")
    both = [predicted(tmp_path, f"{name}.csv", out=f"{name}.arrow") for name in ("long", "wide")]
    pd.testing.assert_frame_equal(*both, check_exact=True)


def test_of_state_and_value_a_binned_concept_reads_the_value(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    rows = "v,fever,yes,36\nv,temperature,no,39\nw,fever,,no\nw,temperature,36.1,\n"
    (tmp_path / "long.csv").write_text(f"encounter,code,state,value\n{rows}")
    (tmp_path / "wide.csv").write_text("encounter,fever,temperature\nv,yes,39\nw,no,36.1\n")
    both = [predicted(tmp_path, f"{name}.csv", out=f"{name}.arrow") for name in ("long", "wide")]
    pd.testing.assert_frame_equal(*both, check_exact=True)


@pytest.mark.parametrize(
    "names",
    [
        {"concept": "code", "state": "result"},
        {"concept": "finding", "state": "said", "value": "number", "encounter": "fall"},
    ],
)
def test_the_long_section_of_a_site_names_columns(
    names: dict[str, str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    frame = table().drop(columns="flu")
    rows = long_table(frame)
    if "value" in names:
        binned = rows["concept"] == "temperature"
        rows[names["value"]] = rows["state"].where(binned, "36.6")
        rows["state"] = rows["state"].mask(binned, "yes")
    given = {"concept": names["concept"], "state": names["state"]}
    rows = rows.rename(columns=given | {"encounter": names.get("encounter", "visit")})
    rows.assign(state="unread").to_csv(tmp_path / "new.csv", index=False)
    study_of(tmp_path, encounter="visit", long={"files": ["new.csv"], **names})
    options = ["--config", str(tmp_path / "study.yaml"), "--site", "here", "--replicates"]
    found = predicted(tmp_path, "new.csv", *options)
    assert "Columns that are not read: state." in capsys.readouterr().err
    expected = predicted(folder, "encounters.csv", "--replicates", "--force", out="wide.parquet")
    pd.testing.assert_frame_equal(found.loc[expected.index], expected, check_exact=True)


def study_of(folder: Path, **settings: object) -> None:
    """`study.yaml` whose tabular site `here` has these settings."""
    site = {
        "adapter": "tabular",
        "path": "new.csv",
        "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
        **settings,
    }
    study = {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "flu"},
        "sites": {"here": site, "there": site},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
    }
    (folder / "study.yaml").write_text(json.dumps(study))


def test_a_site_of_a_config_says_how_it_writes(folder: Path, tmp_path: Path) -> None:
    frame = table().rename(columns={"encounter": "fall", "fever": "Fieber"})
    frame["Fieber"] = frame["Fieber"].map({"yes": "ja", "no": "nein", "": "?"})
    frame.to_csv(tmp_path / "new.csv", index=False)
    codes = "".join(f"{c}\t{c}\n" for c in ("cough", "rash", "swab", "age_group", "temperature"))
    (tmp_path / "codes.tsv").write_text(f"site_code\tconcept\nFieber\tfever\n{codes}")
    study_of(
        tmp_path,
        encounter="fall",
        crosswalk=str(tmp_path / "codes.tsv"),
        concept_spelling={
            "fever": {"present": ["ja"], "absent": ["nein"], "not recorded": ["?", ""]}
        },
    )
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    options = ["--config", str(tmp_path / "study.yaml"), "--site", "here"]
    found = predicted(tmp_path, "new.csv", *options)
    expected = predicted(folder, "encounters.csv", out="same.parquet")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


# What is said


def test_what_the_model_does_not_know_is_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"v{i},code{i % 12},secret" for i in range(30)] + ["v0,fever,yes"]
    (tmp_path / "new.csv").write_text("\n".join(["encounter,code,state", *rows]))
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    predicted(tmp_path, "new.csv")
    said = capsys.readouterr().err
    assert "30 encounters predicted by 3 models" in said
    assert "29 hold no finding that the model knows" in said
    assert "cough, rash, age_group, temperature" in said
    assert "swab" not in said  # the task hides it
    assert "12 codes that the model does not know, left out with 30 findings" in said
    assert "3  code0" in said
    assert "2 codes more" in said
    assert "secret" not in said


def test_columns_that_are_no_concept_are_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("encounter,fever,ward\na,yes,secret\nb,no,\nc,,secret\n")
    (tmp_path / "bundle").symlink_to(folder / "bundle")
    predicted(tmp_path, "new.csv")
    said = capsys.readouterr().err
    assert "1 code that the model does not know, left out with 2 findings:" in said
    assert "2  ward" in said
    assert "secret" not in said


# What is refused

HEAD = "encounter,fever,temperature\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["does not exist"]),
        (b"", ["is empty"]),
        (HEAD.encode(), ["no row below"]),
        (b"encounter_id,fever\na,yes\n", ["no column 'encounter'", "did you mean 'encounter_id'"]),
        (b"encounter,ward\na,b\n", ["no column is a concept", "fever"]),
        (f"{HEAD}a,yes,37\nb,perhaps,37\n".encode(), ["row 2", "'fever'", "'absent'"]),
        (f"{HEAD}a,yes,37\nb,no,warm\n".encode(), ["row 2", "'temperature'", "no number"]),
        (f"{HEAD}a,yes,inf\n".encode(), ["row 1", "'temperature'", "no number"]),
        (f"{HEAD}a,yes,37\n,no,37\n".encode(), ["row 2", "'encounter'", "empty"]),
        (f"{HEAD}a,,\nb,,\na,,\n".encode(), ["'encounter'", "rows 1", "2 in all"]),
        (f"{HEAD}a,yes,37\nb,no\n".encode(), ["line 3", "row of 3"]),
        (f"{HEAD}a,yes,37\nb\xe9,no,37\n".encode("latin-1"), ["line 3", "UTF-8"]),
        (f'{HEAD}a,yes,37\n"b,no,37\n'.encode(), ["line 3", "quotation mark"]),
        (b"encounter,fever,fever\na,yes,no\n", ["fever", "more than once"]),
        (b"encounter,code,state\na,fever,perhaps\n", ["row 1", "'state'", "fever"]),
        (b"encounter,code,state\na,fever,yes\n,cough,no\n", ["row 2", "'encounter'", "empty"]),
        (b"encounter,code,value\na,temperature,warm\n", ["row 1", "column 'value'", "no number"]),
        (b"encounter,code,result\na,fever,perhaps\n", ["result", "say which column holds the"]),
        (
            b"encounter,code\na,fever\na,temperature\n",
            ["row 2", "'code'", "no column 'state' or 'value', which binned concepts need"],
        ),
        (b"encounter,code\na,age_group\n", ["row 1", "which concepts of several grades need"]),
    ],
)
def test_bad_encounters_are_one_paragraph(
    content: bytes | None,
    words: list[str],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new, out = tmp_path / "new.csv", tmp_path / "out.csv"
    if content is not None:
        new.write_bytes(content)
    arguments = ["predict", "--bundle", str(folder / "bundle"), "--encounters", str(new)]
    assert main([*arguments, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {new}")
    assert said.count("\n") == 1
    assert "perhaps" not in said
    assert not [word for word in words if word not in said], said
    assert not [file for file in tmp_path.iterdir() if file != new]


def test_a_file_that_is_there_is_kept(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    arguments = ["predict", "--bundle", str(folder / "bundle"), "--out", str(out)]
    arguments += ["--encounters", str(folder / "encounters.csv")]
    assert main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert out.read_text().startswith('"encounter","probability","calibrated"')


def test_the_file_of_encounters_is_never_replaced(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.csv"
    shutil.copy(folder / "encounters.csv", new)
    before = new.read_bytes()
    (tmp_path / "link.csv").symlink_to(new)
    for out in ("new.csv", "link.csv"):
        arguments = ["--encounters", str(new), "--out", str(tmp_path / out), "--force"]
        assert main(["predict", "--bundle", str(folder / "bundle"), *arguments]) == 1
        assert "is the file of encounters" in capsys.readouterr().err
        assert new.read_bytes() == before


def test_nobody_else_reads_predictions_even_if_a_partial_file_lay_there(tmp_path: Path) -> None:
    partial = tmp_path / ".out.csv.partial"
    partial.write_text("stale")
    partial.chmod(0o644)
    with whole_file(tmp_path / "out.csv", pa.schema([("a", pa.int8())])):
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def write_stream(frame: pd.DataFrame, path: Path) -> None:
    rows = pa.Table.from_pandas(frame)
    with pa.ipc.new_stream(str(path), rows.schema) as writer:
        writer.write_table(rows, max_chunksize=10)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("form", [*sorted(WRITERS), "stream.arrow"])
def test_a_truncated_file_is_one_paragraph(
    form: str, share: float, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / f"new{Path(form).suffix or form}"
    write = write_stream if form == "stream.arrow" else WRITERS[form]
    write(table().drop(columns="flu"), new)
    if form == ".csv":
        content = new.read_text()
        new.write_text(content[: content.index(",", int(share * len(content)))])
    else:
        cut(new, share)
    arguments = ["--encounters", str(new), "--out", str(tmp_path / "out.csv")]
    assert main(["predict", "--bundle", str(folder / "bundle"), *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {new}")
    assert said.count("\n") == 1
    assert not [file for file in tmp_path.iterdir() if file != new]


def test_an_altered_bundle_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    models = tmp_path / "bundle" / "models.safetensors"
    models.write_bytes(models.read_bytes()[:-1] + b"x")
    arguments = ["--encounters", str(folder / "encounters.csv"), "--out", str(tmp_path / "o.csv")]
    assert main(["predict", "--bundle", str(tmp_path / "bundle"), *arguments]) == 1
    assert "models.safetensors" in capsys.readouterr().err


# The card in words


def test_a_bundle_says_what_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "inspect", str(folder / "bundle")]) == 0
    said = capsys.readouterr().out
    card = read_bundle(folder / "bundle").card
    for words in (
        "naive Bayes, 3 replicates of study 'tiny'",
        "flu",
        "here, which has 240 encounters",
        "local, target size 100",
        "6 concepts, 11 states",
        "lab result",
        f"{card.performance['auroc']:.3f}",
    ):
        assert words in said
    assert main(["bundle", "inspect", str(folder / "bundle"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["learner"]["kind"] == "naive_bayes"
