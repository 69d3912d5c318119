"""Records of another distribution: found through its entry points, used as our own are."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from workflow_runs import Study

from concept_transfer.errors import StudyError
from concept_transfer.registry import Registry
from concept_transfer.study import load_study

NEIGHBOUR = Path(__file__).parent / "third_party"
DIARY = "ann flu fever cough\nann none cough\nbob flu fever\ncid none\n"
VOCABULARY = """concept\tname\tcategory\tstate\ttext
fever\tfever\tfinding\tpresent\tfever
cough\tcough\tfinding\tpresent\tcough
"""


def a_study(**changes: Any) -> dict[str, Any]:
    """A study that needs the distribution."""
    return {
        "study": "visited",
        "vocabulary": "vocabulary.tsv",
        "task": {"label": "flu", "classes": ["none", "flu"]},
        "sites": {name: {"adapter": "diary", "book": f"{name}.txt"} for name in ("north", "south")},
        "split": {"by": "share"},
        "embeddings": {
            "hashed": {"provider": "hashed", "width": 4},
            "half": {"provider": "pca", "of": "hashed", "width": 1},
        },
        **changes,
    }


def beside_the_neighbour(folder: Path, program: str) -> Any:
    """What a program prints as JSON where the distribution is installed; `study` is its study."""
    (folder / "vocabulary.tsv").write_text(VOCABULARY)
    for name in ("north", "south"):
        (folder / f"{name}.txt").write_text(DIARY)
    return printed(folder, a_study(), program)


def printed(folder: Path, config: dict[str, Any], program: str) -> Any:
    """The same of a study whose files are in the folder."""
    start = (
        "import json\nfrom pathlib import Path\nfrom concept_transfer.study import load_study\n"
        f"study, root = load_study({config!r}), Path.cwd()\n"
    )
    path = os.pathsep.join([str(NEIGHBOUR), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", start + program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_the_distribution_its_names_are_unknown() -> None:
    with pytest.raises(StudyError, match=r"'adapter' is 'diary'; choose from 'simulated'"):
        load_study(a_study())


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (
            "nowhere.at_all:THING",
            r"'new' of things \(nowhere.at_all:THING\) cannot be loaded: No",
        ),
        ("math:nothing", r"'new' of things \(math:nothing\) cannot be loaded: .* 'nothing'; mend"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_named(
    monkeypatch: pytest.MonkeyPatch, theirs: str, said: str
) -> None:
    entries = EntryPoints([EntryPoint("new", theirs, "things")])
    monkeypatch.setattr("concept_transfer.registry.entry_points", lambda group: entries)
    things: Registry[Any] = Registry("things", {"ours": "math:pi"})
    assert list(things) == ["ours", "new"]
    assert things["ours"] == math.pi
    with pytest.raises(StudyError, match=said):
        things["new"]


def test_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = EntryPoints([EntryPoint("ours", "math:e", "things")])
    monkeypatch.setattr("concept_transfer.registry.entry_points", lambda group: entries)
    things: Registry[Any] = Registry("things", {"ours": "math:pi"})
    with pytest.raises(StudyError, match=r"'ours' of things \(math:e\) has the name of math:pi"):
        list(things)


def test_an_adapter_of_another_distribution_reads_a_site(tmp_path: Path) -> None:
    found = beside_the_neighbour(
        tmp_path,
        """
from concept_transfer.sites.reading import read_site
from concept_transfer.sites.extract import Extract
from concept_transfer.workflow import check_study, planned_vocabulary, site_inputs
check_study(study, root)
vocabulary, site = planned_vocabulary(study, root), study.sites["north"]
read_site(site, vocabulary, study.task, root).write(root / "encounters" / "north", vocabulary)
extract = Extract.read(root / "encounters" / "north", vocabulary)
print(json.dumps({
    "files": site_inputs(site, root),
    "labels": extract.encounters.labels.tolist(),
    "tokens": [tokens.tolist() for tokens in extract.inputs["findings"]],
    "classes": extract.report["classes"],
}))""",
    )
    assert found == {
        "files": ["north.txt"],
        "labels": [1, 0, 1, 0],
        "tokens": [[0, 1], [1], [0], []],
        "classes": {"none": 2, "flu": 2},
    }


def test_its_adapter_is_checked_before_any_job(tmp_path: Path) -> None:
    said = beside_the_neighbour(
        tmp_path,
        """
