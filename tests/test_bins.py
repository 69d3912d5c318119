"""Numbers as states: texts of bins, one vocabulary for all sites, edges from training data."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_runs import Study

from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.bins import planned_edges, state_names, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.reporting.methods import methods_text
from concept_transfer.settings.bins import Bins
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.quantiles import quantile_edges, training_edges
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.study import load_study
from concept_transfer.workflow import check_study

FILE = Vocabulary(
    ("C1", "C1"), ("cough",) * 2, ("finding",) * 2, ("present", "absent"), ("cough", "no cough")
)
TASK = Task(label="flu")


def bins(**entries: Any) -> dict[str, Bins]:
    return {
        concept: Bins.model_validate({"edges": entry} if isinstance(entry, list) else entry)
        for concept, entry in entries.items()
    }


def binned(file: Vocabulary = FILE, **entries: Any) -> Vocabulary:
    sections = bins(**entries)
    return with_bins(file, sections, planned_edges(sections))


def site(file: str = "t.csv", **changes: Any) -> TabularSite:
    label = {"column": "flu", "positive": ["1"], "negative": ["0"], "drop": ["9"]}
    return TabularSite.model_validate(
        {"adapter": "tabular", "path": file, "label": label, **changes}
    )


def states(extract: Extract, vocabulary: Vocabulary, concept: str) -> list[str | None]:
    """The state of one concept at every encounter."""
    found = []
    for tokens in extract.inputs["findings"]:
        own = [t for t in tokens if vocabulary.concepts[t] == concept]
        found.append(vocabulary.states[own[0]] if own else None)
    return found


@pytest.mark.parametrize(
    ("edges", "unit", "names"),
    [
        ([45, 55, 65], "", ["below 45", "45 to 54", "55 to 64", "65 or more"]),
        ([37.5, 38.5], "°C", ["below 37.5 °C", "37.5 to below 38.5 °C", "38.5 °C or more"]),
        ([1, 2], "", ["below 1", "1 to below 2", "2 or more"]),
        ([-10, 0], "", ["below -10", "-10 to -1", "0 or more"]),
        ([1e-7, 2500000], "", ["below 0.0000001", "0.0000001 to below 2500000", "2500000 or more"]),
    ],
)
def test_bins_read_as_people_write_them(edges: list[float], unit: str, names: list[str]) -> None:
    assert state_names(edges, unit) == names


def test_bins_follow_the_tokens_of_the_file_and_survive_it(tmp_path: Path) -> None:
    vocabulary = binned(age=[45, 65], temp={"edges": [38.5], "unit": "°C", "name": "temperature"})
    assert vocabulary.concepts == ("C1", "C1", *["age"] * 3, *["temp"] * 2)
    assert vocabulary.texts[2:] == (
        *("age below 45", "age 45 to 64", "age 65 or more"),
        *("temperature below 38.5 °C", "temperature 38.5 °C or more"),
    )
    assert set(vocabulary.categories[2:]) == {"measurement"}
    vocabulary.write(tmp_path / "v.tsv")
    again = Vocabulary.read(tmp_path / "v.tsv")
    assert again == vocabulary
    assert again.bins["age"].edges.tolist() == [45, 65]


def test_a_concept_of_the_file_keeps_name_category_and_texts() -> None:
    own = [("age", "age group", "age", s, f"{s}!") for s in ("45 or more", "unknown")]
    vocabulary = binned(Vocabulary(*zip(*own, strict=True)), age=[45])
    assert vocabulary.states == ("45 or more", "unknown", "below 45")
    assert vocabulary.texts == ("45 or more!", "unknown!", "age group below 45")
    assert set(vocabulary.categories) == {"age"}
    assert vocabulary.bins["age"].states == ("below 45", "45 or more")
    with pytest.raises(StudyError, match=r"bins\.age\.name is 'years'.*'age group'"):
        binned(Vocabulary(*zip(*own, strict=True)), age={"edges": [45], "name": "years"})


def test_a_vocabulary_says_what_is_wrong_with_its_own_bins() -> None:
    for lowers, said in (
        (("-inf", "old"), "state 'absent': 'lower' is 'old'"),
        (("1", "1"), "'lower' is '1'"),
        (("1", "2"), "begin at 1, 2; the first .* begins at -inf"),
    ):
        with pytest.raises(StudyError, match=said):
            _ = dataclasses.replace(FILE, lowers=lowers).bins


@given(
    st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), min_size=1, max_size=30),
)
def test_every_number_is_in_the_bin_that_pandas_puts_it_in(
    edges: list[float], numbers: list[float]
) -> None:
    found = binned(x=sorted(edges)).bins["x"]
    expected = pd.cut(np.array(numbers), [-np.inf, *sorted(edges), np.inf], right=False)
    assert found.state_numbers(np.array(numbers)).tolist() == list(expected.codes)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_cells_become_bins_at_every_site_alike(tmp_path: Path, suffix: str) -> None:
    ages = [44, 45, 54.9, 65, None, 999, -1]
    frame = pd.DataFrame({"flu": [1, 0, 1, 0, 1, 0, 1], "age": ages})
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_parquet(path)
    vocabulary = binned(age=[45, 55, 65])
    config = site(path.name, concept_spelling={"age": {"not recorded": ["", "999"]}})
    extract = read_site(config, vocabulary, TASK, tmp_path)
    expected = ["below 45", "45 to 54", "45 to 54", "65 or more", None, None, "below 45"]
    assert states(extract, vocabulary, "age") == expected
    assert extract.report["not_recorded"]["age"] == 2


def test_a_cell_that_is_no_number_is_named_and_hidden(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("flu,age\n1,40\n0,37;5\n1,1e999\n")
    said = r"t\.csv, row 2, column 'age': the value is no number .*'below 45'.*; 2 row"
    with pytest.raises(StudyError, match=said) as error:
        read_site(site(), binned(age=[45]), TASK, tmp_path)
    assert "37;5" not in str(error.value)
    with pytest.raises(StudyError, match="'37;5' is no number"):
        read_site(site(show_values=True), binned(age=[45]), TASK, tmp_path)


def test_a_crosswalk_names_the_column_of_a_binned_concept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("flu,AGE_YRS\n1,40\n0,50\n")
    (tmp_path / "walk.tsv").write_text("site_code\tconcept\nAGE_YRS\tage\n")
    vocabulary = binned(age=[45])
    extract = read_site(site(crosswalk="walk.tsv"), vocabulary, TASK, tmp_path)
    assert states(extract, vocabulary, "age") == ["below 45", "45 or more"]


def test_a_million_different_numbers_need_no_object_each(tmp_path: Path) -> None:
    import tracemalloc

    count = 200_000
    numbers = np.random.default_rng(1).normal(size=count)
    frame = pd.DataFrame({"flu": np.arange(count) % 2, "x": numbers})
    frame.to_parquet(tmp_path / "t.parquet")
    vocabulary = binned(x=[-1.0, 0.0, 1.0])
    extract = read_site(site("t.parquet"), vocabulary, TASK, tmp_path)
    assert np.array_equal(
        extract.inputs["findings"].values, 2 + np.searchsorted([-1, 0, 1], numbers, "right")
    )
    from concept_transfer.sites.binning import states_of_numbers
    from concept_transfer.sites.files import read_table

    column = read_table(tmp_path / "t.parquet", ["x"]).column("x")
    tracemalloc.start()
    states_of_numbers(column, vocabulary.bins["x"], ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * count


# Spellings


def test_one_and_one_point_zero_are_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("flu,C1\n1.0,1.0\n0,0.00\n1,1\n0.,-1.50\n")
    own = {"C1": {"present": ["1", "-1.5"], "absent": ["0.0"]}}
    extract = read_site(site(concept_spelling=own), FILE, TASK, tmp_path)
    assert extract.encounters.labels.tolist() == [1, 0, 1, 0]
    assert states(extract, FILE, "C1") == ["present", "absent", "present", "present"]


GRADED = Vocabulary(
    ("T", "T", "T", "S", "S"),
    ("temperature",) * 3 + ("smoker",) * 2,
    ("finding",) * 5,
    ("high", "Low", "unclear", "present", "former"),
    ("hot", "cold", "unclear", "smoker", "former smoker"),
)


def test_a_graded_concept_needs_no_spelling_for_the_names_of_its_states(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("flu,T,S\n1,high,yes\n0,low,Former\n1,NA,no\n0,h,NA\n")
    with pytest.raises(StudyError, match=r"row 4, column 'T'.*'high', 'low', 'unclear'"):
        read_site(site(), GRADED, TASK, tmp_path)
    extract = read_site(
        site(concept_spelling={"T": {"high": ["high", "h"]}}), GRADED, TASK, tmp_path
    )
    assert states(extract, GRADED, "T") == ["high", "Low", None, "high"]
    assert states(extract, GRADED, "S") == ["present", "former", None, None]


def test_a_state_named_like_another_states_spelling_is_refused(tmp_path: Path) -> None:
    vocabulary = Vocabulary(*[(v,) * 2 for v in ("S", "s", "k")], ("present", "P"), ("a", "b"))
    (tmp_path / "t.csv").write_text("flu,S\n1,P\n0,yes\n")
    with pytest.raises(StudyError, match="concept S: 'P' spells both 'present' and 'P'"):
        read_site(site(), vocabulary, TASK, tmp_path)


# Edges from quantiles


def test_quantiles_of_distinct_numbers_fill_bins_alike() -> None:
    numbers = np.random.default_rng(2).normal(70, 12, 4001)
    edges = quantile_edges(np.append(numbers, np.nan), 4)
    assert edges == [round(edge, 1) for edge in edges]
    assert np.allclose(edges, np.quantile(numbers, [0.25, 0.5, 0.75]), atol=0.06)
    filled = np.bincount(np.searchsorted(edges, numbers, side="right"))
    assert abs(filled - 1000).max() < 30


@pytest.mark.parametrize(
    ("numbers", "count", "edges"),
    [
        ([0] * 70 + list(range(1, 31)), 4, [1, 5]),
        ([3, 3, 3, 3], 4, []),
        ([], 2, []),
        ([0, 1], 2, [1]),
        ([20, 20, 21, 22, 60, 61, 62, 80], 2, [22]),
        ([0] * 99 + [0.4, 1000], 2, [0.4]),
    ],
)
def test_ties_make_fewer_bins_and_none_is_empty(
    numbers: list[float], count: int, edges: list[float]
) -> None:
    found = quantile_edges(np.array(numbers, float), count)
    assert found == edges
    filled = np.bincount(np.searchsorted(found, numbers, side="right"), minlength=len(found) + 1)
    assert not numbers or filled.all()


def table(path: Path, seed: int, count: int = 400, shift: float = 0) -> list[dict[str, str]]:
    """A site's file whose patients have two encounters each."""
    draw = np.random.default_rng(seed)
    rows = [
        {
            "who": f"p{i // 2}",
            "flu": str(int(draw.random() < 0.4)) if i % 50 else "9",
            "age": "" if i % 17 == 0 else str(int(draw.integers(0, 90) + shift)),
            "C1": str(draw.choice(["yes", "no", ""])),
        }
        for i in range(count)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.mark.parametrize("by", ["share", "folds"])
def test_edges_see_the_sites_training_encounters_only(tmp_path: Path, by: str) -> None:
    rows = [row for row in table(tmp_path / "t.csv", 1) if row["flu"] != "9"]
    config, split = site(patient="who"), SplitSettings.model_validate({"by": by})
    vocabulary = binned(age={"quantiles": {"of": "north", "bins": 4}})
    found = training_edges("north", config, {"age": 4}, vocabulary, TASK, split, 7, tmp_path)["age"]
    extract = read_site(config, vocabulary, TASK, tmp_path)
    training, _ = make_split(extract.encounters, split, 7).source_parts()
    ages = [float(rows[i]["age"]) for i in training if rows[i]["age"]]
    assert found["numbers"] == len(ages)
    cuts = np.quantile(ages, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert found == {"edges": cuts.tolist(), "bins": 4, "numbers": len(ages)}


def test_numbers_without_differences_give_no_edges(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", 1)
    frame = pd.read_csv(tmp_path / "t.csv", dtype=str).assign(age="50")
    frame.to_csv(tmp_path / "t.csv", index=False)
    vocabulary = binned(age=[1, 2, 3])
    with pytest.raises(StudyError, match=r"bins\.age: the \d+ numbers .* site north do not differ"):
        training_edges(
            "north",
            site(patient="who"),
            {"age": 4},
            vocabulary,
            TASK,
            SplitSettings.model_validate({"by": "share"}),
            7,
            tmp_path,
        )


# The study


def study(folder: Path, **changes: Any) -> dict[str, Any]:
    """Two tabular sites with an age column each, in files of the folder."""
    FILE.write(folder / "concepts.tsv")
    for seed, name in enumerate(("north", "south")):
        table(folder / f"{name}.csv", seed, shift=10 * seed)
    own = site().model_dump(exclude={"path"}) | {"patient": "who"}
    return {
        "study": "binned",
        "vocabulary": "concepts.tsv",
        "bins": {"age": [45, 65]},
        "task": {"label": "flu"},
        "sites": {name: {**own, "path": f"{name}.csv"} for name in ("north", "south")},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
        "strategies": ["local", "direct"],
        "replicates": 1,
        "evaluation": {"draws": 100},
        **changes,
    }


QUANTILES = {"age": {"quantiles": {"of": "north", "bins": 4}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bins": {"age": [65, 45]}}, r"bins\.age: edges must ascend"),
        ({"bins": {"age": []}}, r"bins\.age: should have at least 1"),
        ({"bins": {"age": ["45"]}}, r"bins\.age\.0: .*'45'"),
        ({"bins": {"age": {}}}, "either 'edges' or 'quantiles'"),
        ({"bins": {"agee": [45]}}, "'age' .did you mean 'agee'"),
        ({"bins": {"age": {"quantiles": {"of": "west", "bins": 3}}}}, "'west'; tabular sites are"),
        ({"bins": {"C1": QUANTILES["age"], "age": [45]}, "task": {"label": "flu"}}, None),
        ({"bins": QUANTILES, "task": {"label": "flu", "exclude_concepts": ["age"]}}, None),
    ],
)
def test_bins_are_checked_before_any_job(
    tmp_path: Path, changes: dict[str, Any], said: str | None
) -> None:
    config = study(tmp_path, **changes)
    if said is None:
        check_study(load_study(config), tmp_path)
        return
    with pytest.raises(StudyError, match=said):
        check_study(load_study(config), tmp_path)


def test_the_methods_say_where_numbers_were_divided(tmp_path: Path) -> None:
    both = {"age": [45, 65], "C1": {**QUANTILES["age"], "name": "coughs"}}
    text = dict(methods_text(load_study(study(tmp_path, bins=both)), {}, {}))["Data and outcome"]
    assert (
        "age at 45 and 65; coughs into 4 by quantiles of the training encounters of north" in text
    )


def test_the_workflow_codes_all_sites_by_one_vocabulary(tmp_path: Path) -> None:
    run = Study(tmp_path, study(tmp_path, bins=QUANTILES)).run(
        "results/binned/vocabulary.tsv",
        "results/binned/encounters/south/report.json",
        "results/binned/embeddings/one_hot.json",
        *("--cores", "1"),
    )
    assert run.code == 0, run.output
    results = tmp_path / "results" / "binned"
    vocabulary = Vocabulary.read(results / "vocabulary.tsv")
    assert vocabulary.states[:2] == FILE.states
    edges = vocabulary.bins["age"].edges
    told = json.loads((results / "bins" / "north.json").read_text(encoding="utf-8"))
    assert told["age"]["edges"] == edges.tolist()
    extract = Extract.read(results / "encounters" / "south", vocabulary)
    with (tmp_path / "south.csv").open(newline="") as file:
        ages = [row["age"] for row in csv.DictReader(file) if row["flu"] != "9"]
    names = vocabulary.bins["age"].states
    assert states(extract, vocabulary, "age") == [
        names[sum(float(age) >= edge for edge in edges)] if age else None for age in ages
    ]
    table = EmbeddingTable.read(results / "embeddings" / "one_hot.safetensors", vocabulary)
    assert table.card.width == len(vocabulary)
