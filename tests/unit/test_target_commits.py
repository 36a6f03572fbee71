from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from orbit_release.git.graph import ChangedFile
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.planning.actions import Action, ServicePlan
from orbit_release.planning.target_commits import ServicesAtHead, Settings, clash_of, compare, find_targets
from orbit_release.service import BuildSettings, Service

API, WEB = (
    Service(name, Repository(f"ghcr.io/acme/{name}"), Globs((f"{name}/**",)), BuildSettings(".", f"{name}/Dockerfile"))
    for name in ("api", "web")
)
NOW = {service.name: service.settings for service in (API, WEB)}
OLD = NOW | {"api": replace(API.settings, platforms=("linux/arm64",))}
CONFIG = "orbit-release.yaml"


def at_head(*present: Service) -> ServicesAtHead:
    return ServicesAtHead("c3", (API, WEB), present or (API, WEB), frozenset())


def changed(*paths: str) -> tuple[ChangedFile, ...]:
    return tuple(ChangedFile(path.encode(), "M") for path in paths)


def targets(*commits: tuple[str, tuple[ChangedFile, ...]], **settings: Settings) -> Mapping[str, str]:
    """Return the targets of both services; commits come newest first, and have the settings of today by default."""
    return find_targets(at_head(), (API, WEB), commits, lambda name: settings.get(name.replace("^", "_"), NOW), CONFIG)


def test_the_newest_commit_that_changed_an_input_is_the_target() -> None:
    log = (("c3", changed("README.md")), ("c2", changed("api/a")), ("c1", changed("api/a", "web/a")))
    assert targets(*log) == {"api": "c2", "web": "c1"}


def test_no_commit_is_read_once_every_service_has_its_target() -> None:
    def log() -> Iterator[tuple[str, tuple[ChangedFile, ...]]]:
        yield "c3", changed("api/a", "web/a")
        raise AssertionError

    assert find_targets(at_head(), (API, WEB), log(), lambda _: NOW, CONFIG) == {"api": "c3", "web": "c3"}
    assert find_targets(at_head(), (), log(), lambda _: NOW, CONFIG) == {}


def test_a_service_that_no_commit_changed_has_no_target() -> None:
    assert targets(("c3", changed("api/a"))) == {"api": "c3"}


def test_a_change_of_a_services_own_settings_counts() -> None:
    log = (("c3", changed("README.md")), ("c2", changed(CONFIG)), ("c1", changed("api/a", "web/a")))
    assert targets(*log, c2_=OLD) == {"api": "c2", "web": "c1"}


def test_settings_count_from_the_first_version_of_the_configuration_that_is_valid() -> None:
    log = (("c3", changed(CONFIG)), ("c2", changed(CONFIG)), ("c1", changed("api/a", "web/a")))
    assert targets(*log, c3_=None, c2=None, c2_=OLD) == {"api": "c3", "web": "c1"}


def test_a_comparison_builds_what_has_other_inputs_or_settings() -> None:
    plans = compare(at_head(), changed("web/a"), OLD, NOW, "main~1")
    assert [(plan.action, plan.reason) for plan in plans] == [
        (Action.BUILD, "its build settings changed since main~1"),
        (Action.BUILD, "1 file changed since main~1: web/a"),
    ]
    plans = compare(at_head(WEB), changed("docs/a"), None, NOW, "v1")
    assert [(plan.service, plan.reason) for plan in plans] == [(WEB, "no input changed since v1")]


def test_a_plan_has_one_line_for_each_service_in_the_order_that_was_asked_for() -> None:
    current, build = (ServicePlan(WEB, action, "") for action in (Action.CURRENT, Action.BUILD))
    plan = at_head(WEB).plan([current, build])
    assert [(each.service, each.action) for each in plan.services] == [(API, Action.ABSENT), (WEB, Action.BUILD)]
    assert (plan.head, plan.base, plan.superseded) == ("c3", None, False)


def test_clashes_are_told_together() -> None:
    clashes = [ServicePlan(service, Action.HELD, f"{service.name} is another's", clash=True) for service in (API, WEB)]
    error = clash_of([*clashes, ServicePlan(API, Action.BUILD, "to be built")])
    assert error
    assert error.message == "api is another's\nweb is another's"
    assert clash_of([ServicePlan(API, Action.BUILD, "to be built")]) is None