from concept_transfer.errors import StudyError
from concept_transfer.registry import Registry
from concept_transfer.workflow import check_study
Path("south.txt").unlink()
try:
    check_study(study, root)
except StudyError as error:
    print(json.dumps(str(error)))""",
    )
    assert said.startswith("sites.south: the diary ")
    assert said.endswith("south.txt does not exist")


def test_a_provider_of_another_distribution_makes_a_table(tmp_path: Path) -> None:
    found = beside_the_neighbour(
        tmp_path,
        """
from concept_transfer.embeddings.providers import embed
from concept_transfer.workflow import planned_vocabulary
vocabulary, tables = planned_vocabulary(study, root), {}
for name, config in study.embeddings.items():
    tables[name] = embed(name, config, vocabulary, root, list(tables.values()))
print(json.dumps([tables["hashed"].vectors.tolist(), tables["half"].card.details["parents"]]))""",
    )
    expected = [[n / 255 for n in hashlib.sha256(t).digest()[:4]] for t in (b"fever", b"cough")]
    assert found[0] == [pytest.approx(row) for row in expected]
    assert found[1] == ["hashed"]


def test_its_words_stand_in_methods_and_limitations(tmp_path: Path) -> None:
    methods, limits = beside_the_neighbour(
        tmp_path,
        """
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.reporting.methods import methods_text
from concept_transfer.schema import reference
from concept_transfer.sites.adapters import ADAPTERS
assert "with `adapter: diary`" in reference() and "with `provider: hashed`" in reference()
print(json.dumps([str(methods_text(study, {}, {})), ADAPTERS["diary"].limitation]))""",
    )
    assert "north: a diary, north.txt" in methods
    assert "hashed (digests of 4 bytes)" in methods
    assert limits == "Diaries are written by whoever has time."


def test_an_unknown_kind_is_told_what_is_registered(tmp_path: Path) -> None:
    said = beside_the_neighbour(
        tmp_path,
        """
from concept_transfer.errors import StudyError
from concept_transfer.registry import Registry
said = []
for key in ("classifiers", "strategies"):
    for value in (["nobody"], {"mine": {"kind": "nobody"}}):
        try:
            load_study({"study": "other", **json.loads(study.model_dump_json()), key: value})
        except StudyError as error:
            said.append(str(error))
