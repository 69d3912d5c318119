"""What a rule's code digest covers: against small packages, and against what jobs really load."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import planned
from modules_of_jobs import NOT_OF_SIMULATED_SITES, NOTE, of_house
from workflow_runs import tiny_study

from concept_transfer import closure
from concept_transfer.closure import HOUSE, module_file
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.learners import LEARNERS
from concept_transfer.registry import Registry
from concept_transfer.settings.section import Section
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.strategies import STRATEGIES

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = REPOSITORY / "workflow" / "scripts"


def script(name: str) -> Path:
    return SCRIPTS / f"{name}.py"


# Small packages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes modules of a package that can be found; gives a script that starts with `code`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, code: str, **modules: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        for module, text in modules.items():
            path = folder / f"{module}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        start = tmp_path / f"{name}_script.py"
        start.write_text(code, encoding="utf-8")
        return start

    return write


def followed(start: Path, *modules: str) -> set[str]:
    """Modules of the closure without the package's name and its `__init__`."""
    return {name.partition(".")[2] for name in closure.closure(start, *modules)} - {""}


def test_imports_are_followed_wherever_they_stand(package):
    start = package(
        "anywhere",
        "import anywhere.first\n",
        first="from anywhere import second, name\nvalue = '''\nfrom the start\n'''\n",
        second="def late():\n    from anywhere.third import (\n        a,\n        b,\n    )\n",
        third="try:\n    from .fourth import x\nexcept ImportError:\n    import anywhere.fifth\n",
        fourth="from anywhere import \\\n    sixth",
        fifth="",
        sixth="",
        lonely="",
    )
    assert followed(start, "anywhere") == {"first", "second", "third", "fourth", "fifth", "sixth"}


def test_imports_for_type_checkers_are_not_followed(package):
    start = package(
        "typed",
        "import typed.first\n",
        first="import typing\nif typing.TYPE_CHECKING:\n    from typed.second import a\n\n"
        "    import typed.third\nimport typed.fourth\n\n\ndef f():\n    import typed.fifth\n",
        second="",
        third="",
        fourth="",
        fifth="",
    )
    assert followed(start, "typed") == {"first", "fourth", "fifth"}


def test_a_package_counts_with_its_modules(package):
    modules = {"inner/__init__": "", "inner/a": ""}
    start = package("parents", "import parents.inner.a\n", **modules)
    assert set(closure.closure(start, "parents")) == {"parents", "parents.inner", "parents.inner.a"}


def test_other_distributions_are_followed_where_a_record_is_theirs(package):
    start = package(
        "theirs", "", record="from theirs import helper\nimport json", helper=f"import {HOUSE}.job"
    )
    assert closure.closure(start) == {}
    files = closure.closure(start, "theirs.record")
    assert {"theirs", "theirs.record", "theirs.helper", f"{HOUSE}.job"} <= files.keys()
    assert "json" not in files


def test_data_files_count_with_the_module_that_reads_its_package(package):
    start = package(
        "data", "import data.reader\n", reader="from importlib.resources import files\n"
    )
    folder = start.parent / "data"
    (folder / "templates").mkdir()
    (folder / "templates" / "page.html").write_text("<p>")
    files = closure.closure(start, "data")
    assert files["data/templates/page.html"] == folder / "templates" / "page.html"


def test_the_digest_follows_the_contents_and_no_place(package, tmp_path):
    start = package("contents", "import contents.a\n", a="value = 1\n", b="value = 1\n")

    def digest(path: Path = start) -> str:
        closure._content_digest.cache_clear()
        return closure.digest.__wrapped__(path, "contents")

    first = digest()
    (tmp_path / "elsewhere").mkdir()
    assert digest(Path(shutil.copy(start, tmp_path / "elsewhere"))) == first
    (tmp_path / "contents" / "b.py").write_text("value = 2\n")
    assert digest() == first
    (tmp_path / "contents" / "a.py").write_text("value = 2\n")
    assert digest() != first


TABLE = """from concept_transfer.learners import LEARNERS
from concept_transfer.registry import Registry
size = {size}
THINGS: Registry[Thing] = Registry(
    "things",
    {{"one": "things.one:ONE"{more}}},
)
"""


