"""The NHAMCS adapter on a small file of its own and on the real ones, and the download."""

import datetime
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.download import fetch
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.nhamcs_files import REASONS, fetch_file, fetch_year, read_year
from concept_transfer.sites.nhamcs_site import NhamcsSite
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.workflow import site_inputs

LAYOUT = str(Path(__file__).resolve().parents[1] / "resources/nhamcs/layout.tsv")
TASK = Task(label="influenza")
VISITS = pd.DataFrame(
    {
        "VMONTH": [1, 2, 3, 4, 12],
        "REGION": [3, 3, 3, 1, 3],
        "HOSPCODE": [7, 7, 8, 7, 9],
        "AGE": [4, 17, 64, 30, 94],
        "TEMPF": [1040, 1004, 1003, 986, -9],
        "RFV1": [14400, 10100, 14860, 14400, 14859],
        "RFV2": [10100, -9, 10124, -9, -9],
        "RFV5": [14400, 99999, 13999, -9, -9],
        "DIAG1": ["J111", "R509", "J101", "J111", "-9"],
        "DIAG5": ["-9", "J09-", "-9", "-9", "J129"],
        "FLUTEST": [1, 0, 0, 1, 0],
        "UNUSED": [0, 0, 0, 0, 0],
    }
)
BLANK = {**{f"RFV{i}": -9 for i in (3, 4)}, **{f"DIAG{i}": "-9" for i in (2, 3, 4)}}
WHOLE = VISITS.assign(**BLANK)


def write_year(folder: Path, name: str, visits: pd.DataFrame) -> None:
    stata = folder / "visits.dta"
    visits.to_stata(stata, write_index=False)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.write(stata, "ED-stata.dta")
    stata.unlink()


@pytest.fixture(scope="session")
def vocabulary(repository: Path) -> Vocabulary:
    return Vocabulary.read(repository / "resources/concepts/nhamcs-reasons.tsv")


def site(folder: Path, **changes: Any) -> NhamcsSite:
    values = {"adapter": "nhamcs", "path": str(folder), "years": [2018], "region": "South"}
    nowhere = {"download_from": None, "download_ascii_from": None, "layout": LAYOUT}
    return NhamcsSite.model_validate(values | nowhere | changes)


def findings(extract: Extract, vocabulary: Vocabulary) -> list[set[tuple[str, str]]]:
    pairs = list(zip(vocabulary.concepts, vocabulary.states, strict=True))
    return [{pairs[token] for token in tokens} for tokens in extract.inputs["findings"]]


def test_visits_become_encounters(tmp_path: Path, vocabulary: Vocabulary) -> None:
    write_year(tmp_path, "ED2018-STATA.zip", VISITS)
    extract = read_site(site(tmp_path), vocabulary, TASK, tmp_path)
    extract.validate("south", vocabulary)
    assert extract.encounters.table.to_pydict() == {
        "encounter": ["2018-1", "2018-2", "2018-5"],
        "patient": [None] * 3,
        "cluster": ["2018-7", "2018-7", "2018-9"],
        "time": [datetime.date(2018, month, 1) for month in (1, 2, 12)],
        "label": [1, 1, 0],
        "partition": [None] * 3,
    }
    assert findings(extract, vocabulary) == [
        {
            ("RFV14400", "present"),
            ("RFV10100", "present"),
            ("C0424781", "high"),
            ("agegroup", "child"),
            ("FLUTEST", "present"),
        },
        {
            ("RFV10100", "present"),
            ("C0424781", "low"),
            ("agegroup", "school age"),
            ("FLUTEST", "absent"),
        },
        {
            ("C0424781", "no information"),
            ("agegroup", "elderly"),
            ("FLUTEST", "absent"),
        },
    ]
    assert extract.report["rows_read"] == 5
    assert extract.report["dropped"] == {
        "another region": 1,
        "no fever or respiratory reason for visit": 1,
    }
    assert extract.report["unmapped"] == {"RFV14859": 1, "RFV99999": 1}


