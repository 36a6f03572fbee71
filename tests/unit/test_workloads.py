"""Workloads as they are applied, and the services that they run images of."""

from __future__ import annotations

import pytest

from orbit_release.argocd.observation import Resource, owners_of
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.manifests.deployed import Manifests, Search
from orbit_release.manifests.entries.files import Files, same_values
from orbit_release.manifests.workloads import AppliedWorkload, owners
from orbit_release.service import BuildSettings, Service

API = Service("api", Repository("example.com/api"), Globs(("api/**",)), BuildSettings(".", "Dockerfile"))


def manifest(name: str, image: str, more: str = "") -> bytes:
    containers = f"spec: {{template: {{spec: {{containers: [{{image: '{image}'}}]}}}}}}"
    return f"kind: Deployment\nmetadata: {{name: {name}{more}}}\n{containers}\n".encode()


def read(**files: bytes) -> tuple[AppliedWorkload, ...]:
    """Return the workloads of the files of a repository; `_` stands for a slash."""
    named = {f"{name.replace('_', '/')}.yaml": data for name, data in files.items()}
    return Manifests.read(Files([*named], named.get), Search((".",))).deployed.workloads


def test_a_patch_that_names_a_workload_again_takes_nothing_away() -> None:
    patch = b"kind: Deployment\nmetadata: {name: api}\nspec: {template: {spec: {containers: [{name: api}]}}}\n"
    found = owners(read(base=manifest("api", "example.com/api:1"), patch=patch), [API])
    assert owners_of(Resource("Deployment", "api", namespace="orbit"), found) == ("api",)


def test_an_object_of_an_unknown_kind_makes_pods_where_it_has_containers() -> None:
    there = manifest("api", "example.com/api:1").replace(b"Deployment", b"CloneSet")
    assert [workload.images for workload in read(api=there)] == [("example.com/api:1",)]
    assert read(api=b"kind: Deployment\nspec: {containers: [{image: 'example.com/api:1'}]}\n") == ()


def test_a_template_that_is_not_filled_in_has_no_workloads() -> None:
    assert read(api=manifest("api", "example.com/api:1") + b"---\n{{ .Values.more }}\n") == ()


def test_a_namespace_tells_workloads_of_one_name_apart() -> None:
    files = {"own": manifest("api", "example.com/api:1"), "other": manifest("api", "x:1", ", namespace: elsewhere")}
    found = owners(read(**files), [API])
    assert owners_of(Resource("Deployment", "api", namespace="orbit"), found) == ("api",)
    assert owners_of(Resource("Deployment", "api", namespace="elsewhere"), found) == ()
    assert owners_of(Resource("StatefulSet", "api", namespace="orbit"), found) == ()


def test_a_kustomization_gives_names_namespaces_and_repositories() -> None:
    files = {
        "base_api": manifest("api", "img:1"),
        "base_kustomization": b"resources: [api.yaml]\n",
        "overlay_kustomization": b"resources: [../base]\nnamespace: shop\nnamePrefix: a-\nnameSuffix: -z\n"
        b"images: [{name: img, newName: example.com/api}, {name: b, newTag: '1'}]\n",
    }
    (found,) = read(**files)
    assert (found.kind, found.namespace, found.name) == ("Deployment", "shop", "a-api-z")
    assert found.images == ("example.com/api:1",)


def test_a_kustomization_puts_to_sleep_what_it_includes_and_nothing_else() -> None:
    texts = [b"replicas: [{name: api, count: 0}]\n", b"replicas: [{name: api, count: 2}]\n"]
    files = {f"{folder}_api": manifest("api", "a:1") for folder in ("one", "two", "plain")}
    for folder, text in zip(("one", "two"), texts, strict=True):
        files[f"{folder}_kustomization"] = b"resources: [api.yaml]\n" + text
    assert [workload.is_idle for workload in read(**files)] == [True, False, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"a: {b: 1, c: x}", b"a:\n  b: 1 # held: so\n  c: x", True),
        (b"a: {b: 1, c: x}", b"a: {c: x, b: 1}", True),
        (b"a: {b: 1}", b"a: {b: '1'}", False),
        (b"a: {b: 1}", b"a: {b: 2}", False),
        (b"a: {image: x:1}", b"a: {image: x:2}", False),
        (b"x: &a {b: *a, c: 1}", b"x: &a {b: *a, c: 2}", False),
        (b"a: [1]", b"a: [1, 2]", False),
        (b"a: 1", b"a: [", False),
        (b"a: [", b"a: [1", False),
        (b"a: [", b"a: [", True),
        (b"a: 1", None, False),
        (None, b"a: 1", False),
        (None, None, True),
    ],
)
def test_what_differs_in_comments_and_styles_alone(one: bytes | None, other: bytes | None, same: object) -> None:
    assert same_values(one, other) is same


@pytest.mark.parametrize(("count", "is_idle"), [("0", True), ("00", True), ("0x0", True), ('"0"', False), ("1", False)])
def test_without_replicas_it_may_be_right_without_a_pod(count: str, *, is_idle: bool) -> None:
    text = f"kind: Deployment\nspec: {{replicas: {count}, template: {{spec: {{containers: [{{image: a}}]}}}}}}\n"
    assert [workload.is_idle for workload in read(a=text.encode())] == [is_idle]
