"""orbit-release works on these manifests: it finds each service's tag, and a bump changes one line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from orbit_release import config
from tests.infrastructure.cluster import K8S, ROOT, Cluster
from tests.infrastructure.design import CUSTOM, GHCR
from tests.integration.monorepo import Monorepo, sha

FOLDER = "infrastructure/k8s"


@pytest.fixture
def repo(tmp_path: Path) -> Monorepo:
    """Return a monorepo with this project's configuration and manifests, and a Dockerfile for each service."""
    made = Monorepo.create(tmp_path, "127.0.0.1:9")
    shutil.copytree(K8S, made.clone / FOLDER)
    for name in CUSTOM:  # as before the first release, whatever has been released or is held since
        file = made.clone / FOLDER / name / "deployment.yaml"
        file.write_text(re.sub(rf"(image: {GHCR}{name}):.*", r"\1:latest", file.read_text()))
    configuration = (ROOT / "orbit-release.yaml").read_bytes()
    dockerfiles = {
        service.settings.dockerfile: "FROM scratch\n"
        for service in config.load(configuration, "orbit-release.yaml").services
    }
    made.push("orbit", {"orbit-release.yaml": configuration, **dockerfiles})
    return made


def lines(repo: Monorepo) -> list[tuple[str, str]]:
    """Return the lines that the newest commit at the origin took out and put in."""
    repo.git("fetch", "-q", "origin")
    diff = repo.git("diff", "--unified=0", "origin/main~1", "origin/main").splitlines()
    before, after = ([line[1:] for line in diff if line[:1] == sign and line[:3] != sign * 3] for sign in "-+")
    return list(zip(before, after, strict=True))


def line(name: str, tag: str) -> str:
    return f"          image: {GHCR}{name}:{tag}"


def test_every_service_is_configured() -> None:
    services = config.load((ROOT / "orbit-release.yaml").read_bytes(), "orbit-release.yaml").services
    assert {service.name: str(service.repository) for service in services} == {name: GHCR + name for name in CUSTOM}


def test_at_first_every_service_is_to_be_built(repo: Monorepo) -> None:
    found = json.loads(repo.run("plan", "--format", "json").out)["services"]
    assert {one["name"]: one["action"] for one in found} == dict.fromkeys(CUSTOM, "build")


@pytest.mark.parametrize("name", CUSTOM)
def test_a_bump_changes_one_line(repo: Monorepo, name: str) -> None:
    tag = sha(repo.git("rev-parse", "HEAD"))
    ran = repo.run("bump", name, tag, "--no-verify", "--yes")
    assert ran.code == 0, ran.err
    assert lines(repo) == [(line(name, "latest"), line(name, tag))]
    assert f"{FOLDER}/{name}/deployment.yaml" in repo.git("show", "--stat=200", "origin/main")


def test_a_release_of_all_changes_a_line_each_and_nothing_else_in_what_is_rendered(
    cluster: Cluster, repo: Monorepo
) -> None:
    tag = sha(repo.git("rev-parse", "HEAD"))
    assert repo.run("bump", *(word for name in CUSTOM for word in (name, tag)), "--no-verify", "--yes").code == 0
    assert sorted(lines(repo)) == sorted((line(name, "latest"), line(name, tag)) for name in CUSTOM)
    repo.git("pull", "-q", "origin", "main")
    after = Cluster.render(repo.clone / FOLDER)
    assert {name: pod.main["image"] for name, pod in after.running.items() if name in CUSTOM} == {
        name: f"{GHCR}{name}:{tag}" for name in CUSTOM
    }
    deployments = {("Deployment", name) for name in CUSTOM}
    changed = [found for found in after.objects if found not in cluster.objects]
    assert {(found["kind"], found["metadata"]["name"]) for found in changed} == deployments


def test_after_a_release_only_what_changed_is_to_be_built(repo: Monorepo) -> None:
    tag = sha(repo.git("rev-parse", "HEAD"))
    repo.run("bump", *(word for name in CUSTOM for word in (name, tag)), "--no-verify", "--yes")
    repo.git("pull", "-q", "origin", "main")
    repo.push("kafka", {"services/kafka/main.go": "package main\n"})
    found = json.loads(repo.run("plan", "--format", "json").out)["services"]
    changed = {"kafka-service", "temporal-worker"}
    assert {one["name"] for one in found if one["action"] == "build"} == changed
    assert {one["action"] for one in found if one["name"] not in changed} == {"current"}