def test_a_crosswalk_leads_to_another_vocabulary(
    tmp_path: Path, repository: Path, shared_data: Path
) -> None:
    """Reasons of the real visits, mapped as the resource says, against a count visit by visit."""
    influenza = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    walk = repository / "resources/crosswalks/nhamcs-influenza.tsv"
    config = site(shared_data / "nhamcs", years=[2019], region="West", crosswalk=str(walk))
    check_site(config, influenza, TASK, tmp_path)
    extract = read_site(config, influenza, TASK, tmp_path)
    with pytest.raises(StudyError, match=r"no reason for visit.*or map reasons .* 'crosswalk'"):
        check_site(site(shared_data / "nhamcs"), influenza, TASK, tmp_path)

    rows = [line.split("\t") for line in walk.read_text().splitlines() if line[0] != "#"][1:]
    exact = {code for code, *_ in rows if not code.endswith("*")}

    def speaks(code: str) -> list[list[str]]:
        if code in exact:
            return [row for row in rows if row[0] == code]
        return [row for row in rows if row[0].endswith("*") and code.startswith(row[0][:-1])]

    frame = read_year(config, 2019, tmp_path)
    numbers = {f"{2019}-{row}": i for i, row in enumerate(frame["ROW"])}
    values = {"mapped": 0, "set_aside": 0, "unmapped": 0}
    with_concept = 0
    for encounter, found in zip(
        extract.encounters.table.column("encounter").to_pylist(),
        findings(extract, influenza),
        strict=True,
    ):
        visit = frame.iloc[numbers[encounter]]
        codes = {f"RFV{int(visit[name]):05d}" for name in REASONS if visit[name] > 0}
        said = {code: speaks(code) for code in codes}
        concepts = {(row[1], row[2] or "present") for its in said.values() for row in its if row[1]}
        fields = {pair for pair in found if pair[0] in ("C0424781", "agegroup")}
        assert found - fields == concepts
        assert len(fields) == 2
        if 5 <= visit["AGE"] < 65:
            assert ("agegroup", "adult") in fields
        for its in said.values():
            fate = "unmapped" if not its else "mapped" if its[0][1] else "set_aside"
            values[fate] += 1
        with_concept += bool(concepts)
    mapping = extract.report["mapping"]
    assert mapping["values"] == values
    assert mapping["encounters_mapped"] == with_concept
    assert sum(extract.report["unmapped"].values()) == values["unmapped"]
    assert "RFV14501" not in mapping["mapped_codes"]


Places = dict[str, tuple[int, int]]


def places_of(year: int, layout: str = LAYOUT) -> Places:
    """Read without the library: (first, last) of every field of a year."""
    frame = pd.read_csv(layout, sep="\t", comment="#", dtype={"years": str})
    if "years" not in frame:  # of the documentation: a row a year
        frame = frame.rename(columns={"year": "years", "start": "first", "end": "last"})
    ends = frame["years"].astype(str).str.split("-")
    rows = frame[[int(of[0]) <= year <= int(of[-1]) for of in ends]]
    return {r.field: (r.first, r.last) for r in rows.itertuples()}


def ascii_of(visits: pd.DataFrame, year: int, places: Places, end: str = "\n") -> str:
    """Lines with the visits' values in their places, numbers to the right, zeros before them."""
    values = visits.assign(YEAR=year)
    lines = [bytearray(b"~" * max(last for _, last in places.values())) for _ in range(len(visits))]
    for name, (first, last) in places.items():
        if name not in values:
            continue
        width = last - first + 1
        for line, value in zip(lines, values[name], strict=True):
            plain = value if isinstance(value, str) else f"{int(value):0{width}d}"
            text = "-9" if value == -9 else plain
            line[first - 1 : last] = text.ljust(width).encode()
    return "".join(line.decode() + end for line in lines)


