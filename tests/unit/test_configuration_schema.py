"""configuration.schema.json says of a configuration what config.load says, as far as a schema can."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import ruamel.yaml
import yaml
from jsonschema import Draft202012Validator

from orbit_release import config
from orbit_release.init.configuration_text import SCHEMA as ADDRESS
from tests.unit import test_config

SCHEMA: dict[str, Any] = json.loads((files("orbit_release") / "configuration.schema.json").read_bytes())
VALID = Draft202012Validator(SCHEMA)
MARKS: Any = test_config.test_a_fault_is_told_with_its_place_and_what_to_write_instead
FAULTS: list[tuple[str | bytes, str]] = [
    *MARKS.pytestmark[0].args[1],
    *(
        (f"argocd: {value}\n{test_config.TOP}  web: {{paths: [a]}}\n", "argocd")
        for value in (
            "orbit",
            "{app: x}",
            "{application: Orbit}",
            "{project: -x}",
            "{namespace: ''}",
            "{namespace: [a]}",
        )
    ),
]
# What a schema does not see: repeated and merged keys (a loader solves them), services that share an image, brackets.
UNSEEN = ("is there twice", "unknown key '<<'", "' have", "glob 'b['", "a key must be")
TOP = test_config.TOP
ACCEPTED = [
    test_config.SHIPPED.read_text(),
    f"{TOP}  web: {{paths: [web/**]}}\n",
    f"{TOP}  web: {{context: web/, paths: [a]}}\n",
    f"{TOP}  web: {{image: 'localhost:5000/x/{{service}}', paths: [a]}}\n  api: {{paths: [b]}}\n",
    "manifests: .\nservices: {a: {image: '[::1]:5000/x__y/z--a', paths: [a]}, b: {image: redis, paths: [b/]}}\n",
    f"{TOP}  web: {{paths: &p [a/**, '!**/*.md', '\\!x', '[!/]x', '**', .env, ..., 'a b']}}\n  api: {{paths: *p}}\n",
    f"{TOP}  web: {{paths: [a], platforms: [linux/amd64, linux/arm/v7], build_args: {{_A1: x, B: 1.10, C: on}}}}\n",
    f"{TOP}  web: {{paths: [a], build_args: {{}}}}\n",
    f"{TOP}  web: {{paths: [a], deploy: false}}\n  api: {{paths: [b], deploy: true}}\n",
    f"{TOP.replace('k8s', '[k8s/, charts/web/values.yaml, .]')}  web: {{paths: [a]}}\n",
    f"fields: [{{kind: A, path: b.c}}, {{kind: B1, path: 'spec/engines[]/image'}}]\n{TOP}  web: {{paths: [a]}}\n",
    f"fields: []\n{TOP}  web: {{paths: [a]}}\n",
    *(
        f"tag: '{tag}'\n{TOP}  web: {{paths: [a]}}\n"
        for tag in ("sha-{sha}", "linux-{sha}", "{sha}", "{branch}-{sha}", "{sha:12}", "{sha:4}.x", "{sha:40}")
    ),
    f"argocd: {{application: orbit-idp, project: applications, namespace: argo.cd}}\n{TOP}  web: {{paths: [a]}}\n",
    *(f"branch: {name}\n{TOP}  web: {{paths: [a]}}\n" for name in ("1.10", "012", "on", "a/b", "2024-01-01", "x@y")),
    *(f"{TOP}  {name}: {{paths: [{name}]}}\n" for name in ("1.10", "012", "on", "true", "2024-01-01", "a.b_c-d")),
]


def views(text: str | bytes) -> Iterator[Any]:
    """Yield a document as text all through, and as an editor's YAML 1.2 types it; nothing where it is no YAML."""
    try:
        yield yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  (it makes nothing but text)
        yield plain(ruamel.yaml.YAML(typ="safe", pure=True).load(text))
    except (yaml.YAMLError, ruamel.yaml.error.YAMLError, UnicodeDecodeError, ValueError, TypeError):
        return


def plain(value: Any) -> Any:
    """Return what JSON can hold: keys are text, and it has no dates."""
    if isinstance(value, dict):
        return {str(key).lower() if isinstance(key, bool) else str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, dt.date) else value


def test_the_schema_is_a_schema_and_has_the_address_that_init_writes() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == ADDRESS


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_accepted_is_valid(text: str) -> None:
    config.load(text.encode(), "c.yaml")
    found = list(views(text))
    assert len(found) == 2
    assert [error.message for view in found for error in VALID.iter_errors(view)] == []


@pytest.mark.parametrize(("text", "fault"), [one for one in FAULTS if not any(word in one[1] for word in UNSEEN)])
def test_what_is_refused_is_invalid(text: str | bytes, fault: str) -> None:
    found = list(views(text))
    assert found or "this is not YAML" in fault
    assert [view for view in found if VALID.is_valid(view)] == []


def test_the_faults_that_a_schema_cannot_see_are_few() -> None:
    unseen = [fault for _, fault in FAULTS if any(word in fault for word in UNSEEN)]
    assert len(unseen) * 5 < len(FAULTS)


def test_every_key_is_there_and_described() -> None:
    service, argocd = SCHEMA["$defs"]["service"], SCHEMA["properties"]["argocd"]
    field = SCHEMA["$defs"]["field"]
    assert list(SCHEMA["properties"]) == list(config._TOP_KEYS)  # noqa: SLF001
    assert sorted(service["properties"]) == sorted(config._SERVICE_KEYS)  # noqa: SLF001
    assert list(argocd["properties"]) == list(config._ARGOCD_KEYS)  # noqa: SLF001
    assert list(field["properties"]) == list(config._FIELD_KEYS)  # noqa: SLF001
    described = [SCHEMA["properties"], SCHEMA["$defs"], *(part["properties"] for part in (service, argocd, field))]
    assert all(one["description"] for keys in described for one in keys.values())


@pytest.mark.parametrize("key", ["image", "branch", "tag", "manifests", "fields"])
def test_an_empty_value_is_invalid(key: str) -> None:
    assert not VALID.is_valid({"image": "a", "manifests": "b", "services": {"a": {"paths": ["a"]}}, key: None})
