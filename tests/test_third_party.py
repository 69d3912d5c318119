"""Records of another distribution: found through its entry points, used as our own are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from concept_transfer.errors import StudyError
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
    start = (
        "import json\nfrom pathlib import Path\nfrom concept_transfer.study import load_study\n"
        f"study, root = load_study({a_study()!r}), Path.cwd()\n"
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