@pytest.mark.parametrize("name", ["ed2018.zip", "ED2018.EXE", "ed2018", "ED2018.txt"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ascii_files_hold_the_same_visits(
    tmp_path: Path, vocabulary: Vocabulary, name: str, end: str
) -> None:
    write_year(tmp_path, "ed2018-stata.zip", VISITS)
    stata = read_site(site(tmp_path), vocabulary, TASK, tmp_path)
    (tmp_path / "ed2018-stata.zip").unlink()
    text = ascii_of(WHOLE, 2018, places_of(2018), end)
    if name.lower().endswith((".zip", ".exe")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("readme.txt", "short")
            archive.writestr("ED2018", text)
    else:
        (tmp_path / name).write_text(text, newline="")
    extract = read_site(site(tmp_path), vocabulary, TASK, tmp_path)
    assert extract.encounters.table.equals(stata.encounters.table)
    assert extract.inputs["findings"].equals(stata.inputs["findings"])
    assert extract.report == stata.report


ICD_9 = ["4871-", "48801", "486--", "4870 ", "V700-"]


@pytest.mark.parametrize("year", range(2010, 2016))
def test_years_of_icd_9(tmp_path: Path, vocabulary: Vocabulary, year: int) -> None:
    """J11 is no code of these years, and 487 none of the later ones."""
    assert set(places_of(year)) >= {"RFV3", "DIAG3", "FLUTEST", "HOSPCODE", "TEMPF"}
    visits = VISITS.drop(columns=["RFV5", "DIAG5"]).assign(
        RFV3=[-9, -9, -9, -9, 10100], DIAG1="J111-", DIAG2="-9", DIAG3=ICD_9
    )
    more = {f"{kind}{i}": -9 for kind in ("RFV", "DIAG") for i in (4, 5)} if year > 2013 else {}
    (tmp_path / f"ED{year}").write_text(ascii_of(visits.assign(**more), year, places_of(year)))
    config = site(tmp_path, years=[year], cohort="all")
    extract = read_site(config, vocabulary, TASK, tmp_path)
    assert extract.encounters.labels.tolist() == [1, 1, 0, 0]
    ids = [f"{year}-{row}" for row in (1, 2, 3, 5)]
    assert extract.encounters.table.column("encounter").to_pylist() == ids
    assert ("RFV10100", "present") in findings(extract, vocabulary)[3]
    assert ("agegroup", "elderly") in findings(extract, vocabulary)[3]
    later = VISITS.assign(DIAG1=ICD_9, DIAG5="-9")
    write_year(tmp_path, "ed2018-stata.zip", later.assign(DIAG5=["J09-", "-9", "-9", "-9", "-9"]))
    both = read_site(site(tmp_path, years=[year, 2018], cohort="all"), vocabulary, TASK, tmp_path)
    assert both.encounters.labels.tolist() == [1, 1, 0, 0, 1, 0, 0, 0]


def test_what_is_wrong_with_an_ascii_file_is_said(tmp_path: Path, vocabulary: Vocabulary) -> None:
    config, places = site(tmp_path), places_of(2018)
    path = tmp_path / "ed2018"

    def refused(text: str, said: str) -> None:
        path.write_text(text)
        with pytest.raises(StudyError, match=said):
            read_site(config, vocabulary, TASK, tmp_path)

    good = ascii_of(WHOLE, 2018, places)
    refused(
        ascii_of(WHOLE, 2016, places), r"ed2018, row 1, columns 2417 to 2420 \(YEAR\).*not 2018"
    )
    refused(
        ascii_of(WHOLE.assign(REGION=[3, 3, 7, 1, 3]), 2018, places), r"row 3.*704 to 704 \(REGION"
    )
    refused(good[:-9] + "\n", r"row 5: the line ends before column 2420.*1 row\(s\)")
    refused("", r"row 1: the line ends before")
    first, last = places["TEMPF"]
    refused(good[: first - 1] + "x" * 4 + good[last:], rf"row 1, columns {first} to {last} \(TEMPF")
    path.unlink()
    (tmp_path / "ed2018.exe").write_text("MZ")
    with pytest.raises(StudyError, match=r"ed2018\.exe is not the CDC's zipped ASCII file of 2018"):
        read_site(config, vocabulary, TASK, tmp_path)
    (tmp_path / "ED2019.zip").touch()
    with pytest.raises(StudyError, match=r"does not say where YEAR, VMONTH.* ASCII file of 2019"):
        check_site(site(tmp_path, years=[2019]), vocabulary, TASK, tmp_path)
    (tmp_path / "own.tsv").write_text("field\tyears\tfirst\tlast\nAGE\t2018\t9\t8\n")
    with pytest.raises(StudyError, match=r"own\.tsv, line 2: a row has the columns field, years"):
        check_site(site(tmp_path, layout="own.tsv"), vocabulary, TASK, tmp_path)
    with pytest.raises(StudyError, match=r"ed2012\.zip does not exist.*'download_ascii_from'"):
        check_site(site(tmp_path, years=[2012]), vocabulary, TASK, tmp_path)


def test_our_layout_is_that_of_the_documentation(shared_data: Path) -> None:
    """2017 has the layout of 2016, as its documentation says."""
    for year in (*range(2010, 2017), 2018, 2022):
        theirs = places_of(year, str(shared_data / "nhamcs/layout.tsv"))
        ours = places_of(year)
        assert ours == {name: theirs[name] for name in ours}
    assert places_of(2017) == places_of(2016)


def test_real_visits_of_2018_both_ways(
    shared_data: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    """The Stata file's values, written in the places that the documentation gives."""
    with zipfile.ZipFile(shared_data / "nhamcs/ED2018-stata.zip") as archive:
        archive.extract("ED2018-stata.dta", tmp_path)
    places = places_of(2018, str(shared_data / "nhamcs/layout.tsv"))
    visits = pd.read_stata(tmp_path / "ED2018-stata.dta", convert_categoricals=False)
    names = {name: name.upper() for name in visits if name.upper() in places}
    visits = visits[list(names)].rename(columns=names).drop(columns="PATWT")
    (tmp_path / "ed2018").write_text(ascii_of(visits, 2018, places))
    for config in ({"region": "South"}, {"region": "West", "cohort": "all"}):
        stata = read_site(site(shared_data / "nhamcs", **config), vocabulary, TASK, tmp_path)
        extract = read_site(site(tmp_path, **config), vocabulary, TASK, tmp_path)
        assert extract.encounters.table.equals(stata.encounters.table)
        assert extract.inputs["findings"].equals(stata.inputs["findings"])
        assert extract.report == stata.report


def test_every_visit_without_a_cohort(tmp_path: Path, vocabulary: Vocabulary) -> None:
    write_year(tmp_path, "ed2018-stata.zip", VISITS)
    write_year(tmp_path, "ed2019-stata.zip", VISITS.drop(columns=["FLUTEST", "RFV5"]))
    config = site(tmp_path, years=[2018, 2019], cohort="all")
    extract = read_site(config, vocabulary, TASK, tmp_path)
    assert extract.encounters.labels.tolist() == [1, 1, 1, 0] * 2
    assert set(extract.encounters.table.column("cluster").to_pylist()) == {
        f"{year}-{hospital}" for year in (2018, 2019) for hospital in (7, 8, 9)
    }
    assert ("C0424781", "inconsequential") in findings(extract, vocabulary)[2]
    assert ("agegroup", "adult") in findings(extract, vocabulary)[2]
    assert extract.report["not_recorded"] == {"FLUTEST": 4}


def test_what_is_wrong_with_a_year_is_said(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(StudyError, match=r"ed2018-stata\.zip does not exist; put the CDC's"):
        check_site(site(tmp_path), vocabulary, Task(label="influenza"), tmp_path)
    check_site(
        site(tmp_path, download_from="http://localhost/"),
        vocabulary,
        Task(label="influenza"),
        tmp_path,
    )
    with pytest.raises(StudyError, match=r"from 2010 on, and 2009 is before"):
        check_site(site(tmp_path, years=[2009]), vocabulary, Task(label="influenza"), tmp_path)
    other = Vocabulary(("C1",), ("fever",), ("finding",), ("present",), ("fever",))
    write_year(tmp_path, "ed2018-stata.zip", VISITS.drop(columns=["TEMPF", "AGE"]))
    with pytest.raises(StudyError, match=r"no reason for visit.*nhamcs-reasons\.tsv"):
        check_site(site(tmp_path), other, Task(label="influenza"), tmp_path)
    with pytest.raises(StudyError, match=r"ed2018-stata\.zip lacks the column\(s\) AGE, TEMPF"):
        read_site(site(tmp_path), vocabulary, TASK, tmp_path)
    (tmp_path / "ed2018-stata.zip").write_text("<html>not found</html>")
    with pytest.raises(StudyError, match=r"is not the CDC's zipped Stata file of 2018"):
        read_site(site(tmp_path), vocabulary, TASK, tmp_path)


REAL_COUNTS = {  # influenza visits by region and year: facts of the public files
    "Northeast": (51, 32, 25),
    "Midwest": (43, 47, 37),
    "South": (156, 97, 49),
    "West": (48, 34, 35),
}


def test_real_visits_and_influenza_by_region_and_year(
    shared_data: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    years = {2018: (20291, 298), 2019: (19481, 210), 2020: (14860, 146)}
    total = {year: np.zeros(2, int) for year in years}
    for region, positives in REAL_COUNTS.items():
        config = site(shared_data / "nhamcs", years=list(years), region=region, cohort="all")
        extract = read_site(config, vocabulary, TASK, tmp_path)
        of = np.array([day.year for day in extract.encounters.table.column("time").to_pylist()])
        for year, expected in zip(years, positives, strict=True):
            assert extract.encounters.labels[of == year].sum() == expected
            total[year] += [(of == year).sum(), expected]
    assert {year: tuple(counts.tolist()) for year, counts in total.items()} == years


def test_real_cohort_and_near_label_features(
    shared_data: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    config = site(shared_data / "nhamcs", years=[2018, 2019, 2020])
    task = Task(label="influenza", exclude_categories=["near label"])
    extract = read_site(config, vocabulary, task, tmp_path)
    assert (len(extract), extract.report["positives"]) == (4556, 276)
    assert extract.report["unmapped"] == {"RFV20152": 1}
    held = {vocabulary.concepts[token] for token in np.unique(extract.inputs["findings"].values)}
    assert not held & {"FLUTEST", "RFV14501"}
    with_test = read_site(config, vocabulary, TASK, tmp_path)
    assert len(with_test.inputs["findings"].values) > len(extract.inputs["findings"].values) + len(
        extract
    )


class Handler(BaseHTTPRequestHandler):
    """Two files exist, half.zip breaks off, broken.zip fails, all else is missing."""

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        if name not in ("ED2018-stata.zip", "ED2010.exe", "half.zip"):
            self.send_error(500 if name == "broken.zip" else 404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * (1000 if name != "half.zip" else 400))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/stata"
        http.shutdown()


def test_a_missing_year_is_fetched_once(tmp_path: Path, server: str) -> None:
    config = site(tmp_path / "nhamcs", download_from=server + "/")
    path = fetch_year(config, 2018, tmp_path)
    assert path.read_bytes() == b"x" * 1000
    path.write_text("mine")
    assert fetch_year(config, 2018, tmp_path).read_text() == "mine"
    with pytest.raises(StudyError, match="does not exist; put the CDC's"):
        fetch_year(site(tmp_path), 2018, tmp_path)


def test_a_missing_ascii_year_is_fetched_from_its_own_address(tmp_path: Path, server: str) -> None:
    config = site(tmp_path / "nhamcs", years=[2010, 2018], download_ascii_from=server)
    assert site_inputs(config, tmp_path)[0].endswith("nhamcs/ed2010.zip")
    path = fetch_file(config, str(tmp_path / "nhamcs/ed2010.zip"), tmp_path)
    assert (path.name, path.read_bytes()) == ("ed2010.zip", b"x" * 1000)
    assert site_inputs(config, tmp_path)[-1] == LAYOUT


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.zip", "404"), ("half.zip", "400 of 1000 bytes"), ("broken.zip", "500")],
)
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, server: str, name: str, reason: str
) -> None:
    with pytest.raises(StudyError, match=f"{reason}.*Download {server}/{name} .*put it there"):
        fetch([f"{server}/{name}"], tmp_path / "here.zip")
    assert list(tmp_path.iterdir()) == []


def test_no_network(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the transfer failed \(.*refused.*Download"):
        fetch(["http://127.0.0.1:1/ed.zip"], tmp_path / "here.zip")
