"""Workloads as they are applied, and the services that they run images of."""

from __future__ import annotations

import pytest

from orbit_release.argocd.observation import Resource, owners_of
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.manifests.proof import same_but_for_images
from orbit_release.manifests.workloads import AppliedWorkload, is_of, owners, workloads
from orbit_release.service import BuildSettings, Service

API = Service("api", Repository("example.com/api"), Globs(("api/**",)), BuildSettings(".", "Dockerfile"))


def manifest(name: str, image: str, more: str = "") -> bytes:
    containers = f"spec: {{template: {{spec: {{containers: [{{image: '{image}'}}]}}}}}}"
    return f"kind: Deployment\nmetadata: {{name: {name}{more}}}\n{containers}\n".encode()


def read(**files: bytes) -> list[AppliedWorkload]:
    return list(workloads([(f"{name.replace('_', '/')}.yaml", data) for name, data in files.items()]))


def test_a_patch_that_names_a_workload_again_takes_nothing_away() -> None:
    patch = b"kind: Deployment\nmetadata: {name: api}\nspec: {template: {spec: {containers: [{name: api}]}}}\n"
    found = owners(read(base=manifest("api", "example.com/api:1"), patch=patch), [API])
    assert owners_of(Resource("Deployment", "api", namespace="orbit"), found) == ("api",)


def test_an_object_of_an_unknown_kind_makes_pods_where_it_has_containers() -> None:
    there = manifest("api", "example.com/api:1").replace(b"Deployment", b"CloneSet")
    assert [workload.images for workload in read(api=there)] == [("example.com/api:1",)]
    assert read(api=b"kind: Deployment\nspec: {containers: [{image: 'example.com/api:1'}]}\n") == []


def test_a_template_that_is_not_filled_in_has_no_workloads() -> None:
    assert read(api=manifest("api", "example.com/api:1") + b"---\n{{ .Values.more }}\n") == []


def test_a_namespace_tells_workloads_of_one_name_apart() -> None:
    files = {"own": manifest("api", "example.com/api:1"), "other": manifest("api", "x:1", ", namespace: elsewhere")}
    found = owners(read(**files), [API])
    assert owners_of(Resource("Deployment", "api", namespace="orbit"), found) == ("api",)
    assert owners_of(Resource("Deployment", "api", namespace="elsewhere"), found) == ()
    assert owners_of(Resource("StatefulSet", "api", namespace="orbit"), found) == ()


def test_a_kustomization_gives_names_and_repositories_to_one_more() -> None:
    text = b"namePrefix: a-\nnameSuffix: -z\nimages: [{name: img, newName: example.com/api}, {name: b, newTag: '1'}]\n"
    found = read(k8s_api=manifest("api", "img:1"), overlay_kustomization=text)
    assert [(one.name, one.images) for one in found] == [("api", ("img:1",)), ("a-api-z", ("example.com/api:1",))]


@pytest.mark.parametrize(("folder", "idle"), [("k8s", True), ("overlay", False)])
def test_a_kustomization_puts_to_sleep_what_is_in_its_folder(folder: str, idle: object) -> None:
    text = b"replicas: [{name: api, count: 0}, {name: web, count: 2}]\n"
    found = read(
        **{"k8s_api": manifest("api", "a:1"), "k8s_web": manifest("web", "b:1"), f"{folder}_kustomization": text}
    )
    assert [(one.name, one.is_idle) for one in found] == [("api", idle), ("web", False)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"a: {image: x:1, b: 2}", b"a: {image: x:2, b: 2} # held: so", True),
        (b"images: [{name: x, newTag: '1'}]", b"images: [{name: x, newTag: '2', digest: 'sha256:0'}]", True),
        (b"images: [{name: a, newName: x, newTag: '1'}]", b"images: [{name: a, newName: x, newTag: '2'}]", True),
        (b"images: [{name: x, newName: y, newTag: '1'}]", b"images: [{name: x, newName: y, newTag: '2'}]", False),
        (b"a: {image: postgres:15}", b"a: {image: postgres:16}", False),
        (b"data: {image: y, digest: a}", b"data: {image: y, digest: b}", False),
        (b"x: &a {b: *a, c: 1}", b"x: &a {b: *a, c: 2}", False),
        (b"a: {image: x:1, b: 2}", b"a: {image: x:1, b: 3}", False),
        (b"a: [{image: x:1}]", b"a: [{image: x:1}, {image: x:2}]", False),
        (b"a: 1", b"a: [", False),
        (b"a: [", b"a: [", False),
        (b"a: 1", None, False),
        (None, b"a: 1", False),
        (None, None, True),
    ],
)
def test_what_differs_in_images_alone(one: bytes | None, other: bytes | None, same: object) -> None:
    assert same_but_for_images(one, other, lambda image: is_of(image, "x")) is same


@pytest.mark.parametrize(("count", "is_idle"), [("0", True), ("00", True), ("0x0", True), ('"0"', False), ("1", False)])
def test_without_replicas_it_may_be_right_without_a_pod(count: str, *, is_idle: bool) -> None:
    text = f"kind: Deployment\nspec: {{replicas: {count}, template: {{spec: {{containers: [{{image: a}}]}}}}}}\n"
    assert [workload.is_idle for workload in workloads([("a.yaml", text.encode())])] == [is_idle]
