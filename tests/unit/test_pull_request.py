from __future__ import annotations

import subprocess

import pytest

from orbit_release.github.pull_request import body, branch_name
from orbit_release.releases.messages import Notes, Step

EVERYTHING = ["web", "bifrost", "api"]
SOURCE = "https://github.com/acme/shop"


@pytest.mark.parametrize(
    ("services", "name"),
    [
        (EVERYTHING, "orbit-release/all"),
        ([*EVERYTHING, "api"], "orbit-release/all"),
        (["bifrost"], "orbit-release/only/bifrost"),
        (["web", "api"], "orbit-release/only/api+web"),
        (["api", "web", "api"], "orbit-release/only/api+web"),
        (["all"], "orbit-release/only/all"),
    ],
)
def test_a_set_of_services_has_one_branch_whatever_their_order(services: list[str], name: str) -> None:
    assert branch_name(services, EVERYTHING) == name
    assert branch_name(services[::-1], EVERYTHING[::-1]) == name


@pytest.mark.parametrize(
    "services", [["a"], ["a.lock"], ["x", "a.lock"], ["a-b_c.d"], [f"service-{number}" for number in range(60)]]
)
def test_every_branch_has_a_name_that_git_takes(services: list[str]) -> None:
    name = branch_name(services, EVERYTHING)
    assert (
        subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, check=False).returncode == 0
    )
    assert len(name) < 200


def test_many_services_that_differ_have_branches_that_differ() -> None:
    names = [f"service-{number}" for number in range(60)]
    assert branch_name(names, EVERYTHING) != branch_name([*names[:-1], "another"], EVERYTHING)


def test_the_body_tells_tags_commits_and_images() -> None:
    steps = (
        Step("api", "sha-0aa11bb", "sha-1a2b3c4", "0aa", "1a2", 4, "ghcr.io/acme/api:sha-1a2b3c4"),
        Step("web", "latest", "v1", image="ghcr.io/acme/web:v1"),
    )
    lines = body(Notes(steps, SOURCE)).splitlines()
    link = f"[4 commits]({SOURCE}/compare/0aa...1a2)"
    assert lines[:4] == [
        "| Service | Before | After | Changes | Image |",
        "| --- | --- | --- | --- | --- |",
        f"| `api` | `sha-0aa11bb` | `sha-1a2b3c4` | {link} | `ghcr.io/acme/api:sha-1a2b3c4` |",
        "| `web` | `latest` | `v1` |  | `ghcr.io/acme/web:v1` |",
    ]


def test_without_an_address_the_body_only_counts() -> None:
    assert "| 1 commit |" in body(Notes((Step("api", "a", "b", "0", "1", 1),)))
