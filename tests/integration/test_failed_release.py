"""Whether what changed between two commits is more than the images of our services."""

from __future__ import annotations

from pathlib import Path

import pytest

from orbit_release import config
from orbit_release.config import FILE_NAME
from orbit_release.flows.failed_release import Undo
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.releases.release import Release
from tests.integration.monorepo import Monorepo, environment

CONFIG = "image: ghcr.io/o/{service}\nmanifests: k8s\nservices:\n  api: {paths: [api/**]}\n"
DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "ab")
POD = "kind: Pod\nspec: {containers: [{image: 'IMAGE', env: [{name: A, value: a}]}]}\n"
API = POD.replace("IMAGE", "ghcr.io/o/api:v1")


def changed_besides(folder: Path, before: str, after: str, path: str) -> str:
    repo = Monorepo.create(folder, "127.0.0.1:9")
    files = {FILE_NAME: CONFIG, "k8s/api.yaml": API}
    older = repo.push("before", files | {path: before})
    newer = repo.push("after", files | {path: after})
    with Clone(str(repo.clone), environment()) as git:
        source = Source(git, config.load(CONFIG.encode(), FILE_NAME), FILE_NAME, CONFIG.encode())
        return Undo(source, Release(), newer).changed_besides(older, newer)


def entry(fields: str) -> str:
    return f"resources: [api.yaml]\nimages: [{{name: ghcr.io/o/api, {fields}}}]\n"


IMAGES = {
    "a tag": (API, API.replace("v1", "v2")),
    "a tag and a mark": (API, API.replace("v1", "v2").replace("\n", " # held: so\n")),
    "a digest beside the tag": (API, API.replace("v1", f"v2@{DIGEST}")),
    "another digest": (API.replace("v1", f"v1@{DIGEST}"), API.replace("v1", f"v2@{OTHER}")),
    "no tag before": (API.replace(":v1", ""), API),
}


@pytest.mark.parametrize(("before", "after"), IMAGES.values(), ids=IMAGES)
def test_the_images_of_services_do_not_count(tmp_path: Path, before: str, after: str) -> None:
    assert changed_besides(tmp_path, before, after, "k8s/api.yaml") == ""


ENTRIES = {
    "a tag": ("newTag: v1", "newTag: v2"),
    "a digest in the tag": ("newTag: v1", f"newTag: 'v2@{DIGEST}'"),
    "both fields": (f"newTag: v1, digest: '{DIGEST}'", f"newTag: v2, digest: '{OTHER}'"),
}


@pytest.mark.parametrize(("before", "after"), ENTRIES.values(), ids=ENTRIES)
def test_nor_do_those_of_a_kustomization(tmp_path: Path, before: str, after: str) -> None:
    assert changed_besides(tmp_path, entry(before), entry(after), "k8s/kustomization.yaml") == ""


OTHERS = {
    "another field": (API, API.replace("value: a", "value: b")),
    "an image and another field": (API, API.replace("v1", "v2").replace("value: a", "value: b")),
    "an image of somebody else": (POD.replace("IMAGE", "postgres:15"), POD.replace("IMAGE", "postgres:16")),
    "a container more": (API, API + "---\n" + API),
    "a tag that is no image": ("kind: ConfigMap\ndata: {newTag: a}\n", "kind: ConfigMap\ndata: {newTag: b}\n"),
    "what cannot be read": (API, "a: ["),
}


@pytest.mark.parametrize(("before", "after"), OTHERS.values(), ids=OTHERS)
def test_whatever_else_changes_counts(tmp_path: Path, before: str, after: str) -> None:
    assert changed_besides(tmp_path, before, after, "k8s/other.yaml") == "k8s/other.yaml"
