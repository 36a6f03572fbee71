"""What a failure is blamed on: the command for a person, and what goes back without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from orbit_release.argocd.blame import Blame, blame, outage, rollback_command
from orbit_release.argocd.observation import Observation, Resource
from orbit_release.argocd.verdict import Failed, Look, Relation

REVISION = "a" * 40
OWNERS = {
    ("Deployment", "", "api"): ("api",),
    ("Deployment", "", "both"): ("api", "web"),
    ("Deployment", "", "web"): ("web",),
    ("CronJob", "", "api"): ("api",),
}


def resource(text: str) -> Resource:
    """Return a resource from `Kind/name Health`."""
    what, _, health = text.partition(" ")
    kind, _, name = what.partition("/")
    return Resource(kind, name, health=health)


def look(*resources: str, released: tuple[str, ...] = ("api",)) -> Look:
    observation = Observation(REVISION, resources=tuple(map(resource, resources)))
    return Look(observation, Relation.OURS, Relation.OURS, released=released, owners=OWNERS)


def failed(cause: str | None, *turned: str) -> Failed:
    return Failed(resource(cause) if cause else None, "it is so", tuple(map(resource, turned)))


@pytest.mark.parametrize(
    ("turned", "others", "released", "expected"),
    [
        (["Deployment/api Degraded"], [], ["api"], Blame(("api",))),
        (["Deployment/api Degraded"], ["Deployment/web Degraded"], ["api"], Blame(("api",))),
        (["Deployment/api Degraded", "Deployment/web Degraded"], [], ["api", "web"], Blame(("api", "web"))),
        (["Deployment/both Degraded", "Deployment/api Degraded"], [], ["api", "web"], Blame(("api", "web"))),
        (["Deployment/both Degraded"], [], ["web"], Blame(("web",))),
        (["Deployment/api Degraded"], ["Service/api Progressing", "Job/x Suspended"], ["api"], Blame(("api",))),
        (["Deployment/api Degraded"], ["Job/x Missing"], ["api"], Blame(instead="Job/x is Missing as well")),
        (["Deployment/api Degraded"], ["Cluster/db Unknown"], ["api"], Blame(instead="Cluster/db is Unknown as well")),
        (
            ["Cluster/db Degraded", "Deployment/api Degraded"],
            ["Cluster/db Degraded"],
            ["api"],
            Blame(instead="Cluster/db is Degraded as well"),
        ),
        (
            ["Deployment/web Degraded"],
            [],
            ["api"],
            Blame(instead="Deployment/web is no workload of the release that turned Degraded"),
        ),
        (
            ["CronJob/api Degraded"],
            [],
            ["api"],
            Blame(instead="CronJob/api is no workload of the release that turned Degraded"),
        ),
        ([], [], ["api"], Blame(instead="Job/hook is no workload of the release that turned Degraded")),
    ],
)
def test_only_what_was_released_goes_back_and_only_while_nothing_else_is_ill(
    turned: list[str], others: list[str], released: list[str], expected: Blame
) -> None:
    assert blame(failed("Job/hook", *turned), look(*turned, *others), released) == expected


kinds = st.sampled_from(["Deployment", "StatefulSet", "Service", "Job"])
resources = st.builds(
    Resource,
    kinds,
    st.sampled_from(["api", "web", "both", "db"]),
    health=st.sampled_from(["", "Healthy", "Degraded", "Progressing", "Missing"]),
)


@given(st.lists(resources), st.lists(resources), st.sets(st.sampled_from(["api", "web"])))
def test_whatever_is_seen_only_released_services_go_back_that_turned(
    turned: list[Resource], others: list[Resource], released: set[str]
) -> None:
    observation = Observation(REVISION, resources=(*turned, *others))
    seen = Look(observation, Relation.OURS, owners=OWNERS)
    blamed = blame(Failed(None, "it is so", tuple(turned)), seen, released)
    assert set(blamed.services) <= released & {name for resource in turned for name in seen.owners_of(resource)}
    assert bool(blamed.services) != bool(blamed.instead)
    assert not (blamed.services and outage(seen))


@pytest.mark.parametrize(
    ("cause", "released", "command"),
    [
        ("Deployment/api Degraded", ("api",), "orbit-release rollback api"),
        ("Deployment/api Degraded", ("api", "web"), "orbit-release rollback api"),
        ("Deployment/both Degraded", ("api", "web"), "orbit-release rollback api && orbit-release rollback web"),
        ("Deployment/web Degraded", ("api",), ""),
        ("StatefulSet/db Degraded", ("api",), ""),
        ("Job/hook", ("api",), "orbit-release rollback api"),
        ("Deployment/web", ("api",), ""),
        (None, ("api",), "orbit-release rollback api"),
        (None, ("api", "web"), "orbit-release rollback api && orbit-release rollback web"),
        (None, (), ""),
    ],
)
def test_the_command_takes_back_what_is_to_blame(cause: str | None, released: tuple[str, ...], command: str) -> None:
    assert rollback_command(failed(cause), look(released=released)) == command


def test_a_sync_that_fails_on_what_is_ill_blames_no_release() -> None:
    assert rollback_command(failed("StatefulSet/db"), look("StatefulSet/db Degraded")) == ""
    assert rollback_command(failed("StatefulSet/db"), look("StatefulSet/cache Degraded")) != ""


def test_an_application_that_is_being_deleted_is_no_releases_fault() -> None:
    seen = look()
    deleted = replace(seen, observation=replace(seen.observation, is_deleted=True))
    assert rollback_command(failed(None), deleted) == ""
