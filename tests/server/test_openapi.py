"""The API's schema is a golden file: clients are written against it.

Refresh with ``SIGHTLINE_UPDATE_GOLDEN=1 pytest tests/server/test_openapi.py`` and read the diff.
"""

import json
import os
from pathlib import Path

import pytest
from served_place import FakeLocalizer

from sightline.server.application import create_app

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "openapi.json"


@pytest.fixture
def schema(localizer: FakeLocalizer):
    schema = create_app(localizer).openapi()
    # The version moves with every release; the schema should not.
    schema["info"]["version"] = "VERSION"
    return schema


def test_schema_is_the_golden_one(schema):
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("SIGHTLINE_UPDATE_GOLDEN") == "1":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text, (
        "the API's schema has changed; if that is meant, run this with SIGHTLINE_UPDATE_GOLDEN=1"
    )


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_is_defined(schema):
    wanted = set(references(schema))
    assert "#/components/schemas/Problem" in wanted
    defined = {f"#/components/schemas/{name}" for name in schema["components"]["schemas"]}
    assert wanted <= defined


def test_every_failure_is_a_problem_document(schema):
    failures = [
        answer
        for path in schema["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    ]
    assert len(failures) >= 8
    for answer in failures:
        assert list(answer["content"]) == ["application/problem+json"]
