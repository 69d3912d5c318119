"""Write the schemas and the reference in config/README.md from the config models.

``python -m concept_transfer.schema``, run in the repository, brings both up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from concept_transfer.extraction.settings import ExtractionStudy
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.learners import LEARNERS
from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Section
from concept_transfer.settings.training import Training
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.strategies import STRATEGIES
from concept_transfer.study import Study

BEGIN = "<!-- reference: written by python -m concept_transfer.schema -->"
END = "<!-- end of reference -->"


def study_schema() -> dict[str, Any]:
    """JSON schema of a study's config as its author writes it: with every short form."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    definitions["Training"].pop("required")
    properties = schema["properties"]
    for key, registry in (("strategies", STRATEGIES), ("classifiers", LEARNERS)):
        _add_short_forms(properties[key], definitions, registry)
    methods = definitions["Interconnections"]["properties"]["methods"]
    _add_short_forms(methods, definitions, METHODS)

    sites = properties["sites"]
    sites["additionalProperties"] = {
        "anyOf": [
            sites["additionalProperties"],
            *(
                {"type": "object", "required": [name], "not": {"required": ["adapter"]}}
                for name, record in ADAPTERS.items()
                if record.short
            ),
        ]
    }

    bins = properties["bins"]
    edges = definitions["Bins"]["properties"]["edges"]["anyOf"][0]
    bins["additionalProperties"] = {"anyOf": [edges, bins["additionalProperties"]]}

    embeddings = properties["embeddings"]
    entry = {"type": "object", "required": ["catalogue"], "not": {"required": ["provider"]}}
    embeddings["additionalProperties"] = {
        "anyOf": [embeddings["additionalProperties"], entry, {"type": "null"}]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _add_short_forms(
    field: dict[str, Any], definitions: dict[str, Any], registry: Mapping[str, Any]
) -> None:
    """A list of registered names, and sections that need not repeat their own name as kind."""
    for record in registry.values():
        section = definitions[record.settings.__name__]
        required = [key for key in section.pop("required", []) if key != "kind"]
        section |= {"required": required} if required else {}
    mapping = {key: field.pop(key) for key in ("type", "additionalProperties", "minProperties")}
    sections = mapping["additionalProperties"]["oneOf"]
    mapping["additionalProperties"] = {"anyOf": [*sections, {"type": "null"}]}
    names: dict[str, Any] = {"type": "array", "items": {"enum": list(registry)}}
    names |= {"minItems": 1, "uniqueItems": True}
    field["anyOf"] = [names, mapping]


def extraction_schema() -> dict[str, Any]:
    """JSON schema of a config that begins with `extraction`."""
    schema = ExtractionStudy.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def reference() -> str:
    """Markdown tables of every key of a transfer study, then of an extraction study."""
    heading = "## Keys of a study of taggers"
    return f"{_reference(Study)}\n\n{heading}\n\n{_reference(ExtractionStudy)}"


def _reference(study: type[Section]) -> str:
    """What every key accepts, its default and its meaning."""
    schema = study.model_json_schema()
    properties = {name: part["properties"] for name, part in schema["$defs"].items()}
    properties[study.__name__] = schema["properties"]
    blocks = []
    for path, model in _sections("", study, seen=set()):
        kind = _kind(model)
        title = " with ".join(f"`{part}`" for part in (path, kind and ": ".join(kind)) if part)
        lines = [f"### {title or 'Top level'}", ""]
        if model is not study:
            lines += [" ".join((model.__doc__ or "").split("\n\n")[0].split()), ""]
        keys = [name for name in model.model_fields if not kind or name != kind[0]]
        if keys:
            lines += ["| key | accepts | default | meaning |", "|---|---|---|---|"]
        for name in keys:
            accepts = _accepts(properties[model.__name__][name])
            meaning = model.model_fields[name].description
            lines.append(f"| `{name}` | {accepts} | {_default(model, name)} | {meaning} |")
        blocks.append("\n".join(lines).rstrip())
    return "\n\n".join(blocks)


def _sections(
    path: str, model: type[Section], seen: set[type[Section]]
) -> Iterator[tuple[str, type[Section]]]:
    """The model and all models below it, each once, with the place in the config."""
    if model in seen:
        return
    seen.add(model)
    yield path, model
    for name, field in model.model_fields.items():
        for suffix, part in _parts(field.annotation):
            yield from _sections(f"{path}.{name}{suffix}".lstrip("."), part, seen)


def _parts(annotation: Any) -> Iterator[tuple[str, type[Section]]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield "", annotation
    elif one := _one_of(annotation):
        for record in one.registry.values():
            yield "", record.settings
    elif get_origin(annotation) is dict:
        for suffix, part in _parts(get_args(annotation)[1]):
            yield f".<name>{suffix}", part
    else:
        for argument in get_args(annotation):
            yield from _parts(argument)


def _one_of(annotation: Any) -> OneOf | None:
    """The note that the annotation's sections are those of a registry, where it has one."""
    notes = getattr(annotation, "__metadata__", ())
    return next((note for note in notes if isinstance(note, OneOf)), None)


def _kind(model: type[Section]) -> tuple[str, str] | None:
    """The key whose fixed value tells alternatives at one place apart (adapter, provider)."""
    for name, field in model.model_fields.items():
        values = get_args(field.annotation)
        if get_origin(field.annotation) is Literal and len(values) == 1:
            return name, values[0]
    return None


def _accepts(schema: dict[str, Any]) -> str:
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_accepts(option) for option in schema[union]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return "section below"
    if "prefixItems" in schema:
        return f"[{', '.join(_accepts(item) for item in schema['prefixItems'])}]"
    if schema["type"] == "array":
        return f"list of {_accepts(schema['items'])}"
    if schema["type"] == "object":
        return f"name: {_accepts(schema['additionalProperties'])}"
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema)
    words = {"string": "text", "integer": "whole number", "boolean": "true, false"}
    kind = schema.get("format") or words.get(schema["type"], schema["type"])
    return f"{kind} {limits}".strip()


def _default(model: type[Section], name: str) -> str:
    if model is Training:
        usual, paper = (
            getattr(Training.model_validate({"protocol": protocol}), name)
            for protocol in ("early_stopping", "gao2024")
        )
        different = usual != paper and name != "protocol"
        return _shown(usual) + (f" (gao2024: {_shown(paper)})" if different else "")
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section):
        return "its defaults"
    if isinstance(value, dict) and any(isinstance(part, Section) for part in value.values()):
        return _shown(list(value))
    return _shown(value)


def _shown(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def updated(readme: str) -> str:
    """The text with a fresh reference between its markers."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def write(folder: Path) -> None:
    """Bring the schemas and README.md of a config folder up to date."""
    schemas = {"schema.json": study_schema(), "extraction.schema.json": extraction_schema()}
    for name, schema in schemas.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    readme = folder / "README.md"
    readme.write_text(updated(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path("config"))
