"""What the check says of the sites before a study: coverage, closest concepts, warnings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from in_process import planned
from workflow_runs import tiny_study

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.check_text import check_text
from concept_transfer.sites.code_use import FATES, code_use
from concept_transfer.sites.coverage import Coverage, closest_concept, coverage_of, coverage_text
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.profile import site_profile
from concept_transfer.sites.warnings import site_warnings
from concept_transfer.study import load_study
from concept_transfer.workflow import parts_of_one_source

VOCABULARY = Vocabulary(
    ("fever", "fever", "C10", "C20", "FLUTEST"),
    ("fever", "fever", "dry cough", "diarrhea", "influenza test"),
    ("finding", "finding", "finding", "finding", "lab order"),
    ("present", "absent", "present", "present", "present"),
    ("fever", "no fever", "dry cough", "diarrhea", "tested"),
)
MAPPING = {
    "codes": {"mapped": 5, "set_aside": 1, "unmapped": 2},
    "values": {"mapped": 500, "set_aside": 297, "unmapped": 1203},
    "encounters": 1500,
    "encounters_mapped": 1200,
}
TASK = Task(label="influenza", exclude_categories=["lab order"])


def extract(*tokens: list[int], **report: dict[str, int]) -> Extract:
    count = len(tokens)
    table = encounter_table(
        encounter=[f"e{i}" for i in range(count)],
        cluster=[f"c{i}" for i in range(count)],
        label=np.arange(count) % 2,
    )
    offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    findings = CompressedRows(offsets, np.concatenate(tokens).astype(np.int32))
    return Extract(Encounters(table), {"findings": findings}, report)


def test_coverage_counts_what_was_recorded_and_not_what_the_task_fills_in() -> None:
    tokens = [0, 2], [1, 4], [1]
    site = extract(*tokens, not_recorded={"fever": 0, "C20": 3}, unmapped={"X": 2})
    assert coverage_of(site, VOCABULARY, TASK) == Coverage(
        ["fever", "C10", "C20"], ["C20"], {"X": 2}
    )
    filled = extract(*tokens, not_recorded={"fever": 3}, unmapped={})
    assert coverage_of(filled, VOCABULARY, TASK).never == ["fever", "C20"]


@pytest.mark.parametrize(
    ("code", "concept"),
    [("Fever", "fever"), ("fevr", "fever"), ("Dry_Cough", "C10"), ("C_20", "C20"), ("zzz", None)],
)
def test_the_closest_concept_is_found_by_id_and_by_name(code: str, concept: str | None) -> None:
    assert closest_concept(code, VOCABULARY) == concept


@given(
    recorded=st.dictionaries(
        st.text("ABC", min_size=1, max_size=2),
        st.tuples(st.sampled_from(FATES), st.sets(st.integers(0, 9))),
    ),
)
def test_the_use_of_codes_is_a_plain_count(recorded: dict[str, tuple[str, set[int]]]) -> None:
    use = code_use(
        ((code, fate, np.array(sorted(rows), int)) for code, (fate, rows) in recorded.items()), 10
    )
    used = {code: its for code, its in recorded.items() if its[1]}
    at = {row: [its[0] for its in used.values() if row in its[1]] for row in range(10)}
    assert use.mapping() == {
        "codes": {fate: sum(its[0] == fate for its in used.values()) for fate in FATES},
        "values": {
            fate: sum(len(rows) for its, rows in used.values() if its == fate) for fate in FATES
        },
        "mapped_codes": {c: len(rows) for c, (fate, rows) in used.items() if fate == "mapped"},
        "encounters": sum(bool(fates) for fates in at.values()),
        "encounters_mapped": sum("mapped" in fates for fates in at.values()),
    }


def test_the_terminal_reads_table_coverage_and_codes() -> None:
    site = extract(*[[0, 2]] * 40)
    split = make_split(site.encounters, SplitSettings(by="share"), 1)
    rows = [
        {"site": name, **row}
        for name in ("north", "south")
        for row in site_profile(site, split, VOCABULARY, TASK)
    ]
    concepts = ["fever", "C10", "C20"]
    coverage = {
        "north": Coverage(concepts, ["C20"], {}),
        "south": Coverage(concepts, ["C10", "C20"], {"Q1": 3, "feverish": 1200}, MAPPING),
    }
    text = check_text(pd.DataFrame(rows), coverage, VOCABULARY, 11)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "site part encounters positives prevalence clusters findings" in lines
    assert "south test 12 6 0.500 12 2.000" in lines
    assert "finding 0.667 0.667" in lines
    assert text.endswith(
        "north records 2 of the 3 concepts that the task allows.\n"
        "south records 1 of the 3 concepts that the task allows.\n"
        "  Never here, but at another site: C10 (dry cough).\n"
        "  5 of its 8 codes have a concept (1 set aside): 25.0% of their occurrences; "
        "80.0% of the encounters with a code have one.\n"
        "  Codes without a concept, not used: feverish x 1,200 (did you mean 'fever'?), Q1 x <11.\n"
        "No site records C20 (diarrhea).\n"
    )


def test_a_long_list_of_codes_is_cut() -> None:
    unmapped = {f"Q{i}": i for i in range(1, 30)}
    text = coverage_text({"north": Coverage(["fever"], [], unmapped)}, VOCABULARY, 1)
    assert "Q29 x 29, Q28 x 28" in text
    assert "Q17" not in text
    assert "... (29 in all)" in text


def test_one_site_under_two_names_is_said(tmp_path: Path) -> None:
    for name, text in (("a", "1\n2\n"), ("copy", "1\n2\n"), ("b", "1\n3\n")):
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    one, other = extract([0], [1]), extract([0], [2])
    a, copy, b, link = (tmp_path / f"{name}.csv" for name in ("a", "copy", "b", "link"))
    assert site_warnings({"north": one, "south": other}, {"north": [a], "south": [b]}) == []
    (twice,) = site_warnings({"north": one, "south": one}, {"north": [], "south": []})
    assert "north and south hold the same encounters" in twice
    for shared in ([b, a], [copy], [link]):
        (said,) = site_warnings({"north": one, "south": other}, {"north": [a], "south": shared})
        assert "north and south read the same file" in said
        assert shared[-1].name in said


def test_patients_who_may_be_on_both_sides_are_said() -> None:
    def site(patients: list[str], clusters: list[str]) -> Extract:
        table = encounter_table(
            encounter=[f"e{i}" for i in range(len(patients))],
            patient=patients,
            cluster=clusters,
            label=np.arange(len(patients)) % 2,
        )
        findings = CompressedRows(np.arange(len(patients) + 1), np.zeros(len(patients), np.int32))
        return Extract(Encounters(table), {"findings": findings}, {})

    one = site(["p", "p", "q"], ["a", "b", "b"])
    other = site(["q", "p", "r", "s"], ["a", "b", "c", "d"])
    files: dict[str, list[Path]] = {"north": [], "south": []}
    parts = [frozenset({"south", "north"})]
    divided, both = site_warnings({"north": one, "south": other}, files, parts)
    assert divided.startswith("1 patients of site north are in several clusters")
    assert both.startswith("2 patients are at north and at south, which are parts of one source")
    assert site_warnings({"north": one, "south": other}, files) == [divided]


def test_sites_of_one_folder_are_parts_of_one_source() -> None:
    north = {"adapter": "meds", "path": "data", "labels": "labels.parquet"}
    sites = {
        "north": north,
        "south": north | {"labels": "others.parquet"},
        "east": north | {"path": "elsewhere"},
    }
    config = study() | {"sites": sites, "bins": {}}
    found = load_study(config)
    assert parts_of_one_source(found, ["north", "south", "east"]) == [("north", "south")]
    shared = load_study(config | {"split": {"by": "share", "shared_identifiers": True}})
    assert parts_of_one_source(shared, ["north", "south"]) == []


def study(**changes: Any) -> dict[str, Any]:
    site = {
        "adapter": "tabular",
        "path": "t.csv",
        "label": {"column": "flu", "positive": ["1"], "negative": ["0"]},
    }
    return {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "flu"},
        "sites": {"north": {**site, **changes}, "south": site},
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "label: {column: flu, positive: [1], negative: ['0']}",
            r"sites\.north\.label\.positive\.0: should be text; quote it: '1'",
        ),
        (
            "label: {column: flu, positive: ['1'], negative: ['0'], drop: [2020-01-01]}",
            r"sites\.north\.label\.drop\.0: should be text; quote it: '2020-01-01'",
        ),
        (
            "spelling: {present: [yes], absent: ['no']}",
            r"sites\.north\.spelling\.present\.0: .* true or false; quote the word, as in 'yes'",
        ),
        (
            "concept_spelling: {age: {child: [0.5]}}",
            r"sites\.north\.concept_spelling\.age\.child\.0: should be text; quote it: '0.5'",
        ),
        ("ignore_colums: [a]", r"sites\.north\.ignore_colums: unknown key"),
        ("path: null", r"sites\.north: give either 'path'"),
    ],
)
def test_a_spelling_that_yaml_does_not_read_as_text_is_named(written: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        load_study(study(**yaml.safe_load(written)))


def test_keys_in_messages_are_those_of_the_config() -> None:
    config = study()
    config["embeddings"]["noise"] = {"provider": "random"}
    config["target_sizes"] = [1]
    with pytest.raises(StudyError) as error:
        load_study(config)
    assert "embeddings.noise.like: is required" in str(error.value)
    assert "target_sizes.0: should be greater" in str(error.value)
    assert "constrained" not in str(error.value)


def test_what_the_check_needs_goes_before_all_training(tmp_path: Path) -> None:
    with planned(tmp_path, tiny_study()) as jobs:
        priority = {job.rule.name: job.priority for job in jobs}
    with planned(tmp_path, tiny_study(), "check") as jobs:
        needed = {job.rule.name for job in jobs}
    assert {"encode_site", "split_site", "check_sites"} <= needed
    first = min(priority[name] for name in needed)
    assert first > max(each for name, each in priority.items() if name not in needed)
