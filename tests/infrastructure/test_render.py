"""The folder renders, every object has known fields of the right types only, and no file is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.infrastructure.cluster import K8S, ROOT, Cluster, Object, wave
from tests.infrastructure.design import WORKLOADS

KUBERNETES = "1.33"
CUSTOM: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "custom_resources.yaml").read_bytes())
APPLICATION = ROOT / "infrastructure/gitops/apps/orbit"
FOLDERS = sorted(path.name for path in K8S.iterdir() if path.is_dir())
# Mappings whose names are anybody's choice.
ANY_NAMES = {
    "labels",
    "annotations",
    "matchLabels",
    "selector",
    "nodeSelector",
    "parameters",
    "requests",
    "limits",
    "data",
}
EVERYWHERE = {"Namespace", "StorageClass"}  # what has no namespace
WAVES = {
    "Namespace": -10,
    "StorageClass": -10,
    "ServiceAccount": -10,
    "ExternalSecret": -5,
    "ConfigMap": -5,
    "PersistentVolumeClaim": -5,
    "Service": 0,
    "Job": 1,
    "HTTPRoute": 5,
}


def faults(found: Object) -> list[str]:
    """Return what the strict schema of an object's kind refuses."""
    if found["kind"] in CUSTOM["$defs"]:
        schema = Draft202012Validator({**CUSTOM, "$ref": f"#/$defs/{found['kind']}"})
        return [f"{fault.json_path}: {fault.message}" for fault in schema.iter_errors(found)]
    try:
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as fault:
        return [str(fault.message)]
    return []


def test_every_object_is_valid(cluster: Cluster) -> None:
    found = {f"{one['kind']}/{one['metadata']['name']}": faults(one) for one in cluster.objects}
    assert {name: what for name, what in found.items() if what} == {}


def with_an_unknown_field(value: Any) -> Iterator[Any]:
    """Yield copies of a part of an object, each with an unknown field at one place where fields have given names."""
    if isinstance(value, list):
        yield from (
            [*value[:at], more, *value[at + 1 :]] for at, one in enumerate(value) for more in with_an_unknown_field(one)
        )
    elif isinstance(value, dict):
        yield {**value, "unheardOf": "x"}
        for key, one in value.items():
            if key not in ANY_NAMES or isinstance(one, list):
                yield from ({**value, key: more} for more in with_an_unknown_field(one))


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "Service", "StorageClass", "HTTPRoute", "ExternalSecret"]
)
def test_an_unknown_field_is_found(cluster: Cluster, kind: str) -> None:
    found = next(iter(cluster.kind(kind).values()))
    changed = list(with_an_unknown_field(found))
    assert len(changed) > 1
    assert [one for one in changed if not faults(one)] == []


def test_the_application_is_valid() -> None:
    application = yaml.safe_load((APPLICATION / "application.yaml").read_bytes())
    assert faults(application) == []
    assert faults(application | {"unheardOf": "x"}) != []


def test_every_object_is_there_once(cluster: Cluster) -> None:
    names = Counter((found["kind"], found["metadata"]["name"]) for found in cluster.objects)
    assert {name for name, count in names.items() if count > 1} == set()


def test_everything_is_in_the_namespace(cluster: Cluster) -> None:
    spaces = {found["metadata"].get("namespace") for found in cluster.objects if found["kind"] not in EVERYWHERE}
    assert spaces == {"orbit"}
    assert not any("namespace" in found["metadata"] for kind in EVERYWHERE for found in cluster.kind(kind).values())


def test_everything_is_part_of_orbit_and_pods_as_well(cluster: Cluster) -> None:
    labelled = [found["metadata"].get("labels", {}) for found in cluster.objects]
    labelled += [pod.labels for pod in cluster.pods.values()]
    assert {labels.get("app.kubernetes.io/part-of") for labels in labelled} == {"orbit"}


def test_there_are_no_other_kinds_of_objects(cluster: Cluster) -> None:
    kinds = {found["kind"] for found in cluster.objects}
    assert kinds == {*WAVES, "Deployment", "StatefulSet", "DaemonSet"}


def test_every_object_is_in_its_wave(cluster: Cluster) -> None:
    for found in cluster.objects:
        kind, name = found["kind"], found["metadata"]["name"]
        assert wave(found) == (WAVES[kind] if kind in WAVES else WORKLOADS[name].wave), f"{kind}/{name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_renders_on_its_own_to_what_it_is_in_the_whole(cluster: Cluster, folder: str) -> None:
    own = Cluster.render(K8S / folder).objects
    whole = {(found["kind"], found["metadata"]["name"]) for found in cluster.objects}
    assert own
    assert {(found["kind"], found["metadata"]["name"]) for found in own} <= whole
    assert {found["metadata"]["namespace"] for found in own} == {"orbit"}


@pytest.mark.parametrize("folder", [K8S, *(K8S / name for name in FOLDERS), APPLICATION], ids=lambda path: path.name)
def test_every_file_of_a_folder_is_listed(folder: Path) -> None:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_bytes())["resources"]
    there = [path.name for path in folder.iterdir() if path.is_dir() or path.suffix == ".yaml"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(there)
