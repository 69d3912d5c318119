"""Shipped configs load; schema and reference are in step with the models."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from concept_transfer import schema
from concept_transfer.errors import StudyError
from concept_transfer.extraction.settings import ExtractionStudy, load_extraction
from concept_transfer.settings.section import Section
from concept_transfer.study import Study, load_study

CONFIG = Path(__file__).resolve().parents[1] / "config"
EXTRACTION = [CONFIG / "ner.yaml", CONFIG / "taggers.yaml"]
STUDIES = sorted({*CONFIG.glob("*.yaml")} - {*EXTRACTION})
WRITTEN = ("schema.json", "extraction.schema.json", "README.md")


def read(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_every_key_has_a_meaning():
    models = Section.__subclasses__()
    for model in models:
        models += model.__subclasses__()
    assert models
    unexplained = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description and name not in {"adapter", "provider", "kind"}
    ]
    assert not unexplained


def test_schema_and_reference_are_in_step_with_the_models(tmp_path):
    for name in WRITTEN:
        (tmp_path / name).write_bytes((CONFIG / name).read_bytes())
    schema.write(tmp_path)
    for name in WRITTEN:
        fresh = (tmp_path / name).read_text(encoding="utf-8")
        assert fresh == (CONFIG / name).read_text(encoding="utf-8"), (
            f"config/{name} is out of date; run python -m concept_transfer.schema"
        )


def test_reference_shows_what_a_mapping_holds():
    reference = schema.reference()
    rows = [line.split(" | ") for line in reference.splitlines() if line.startswith("| `")]
    defaults = {(row[0].strip("| `"), row[2]) for row in rows}
    answers = (
        '`{"4188539": "present", "45877994": "present", "4188540": "absent", "45878245": "absent"}`'
    )
    assert ("answers", answers) in defaults
    assert {("bins", "`{}`"), ("concept_spelling", "`{}`")} <= defaults
    assert ("classifiers", '`["cnn", "logistic", "gradient_boosting"]`') in defaults
    words = [line for line in reference.splitlines() if not line.startswith("|")]
    assert not [line for line in words if "  " in line or line.startswith(" ")]


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.name)
def test_shipped_study_loads_and_fits_the_schema(file):
    config = read(file)
    load_study(config, where=str(file))
    as_json = json.loads(json.dumps(config, default=str))
    problems = Draft202012Validator(schema.study_schema()).iter_errors(as_json)
    assert not [f"{problem.json_path}: {problem.message}" for problem in problems]


@pytest.mark.parametrize("file", EXTRACTION, ids=lambda file: file.name)
def test_shipped_study_of_taggers_loads_and_fits_its_schema(file):
    config = read(file)
    study = load_extraction(config, where=str(file))
    assert ExtractionStudy.model_validate_json(study.model_dump_json()) == study
    assert not list(Draft202012Validator(schema.extraction_schema()).iter_errors(config))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.name)
def test_study_survives_the_way_to_a_job(file):
    """Rules hand the study to scripts as JSON of its filled-in form."""
    study = load_study(read(file))
    assert Study.model_validate_json(study.model_dump_json()) == study


@pytest.mark.parametrize(
    "change",
    [
        {"embedings": {}},
        {"training": {"protocoll": "gao2024"}},
        {"strategies": ["local", "magic"]},
        {"target_sizes": ["most"]},
        {"embeddings": {"one_hot": {"provider": "onehot"}}},
        {"strategies": []},
        {"strategies": {}},
        {"pairs": []},
        {"target_sizes": [30, 30]},
        {"replicates": 10**9},
    ],
    ids=str,
)
def test_schema_and_models_refuse_the_same_mistakes(change):
    config = {
        "study": "example",
        "vocabulary": "concepts.tsv",
        "task": {"label": "influenza"},
        "sites": {
            name: {"adapter": "simulated", "network": f"{name}.yaml"} for name in ("here", "there")
        },
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
    }
    validator = Draft202012Validator(schema.study_schema())
    assert validator.is_valid(config)
    load_study(config)

    wrong = {**config, **change}
    assert not validator.is_valid(wrong)
    with pytest.raises(StudyError):
        load_study(wrong)


@pytest.mark.parametrize(
    "strategies",
    [
        ["local", "full"],
        {"full": {"learning_rate": 0.01}, "local": None},
        {"gentle": {"kind": "full", "learning_rate": 0.001}},
    ],
    ids=["names", "settings", "own name"],
)
def test_schema_knows_every_form_of_strategies(strategies):
    properties = schema.study_schema()
    only = {**properties, "required": [], "properties": properties["properties"]}
    assert Draft202012Validator(only).is_valid({"strategies": strategies})