def test_another_name_in_a_registry_changes_no_digest(package):
    def digest(**words: object) -> str:
        start = package("things", "import things.table\n", table=TABLE.format(**words))
        closure._content_digest.cache_clear()
        return closure.digest.__wrapped__(start, "things")

    one = digest(size=1, more="")
    assert digest(size=1, more=',\n     "two": "things.two:TWO"') == one
    assert digest(size=2, more="") != one


class _Settings(Section):
    pass


class _Record:
    settings = _Settings
    run = f"{HOUSE}.embeddings.derived:embed"
    check = None


def test_a_registry_tells_the_modules_of_a_record(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "RECORD", _Record(), raising=False)
    registry: Registry[Any] = Registry("nowhere", {"one": f"{__name__}:RECORD"})
    assert registry.modules("one") == [__name__]
    assert registry.modules("one", "run", "check") == [__name__, f"{HOUSE}.embeddings.derived"]


# The library's own scripts


@pytest.fixture
def reruns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether an edit of a module changes the digest of a script and of the given modules."""
    content = closure._content_digest

    def after_edit(module: str, name: str, *modules: str) -> bool:
        file = module_file(f"{HOUSE}.{module}")
        assert file is not None, f"no module {module}"
        before = closure.digest.__wrapped__(script(name), *modules)
        with monkeypatch.context() as edit:
            edit.setattr(
                closure, "_content_digest", lambda f: b"edited" if f == file else content(f)
            )
            return closure.digest.__wrapped__(script(name), *modules) != before

    return after_edit


TRAINING = sorted(
    file.stem
    for file in SCRIPTS.glob("*.py")
    if re.search(r"from concept_transfer\.training\b", file.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("name", TRAINING)
def test_training_does_not_depend_on_how_embeddings_are_made(reruns, name):
    for module in ("embeddings.hub", "embeddings.catalogue", "embeddings.openai_provider"):
        assert not reruns(module, name)
    assert reruns("embeddings.table", name)
    assert reruns("training.predictions", name)


def test_words_of_the_report_do_not_repeat_the_bootstrap(reruns):
    rooms = [folder for folder in ("comparison", "reporting") if _room(folder)]
    words = [module for folder in rooms for module in _room(folder)]
    assert words
    loaded = closure.closure(script("evaluate"))
    assert not [module for module in words if f"{HOUSE}.{module}" in loaded]
    assert reruns("evaluation.bootstrap", "evaluate")


def _room(folder: str) -> list[str]:
    files = (REPOSITORY / "src" / HOUSE / folder).rglob("*.py")
    parts = [file.relative_to(REPOSITORY / "src" / HOUSE).with_suffix("").parts for file in files]
    return [".".join(part) for part in parts if part[-1] != "__init__"]


def test_another_provider_or_model_does_not_repeat_the_site_shift(reruns):
    for script_name in ("site_shift", "evaluate", "shift_loss"):
        for module in ("embeddings.catalogue", "embeddings.providers", "settings.embeddings"):
            assert not reruns(module, script_name)
    assert reruns("analysis.divergence", "site_shift")


def test_making_an_embedding_depends_on_its_own_provider(reruns):
    one_hot, model = (PROVIDERS.modules(name, "embed") for name in ("one_hot", "transformers"))
    for module in ("embeddings.hub", "embeddings.language_model", "embeddings.openai_client"):
        assert not reruns(module, "embed", *one_hot)
    assert reruns("embeddings.one_hot", "embed", *one_hot)
    assert reruns("embeddings.hub", "embed", *model)
    assert not reruns("embeddings.one_hot", "embed", *model)


def test_reading_a_site_depends_on_its_own_adapter(reruns):
    reads_as = {"simulated_histories": "meds", "notes": "tabular", "simulated_notes": "simulated"}
    reading = [name for name, record in ADAPTERS.items() if record.has_encounters]
    modules = {name: ADAPTERS.modules(name, "read") for name in reading}
    for name in reading:
        for other, (record, reader) in modules.items():
            for module in (record, reader):
                edited = reruns(module.removeprefix(f"{HOUSE}."), "encode_site", *modules[name])
                assert edited or other != name, (name, module)
                assert not edited or other in (name, reads_as.get(name)), (name, module)


@pytest.mark.parametrize("registry", [STRATEGIES, LEARNERS], ids=["strategies", "learners"])
def test_training_depends_on_the_strategies_and_learners_it_uses(reruns, registry):
    files = {name: registry.modules(name)[0].removeprefix(f"{HOUSE}.") for name in registry}
    for name, file in files.items():
        assert not reruns(file, "train")
        edited = {other for other in files if reruns(file, "train", *registry.modules(other))}
        assert edited == {name}


@pytest.mark.parametrize(
    ("module", "last", "another"),
    [
        ("sites.adapters", '"nhamcs":', '"diary": "neighbour.diary:DIARY",\n        "nhamcs":'),
        ("embeddings.providers", '"pca":', '"hashed": "neighbour.hashed:HASHED",\n        "pca":'),
    ],
)
def test_another_record_of_ours_reruns_nothing(tmp_path, module, last, another):
    file = module_file(f"{HOUSE}.{module}")
    text = file.read_text(encoding="utf-8")
    longer = tmp_path / "longer.py"
    longer.write_text(text.replace(last, another), encoding="utf-8")
    assert longer.read_text(encoding="utf-8") != text
    assert closure._content_digest(longer) == closure._content_digest(file)


def test_comparing_and_reporting_depend_on_the_records_of_the_study(tmp_path, monkeypatch):
    given: dict[str, set[str]] = {}

    def noted(script: Path, *modules: str) -> str:
        given.setdefault(script.stem, set()).update(modules)
        return "code"

    monkeypatch.setattr(closure, "digest", noted)
    with planned(tmp_path, {**tiny_study(), "strategies": ["local", "full"]}):
        pass
    models = {
        f"{HOUSE}.embeddings.one_hot_embedding",
        f"{HOUSE}.embeddings.control_embeddings",
        *(f"{HOUSE}.learners.{name}" for name in ("cnn", "logistic")),
        *(f"{HOUSE}.strategies.{name}" for name in ("local", "full")),
    }
    assert given["compare"] == models
    for name in ("write_tables", "draw_figures", "write_page"):
        assert given[name] == models | {f"{HOUSE}.sites.simulated_site"}
    for name in ("split_site", "check_sites", "site_shift", "evaluate", "shift_loss"):
        assert not given[name]


def test_a_template_counts_as_code_of_the_page():
    assert f"{HOUSE}.reporting/templates/style.css" in closure.closure(script("write_page"))


# What the scripts load that no job of the tiny study runs; for the others see test_workflow.py.


@pytest.mark.parametrize("name", NOT_OF_SIMULATED_SITES)
def test_every_module_that_a_script_imports_is_in_its_closure(name):
    imports = script(name).read_text(encoding="utf-8").partition("\nwith job(")[0]
    program = f"{NOTE}\n{imports}\nprint(json.dumps(sorted(set(sys.modules) - records)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules = of_house(json.loads(done.stdout.splitlines()[-1]))
    assert modules
    assert modules <= closure.closure(script(name)).keys()


def test_every_rule_digests_the_code_of_its_script():
    """Downloads are files of others, which no code of ours changes."""
    seen = set()
    for file in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        text = file.read_text(encoding="utf-8")
        functions = dict(re.findall(r"^def (\w+)\(.*\n((?: +.*\n|\n)+)", text, re.MULTILINE))
        for rule in re.split(r"^ *rule\b", text, flags=re.MULTILINE)[1:]:
            name = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', rule)
            if name and name[1] != "download":
                code = re.search(r"\b(?:code|classifiers)=((\w+).*),\n", rule)
                assert code, name[1]
                said = code[1] + functions.get(code[2], "")
                assert re.search(rf'(code_of|_code)\(\s*"{name[1]}"', said), name[1]
                seen.add(name[1])
    assert seen == {file.stem for file in SCRIPTS.glob("*.py")} - {"download"}
