from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orbit_release.errors import UsageError
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.planning.actions import Action, Plan, ServicePlan
from orbit_release.planning.matrix import labels, matrix
from orbit_release.service import BuildSettings, Service

COMMIT = "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d"
SOURCE = "https://github.com/acme/shop"
IMAGE = "ghcr.io/acme/shop"
TARGETED = (Action.BUILD, Action.RELEASE, Action.UNMANAGED)


def one(name: str, action: Action = Action.BUILD, settings: BuildSettings | None = None) -> ServicePlan:
    service = Service(
        name, Repository(f"{IMAGE}/{name}"), Globs((f"{name}/**",)), settings or BuildSettings(".", "Dockerfile")
    )
    return ServicePlan(service, action, "a reason", target=COMMIT if action in TARGETED else None)


def plan(*services: ServicePlan) -> Plan:
    return Plan(COMMIT, services)


def test_a_job_says_all_that_a_build_needs_as_text() -> None:
    settings = BuildSettings(
        "web", "web/Dockerfile", ("linux/amd64", "linux/arm64"), (("GO", "1.10"), ("MODE", "a=b c"))
    )
    assert matrix(plan(one("web", settings=settings)), SOURCE) == {
        "include": [
            {
                "service": "web",
                "image": f"{IMAGE}/web",
                "commit": COMMIT,
                "tag": "sha-1a2b3c4",
                "tags": f"{IMAGE}/web:sha-1a2b3c4\n{IMAGE}/web:latest",
                "context": "web",
                "dockerfile": "web/Dockerfile",
                "platforms": "linux/amd64,linux/arm64",
                "build_args": "GO=1.10\nMODE=a=b c",
                "labels": f"org.opencontainers.image.source={SOURCE}\n"
                f"org.opencontainers.image.revision={COMMIT}\norg.opencontainers.image.title=web",
                "cache_scope": "web",
            }
        ]
    }


def test_what_a_service_does_not_set_is_empty_text() -> None:
    (job,) = matrix(plan(one("web")), "")["include"]
    assert (job["platforms"], job["build_args"], job["context"], job["dockerfile"]) == ("", "", ".", "Dockerfile")
    assert "image.source" not in job["labels"]
    assert all(isinstance(value, str) for value in job.values())


def test_only_what_is_to_be_built_has_a_job_in_the_order_of_the_plan() -> None:
    others = sorted({*Action} - {Action.BUILD, Action.UNMANAGED})
    found = matrix(plan(one("z"), *(one(f"no-{action}", action) for action in others), one("a")), "")
    assert [job["service"] for job in found["include"]] == ["z", "a"]


def test_a_service_that_no_manifest_names_has_a_job_until_it_is_built() -> None:
    unmanaged = one("api", Action.UNMANAGED)
    assert [job["service"] for job in matrix(plan(unmanaged), "")["include"]] == ["api"]
    assert matrix(plan(replace(unmanaged, is_built=True)), "") == {"include": []}


def test_nothing_to_build_is_an_empty_matrix() -> None:
    assert json.dumps(matrix(plan(one("web", Action.CURRENT)), SOURCE)) == '{"include": []}'


def test_the_most_jobs_that_github_runs_are_256() -> None:
    released = one("other", Action.RELEASE)
    assert len(matrix(plan(released, *(one(f"s{number}") for number in range(256))), "")["include"]) == 256
    with pytest.raises(UsageError, match=r"257 services to build, and GitHub runs 256 jobs") as refused:
        matrix(plan(*(one(f"s{number}") for number in range(257))), "")
    assert "name some of the services" in refused.value.hint


def test_labels_name_source_revision_and_title() -> None:
    assert labels(one("web"), SOURCE) == {
        "org.opencontainers.image.source": SOURCE,
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.title": "web",
    }
