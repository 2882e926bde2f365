"""What a YAML may say, as JSON Schema for editors: made of the models, their descriptions with it.

    xstilts-harness schema task                     one, printed
    python -m harness.spec.json_schema schemas      all, written: after every change of a model

An editor completes keys and values by it, and marks most mistakes. It allows more than `validate`
does: what two fields must agree in, and what other files say, it does not know.
"""

import json
import sys
from pathlib import Path
from typing import Any

from harness.families import FAMILIES
from harness.families.family import Family
from harness.metrics import scoring
from harness.spec.catalog import KINDS
from harness.spec.recipe import PHASES

Schema = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that all editors read


def json_schema(kind: str) -> Schema:
    """The schema of a task's, an encoder's, a suite's or a protocol's YAML."""
    schema = KINDS[kind].model_json_schema(ref_template="#/definitions/{model}")
    schema["definitions"] = schema.pop("$defs", {})
    schema = {"$schema": DIALECT, "title": f"xstilts-harness: {kind}", **_tidy(schema)}
    schema["title"] = f"xstilts-harness: {kind}"
    schema["properties"] = {
        "$schema": {"type": "string", "description": "this schema, for editors"},
        **schema["properties"],
    }
    _OF_KIND.get(kind, _as_is)(schema)
    return schema


def text(kind: str) -> str:
    """The schema as its file holds it."""
    return json.dumps(json_schema(kind), indent=1, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Without the titles that repeat a field's name, nor null where a field is just left out."""
    if isinstance(node, list):
        return [_tidy(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for name, value in node.items():
        named_by_model = name == "title" and isinstance(value, str)
        if not named_by_model and not (name == "default" and value is None):
            kept[name] = _tidy(value)
    return kept


def _as_is(schema: Schema) -> None:
    """A kind whose model says all."""


def _task(schema: Schema) -> None:
    """Options, columns and metrics go with the family."""
    schema["allOf"] = [_of_family(family, schema["definitions"]) for family in FAMILIES.values()]
    known = dict.fromkeys(name for one in FAMILIES.values() for name in scoring(one.answers))
    schema["properties"]["metric"]["enum"] = list(known)


def _of_family(family: Family, definitions: Schema) -> Schema:
    options = _options(family, definitions)
    columns = [*sorted(family.columns), *sorted(family.optional)]
    mapped: Schema = {
        "propertyNames": {"enum": columns},
        "properties": {name: {} for name in columns},  # for completion
        "required": sorted(family.columns - set(family.instead.values())),
    }
    for ours, theirs in family.instead.items():
        mapped["oneOf"] = [{"required": [ours]}, {"required": [theirs]}]
    properties: Schema = {
        "metric": {"enum": scoring(family.answers)},
        "options": options,
        "columns": mapped,
    }
    if family.labelled:
        properties["labels"] = {"minProperties": 1, "minItems": 1}
    asked = {"properties": {"family": {"const": family.name}}, "required": ["family"]}
    then: Schema = {"properties": properties}
    if family.columns:
        then["required"] = ["columns"]
    return {"if": asked, "then": then}


def _options(family: Family, definitions: Schema) -> Schema:
    """The schema of a family's `options:`, among the definitions."""
    name = family.options.__name__
    schema = family.options.model_json_schema(ref_template="#/definitions/{model}")
    definitions |= _tidy(schema.pop("$defs", {}))
    definitions[name] = _tidy(schema)
    return _whole(name)


def _whole(model: str) -> Schema:
    return {"$ref": f"#/definitions/{model}"}


def _suite(schema: Schema) -> None:
    """Short forms, which are read before the models see them; names of families complete."""
    definitions = schema["definitions"]
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    arm, intermediate = definitions["Arm"], definitions["Intermediate"]
    arm["required"] = ["intermediate"]
    arm["properties"]["intermediate"]["anyOf"] += [{"type": "string"}, names]
    intermediate["required"] = []
    intermediate["properties"]["task"] = {"type": "string", "description": "in place of `tasks`"}
    sampler = intermediate["properties"]["sampler"]
    by = definitions["Sampler"]["properties"]["by"]
    intermediate["properties"]["sampler"] = {**_said(sampler), "anyOf": [_whole("Sampler"), by]}
    schema["properties"]["arms"]["items"] = {"anyOf": [{"type": "string"}, _whole("Arm")]}
    trained = schema["properties"]["trained"]
    by_name = {"anyOf": [{"type": "string"}, _whole("Finished")]}
    trained["patternProperties"] = dict.fromkeys(trained["patternProperties"], by_name)
    _settings(schema)
    changed = schema["properties"]["changes"]
    change = changed["additionalProperties"]
    changed["properties"] = dict.fromkeys((*PHASES, *FAMILIES), change)


def _said(field: Schema) -> Schema:
    """A field's description alone."""
    return {name: field[name] for name in ("description",) if name in field}


def _settings(schema: Schema) -> None:
    """Settings and recipes by family: the family's own options there."""
    definitions = schema["definitions"]
    of_recipe = definitions["Recipe"]["properties"]
    for name, field in definitions["RecipeChange"]["properties"].items():
        field |= _said(of_recipe[name])
    plain = definitions["Setting"]
    by_family = {}
    for name, family in FAMILIES.items():
        options = _options(family, definitions)
        by_family[name] = {**plain, "properties": {**plain["properties"], "options": options}}
    schema["properties"]["settings"]["properties"] = by_family
    definitions["Recipes"]["properties"]["families"]["propertyNames"] = {"enum": list(FAMILIES)}
    definitions["Recipes"]["properties"]["families"]["properties"] = {
        name: _whole("RecipeChange") for name in FAMILIES
    }


_OF_KIND = {"task": _task, "suite": _suite, "protocol": _settings}


def write(folder: Path) -> None:
    """Every schema, as KIND.schema.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        (folder / f"{kind}.schema.json").write_text(text(kind), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