print(json.dumps(said))""",
    )
    assert len(said) == 4
    names = [("naive_bayes", "one_finding")] * 2 + [("l2_sp", "mixed")] * 2
    for text, (ours, theirs) in zip(said, names, strict=True):
        assert all(word in text for word in ("nobody", ours, theirs))


# A study with one of each, through Snakemake


def a_visit() -> dict[str, Any]:
    """What `a_study` has, with a learner and a strategy of the distribution beside ours."""
    return a_study(
        embeddings={"hashed": {"provider": "hashed", "width": 4}},
        classifiers=["cnn", "one_finding", "naive_bayes"],
        strategies={"local": None, "direct": None, "mixed": {"source_share": 0.25}},
        target_sizes=[40, "all"],
        replicates=2,
        training={"epochs": 2, "fixed_epochs": 2},
        evaluation={"draws": 100},
    )


def diary(seed: int) -> str:
    """Encounters of which one concept in five tells the class."""
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(300):
        ill = rng.random() < 0.4
        chances = [0.8 if ill else 0.2, 0.5, 0.3, 0.4, 0.6]
        concepts = [name for name, p in zip("abcde", chances, strict=True) if rng.random() < p]
        lines.append(" ".join([f"p{number}", "flu" if ill else "none", *concepts]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The study run to its report; the distribution lies in its folder, where tests may edit it."""
    folder = tmp_path_factory.mktemp("visited")
    shutil.copytree(NEIGHBOUR, folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    rows = [f"{name}\t{name}\tfinding\tpresent\t{name}\n" for name in "abcde"]
    (folder / "vocabulary.tsv").write_text(VOCABULARY.splitlines(keepends=True)[0] + "".join(rows))
    for seed, name in enumerate(("north", "south")):
        (folder / f"{name}.txt").write_text(diary(seed))
    study = Study(folder, a_visit())
    path = [str(folder / "site"), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(path))
        run = study.run("--cores", "2")
        assert run.code == 0, run.output
        yield study


def results(study: Study) -> Path:
    return study.folder / "results" / "visited"


def test_the_report_has_the_words_of_newcomers(visited: Study) -> None:
    page = (results(visited) / "report.html").read_text(encoding="utf-8")
    methods = (results(visited) / "methods.md").read_text(encoding="utf-8")
    assert "north: a diary, north.txt" in methods
    assert "hashed (digests of 4 bytes" in methods
    assert "A decision tree of one split gave every encounter the risk" in methods
    said = "mixed: trained on source and target in a fixed proportion"
    assert f"{said} (25% of the loss from the source)" in methods
    assert "Diaries are written by whoever has time." in page
    assert "one finding" in page


def test_figures_draw_newcomers(visited: Study) -> None:
    drawn = {file.stem: file.read_text() for file in (results(visited) / "figures").glob("*.csv")}
    learning = next(text for stem, text in drawn.items() if stem.startswith("learning"))
    assert "mixed" in learning
    assert any("one finding" in text for text in drawn.values())


def test_a_bundle_of_a_newcomer_is_read_again(visited: Study) -> None:
    """The source's models give the predictions that `direct` wrote."""
    found = printed(
        visited.folder,
        visited.config,
        """
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.models.bundle import read_bundle
from concept_transfer.sites.site import Site
results = Path("results/visited")
bundle = read_bundle(results / "sources/north/none/one_finding/block0")
record = LEARNERS[bundle.card.learner["kind"]]
settings = record.settings.model_validate(bundle.card.learner)
family = record.family(settings, Context((1, 2), len(bundle.vocabulary)))
site = Site.read(results / "encounters/south", results / "splits/south.parquet")
test = site.split.parts(0)[2]
risks = family.predict(family.read(bundle.folder), site, test)[:, :, 1]
print(json.dumps([bundle.card.learner, site.split.encounter[test].tolist(), risks.tolist()]))""",
    )
    learner, encounters, risks = found
    assert learner == {"kind": "one_finding", "smoothing": 1.0}
    path = "predictions/north-to-south/none/one_finding/direct/0/block0.parquet"
    table = pd.read_parquet(results(visited) / path).query("partition == 'test'")
    for replicate, expected in enumerate(risks):
        own = table[table.replicate == replicate].set_index("encounter").probability
        np.testing.assert_allclose(own[encounters], expected, rtol=1e-6)
    assert len(set(risks[0])) == 2


@contextmanager
def edited(study: Study, module: str) -> Iterator[None]:
    """With another line at the end of a module of the distribution."""
    file = study.folder / "site" / "neighbour" / module
    text = file.read_text()
    file.write_text(text + "# edited\n")
    try:
        yield
    finally:
        file.write_text(text)


def test_an_edited_learner_computes_its_own_cells(visited: Study) -> None:
    assert visited.plan() == {}
    trained = {f"{job}_simple": 2 for job in ("train_source", "transfer", "train_local")}
    shown = {"compare": 1, "shift_loss": 1, "write_tables": 1, "draw_figures": 1, "write_page": 1}
    with edited(visited, "one_finding.py"):
        assert visited.plan() == {**trained, "evaluate": 2, **shown}
        run = visited.run("--cores", "2", "predictions")
    assert run.code == 0, run.output
    assert run.jobs() == {**trained, "predictions": 1}
    for log in (results(visited) / "logs").rglob("none/simple/block0.log"):
        cells = [line for line in log.read_text().splitlines() if "target size" in line]
        assert all(("computed" in cell) == cell.startswith("one_finding") for cell in cells)
        assert cells or "train_source" in str(log)


def test_an_edited_strategy_computes_its_own_cells(visited: Study) -> None:
    with edited(visited, "mixed.py"):
        run = visited.run("--cores", "2", "predictions")
    assert run.code == 0, run.output
    for log in (results(visited) / "logs" / "transfer").rglob("*.log"):
        lines = [
            line for line in log.read_text().splitlines() if not line.startswith("one_finding")
        ]
        computed = [line for line in lines if ": computed" in line]
        kept = [line for line in lines if ": kept" in line]
        assert ["mixed" in line for line in computed] == [True, True]
        assert ["mixed" in line for line in kept] == [False]
