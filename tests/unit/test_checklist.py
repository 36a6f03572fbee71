"""The judgements of doctor: access, certificates, keys, pulls, and Argo CD's applications."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orbit_release.argocd.application import (
    Application,
    ApplicationSource,
    only_application,
    position,
    same_repository,
)
from orbit_release.argocd.connection import Connection, option, secrets
from orbit_release.doctor.checklist import ChecklistLine, LineState
from orbit_release.doctor.judgements import (
    Certificate,
    RegistryAnswer,
    branch_line,
    certificate_line,
    directory_lines,
    images_line,
    keys_line,
    publish_line,
    pull_line,
    source_line,
    sync_line,
)
from orbit_release.errors import UsageError
from orbit_release.github.push_rights import BranchRule, PushRights
from orbit_release.image import ImageReference

OK, FAILED, UNCHECKED = LineState.OK, LineState.FAILED, LineState.UNCHECKED
DAY = 24 * 60 * 60
ACCESS = PushRights(
    can_push=True, is_archived=False, is_private=False, scopes=None, is_protected=False, checks=(), rules=()
)
OURS = ApplicationSource("https://github.com/octo/orbit", "deploy", "main")
APPLICATION: dict[str, Any] = {
    "metadata": {"name": "orbit"},
    "spec": {"source": {"repoURL": OURS.repository, "path": "deploy", "targetRevision": "main"}},
}


def rules(*kinds: str, bypass: str | None = "never") -> tuple[BranchRule, ...]:
    return tuple(BranchRule(kind, bypass) for kind in kinds)


@pytest.mark.parametrize(
    ("changes", "state", "what"),
    [
        ({}, OK, "this token may put commits on main"),
        ({"is_archived": True}, FAILED, "archived"),
        ({"can_push": False}, FAILED, "and not write to it"),
        ({"scopes": ("read:packages",)}, FAILED, "lacks the scope repo"),
        ({"scopes": ()}, FAILED, "lacks the scope repo"),
        ({"scopes": ("repo",)}, OK, ""),
        ({"scopes": ("public_repo",)}, OK, ""),
        ({"scopes": ("public_repo",), "is_private": True}, FAILED, "lacks the scope repo"),
        ({"rules": rules("pull_request")}, FAILED, "ask for pull requests"),
        ({"rules": rules("required_status_checks", "pull_request")}, FAILED, "ask for status checks, pull requests"),
        ({"rules": rules("update")}, FAILED, "restricted updates"),
        ({"rules": rules("pull_request", bypass="pull_requests_only")}, FAILED, "ask for pull requests"),
        ({"rules": rules("pull_request", bypass="always")}, OK, ""),
        ({"rules": rules("pull_request", bypass="exempt")}, OK, ""),
        ({"rules": rules("pull_request", bypass=None)}, UNCHECKED, "GitHub does not say"),
        ({"rules": rules("deletion", "non_fast_forward", "required_signatures")}, OK, ""),
        ({"rules": rules("pull_request", bypass="always") + rules("merge_queue")}, FAILED, "a merge queue"),
        ({"is_protected": True}, UNCHECKED, "only administrators can read"),
        ({"is_protected": True, "checks": ("test",)}, FAILED, "asks for the checks test"),
        ({"is_protected": True, "rules": rules("pull_request", bypass="always")}, UNCHECKED, "only administrators"),
        ({"can_push": None}, UNCHECKED, "does not tell an App's token"),
        ({"can_push": None, "rules": rules("pull_request")}, FAILED, "ask for pull requests"),
        ({"rules": rules("commit_message_pattern")}, UNCHECKED, "have a commit message pattern"),
        ({"rules": rules("commit_message_pattern", bypass="always")}, OK, ""),
        ({"rules": rules("required_signatures")}, OK, "if they are signed"),
    ],
)
def test_whether_a_token_may_publish(changes: dict[str, Any], state: LineState, what: str) -> None:
    line = publish_line("main", replace(ACCESS, **changes))
    assert (line.state, what in line.what) == (state, True), line
    assert bool(line.fix) == (state is not OK)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "main is not protected"),
        ({"is_protected": True}, "main is protected: a classic rule"),
        ({"is_protected": True, "checks": ("test",)}, "main is protected: the checks test, a classic rule"),
        ({"rules": rules("pull_request", "non_fast_forward")}, "main is protected: pull requests, non fast forward"),
    ],
)
def test_how_a_branch_is_protected(changes: dict[str, Any], what: str) -> None:
    line = branch_line("main", replace(ACCESS, **changes))
    assert (line.state, what in line.what) == (OK, True), line


@pytest.mark.parametrize(
    ("names", "host", "state"),
    [
        (("orbit.example.com",), "orbit.example.com", OK),
        (("*.example.com",), "orbit.example.com", OK),
        (("*.EXAMPLE.com",), "Orbit.example.com.", OK),
        (("*.example.com",), "temporal.orbit.example.com", FAILED),
        (("*.example.com",), "example.com", FAILED),
        (("example.com",), "orbit.example.com", FAILED),
        ((), "orbit.example.com", FAILED),
    ],
)
def test_whether_a_certificate_covers_a_host(names: tuple[str, ...], host: str, state: LineState) -> None:
    assert certificate_line(host, Certificate(names, 90 * DAY), now=0).state is state


@pytest.mark.parametrize(("days", "state"), [(90, OK), (14, OK), (13.99, FAILED), (0, FAILED), (-3, FAILED)])
def test_a_certificate_must_last_for_two_weeks(days: float, state: LineState) -> None:
    line = certificate_line("a.example.com", Certificate(("a.example.com",), 1000 + days * DAY), now=1000)
    assert (line.state, f" {int(days // 1)} days" in line.what) == (state, True)


def test_missing_keys_are_all_named() -> None:
    keys = [f"KEY_{number:02}" for number in range(10)]
    line = keys_line(keys, {"KEY_00", "OTHER"}, "store")
    assert (line.state, line.what.count("KEY_")) == (FAILED, 9)
    assert keys_line(keys, keys, "store").state is OK


def found(name: str, **facts: Any) -> RegistryAnswer:
    return RegistryAnswer(ImageReference.parse(name), **facts)


THERE = found("a:1", is_there=True, is_public=True)
PRIVATE = found("b:1", is_there=True)
DENIED = found("c:1", is_denied=True, error="denied", hint="docker login")
MISSING = found("d:1", is_public=True)
BROKEN = found("e:1", error="HTTP 500")


@pytest.mark.parametrize(
    ("images", "there", "pulled"),
    [
        ([THERE], OK, OK),
        ([THERE, PRIVATE], OK, FAILED),
        ([THERE, DENIED], UNCHECKED, FAILED),
        ([THERE, MISSING, DENIED], FAILED, FAILED),
        ([THERE, MISSING], FAILED, OK),
        ([THERE, BROKEN], FAILED, UNCHECKED),
    ],
)
def test_whether_images_are_there_and_may_be_pulled(
    images: list[RegistryAnswer], there: LineState, pulled: LineState
) -> None:
    assert (images_line(images).state, pull_line(images, {}).state) == (there, pulled)


def test_a_pull_secret_that_the_manifests_name_cannot_be_seen_from_here() -> None:
    line = pull_line([THERE, PRIVATE], {PRIVATE.image: ("ghcr-pull-secret",)})
    assert (line.state, "need the pull secret ghcr-pull-secret" in line.what) == (UNCHECKED, True)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("https://github.com/octo/orbit", True),
        ("https://github.com/octo/orbit.git", True),
        ("https://github.com/Octo/Orbit/", True),
        ("https://user:secret@github.com/octo/orbit.git", True),
        ("git@github.com:octo/orbit.git", True),
        ("ssh://git@github.com/octo/orbit", True),
        ("ssh://git@ssh.github.com:443/octo/orbit.git", True),
        ("https://github.com/octo/orbit-gitops", False),
        ("https://gitlab.com/octo/orbit", False),
        ("https://charts.example.com", False),
        ("", False),
        ("/srv/git/orbit", False),
    ],
)
def test_addresses_of_one_repository(address: str, same: bool) -> None:  # noqa: FBT001
    assert same_repository(address, OURS.repository) is same


def application(document: dict[str, Any]) -> Application:
    read = Application.read(document)
    assert read
    return read


def sourced(**source: str) -> Application:
    return application({**APPLICATION, "spec": {"source": {**APPLICATION["spec"]["source"], **source}}})


@pytest.mark.parametrize(
    ("source", "state", "what"),
    [
        ({}, OK, "orbit syncs deploy of this repository at main"),
        ({"path": "./deploy/"}, OK, ""),
        ({"path": "deploy/overlays/prod"}, OK, ""),
        ({"targetRevision": "refs/heads/main"}, OK, ""),
        ({"repoURL": "git@github.com:octo/orbit.git"}, OK, ""),
        ({"repoURL": "https://github.com/octo/other"}, FAILED, "syncs https://github.com/octo/other, not"),
        ({"repoURL": "https://u:hunter2@[x/"}, FAILED, "syncs another address, not"),
        ({"path": "deployment"}, FAILED, "syncs deployment, not deploy"),
        ({"path": "."}, FAILED, "not deploy"),
        ({"targetRevision": "v1"}, FAILED, "follows v1, not main"),
        ({"targetRevision": "HEAD"}, UNCHECKED, "default branch"),
        ({"targetRevision": ""}, UNCHECKED, "default branch"),
    ],
)
def test_whether_an_application_syncs_what_is_released(source: dict[str, str], state: LineState, what: str) -> None:
    line = source_line(sourced(**source), OURS)
    assert (line.state, what in line.what, "hunter2" in line.what) == (state, True, False), line


def test_one_of_several_sources_is_enough() -> None:
    sources = [{"repoURL": "https://charts.example.com", "chart": "x"}, APPLICATION["spec"]["source"]]
    document = {"metadata": {"name": "orbit"}, "spec": {"sources": sources}}
    assert source_line(application(document), OURS).state is OK


@pytest.mark.parametrize(
    ("policy", "annotations", "state"),
    [
        ({"automated": {}}, None, OK),
        ({"automated": {"prune": True, "selfHeal": True}}, {}, OK),
        ({"automated": {"enabled": False}}, None, FAILED),
        ({"automated": None}, None, FAILED),
        ({"syncOptions": []}, None, FAILED),
        (None, None, FAILED),
        ({"automated": {}}, {"argocd.argoproj.io/skip-reconcile": "true"}, FAILED),
        ({"automated": {}}, {"argocd.argoproj.io/skip-reconcile": "false"}, OK),
    ],
)
def test_whether_a_release_is_synced_by_itself(policy: object, annotations: object, state: LineState) -> None:
    document = {"metadata": {"name": "orbit", "annotations": annotations}, "spec": {"syncPolicy": policy}}
    assert sync_line(application(document)).state is state


def test_the_application_is_found_by_what_it_syncs() -> None:
    ours, other = sourced(), sourced(repoURL="https://github.com/octo/other")
    assert only_application([other, ours, sourced(path="docs")], OURS) == ours
    assert only_application([other, sourced(path="docs")], OURS) == ()
    assert only_application([ours, other, ours], OURS) == ("orbit", "orbit")


def test_which_of_several_sources_is_ours() -> None:
    ours = {"repoURL": OURS.repository, "path": "deploy", "targetRevision": "main"}
    docs, other = {**ours, "path": "docs"}, {**ours, "repoURL": "https://github.com/octo/other"}
    for sources, place in (([ours], None), ([other, docs, ours], 2), ([other, docs], 1), ([other, other], 0)):
        document = {**APPLICATION, "spec": {**APPLICATION["spec"], "sources": sources}}
        assert position(application(document), OURS) == place
    assert application({**APPLICATION, "spec": {**APPLICATION["spec"], "sources": 1}}).sources


@pytest.mark.parametrize("document", [None, [], {}, {"metadata": {"name": 1}, "spec": {}}, {"metadata": {"name": "a"}}])
def test_what_is_no_application(document: object) -> None:
    assert Application.read(document) is None


@pytest.mark.parametrize(
    ("server", "options", "connection"),
    [
        ("argocd.example.com", "", Connection("https://argocd.example.com")),
        ("https://argocd.example.com/", "", Connection("https://argocd.example.com")),
        ("argocd.example.com:8443", "--grpc-web", Connection("https://argocd.example.com:8443")),
        ("[::1]:80", "--plaintext", Connection("http://[::1]:80")),
        ("a", "--plaintext=false --insecure", Connection("https://a", verify=False)),
        ("a", "--grpc-web-root-path /argo/ --insecure=true", Connection("https://a/argo", verify=False)),
        ("a", "--server-crt=/ca.pem", Connection("https://a", server_certificate="/ca.pem")),
        ("a", "--header 'X-A: b c' -H Y:1,Z:2", Connection("https://a", (("X-A", "b c"), ("Y", "1"), ("Z", "2")))),
        ("a", "--loglevel debug --http-retry-max=3", Connection("https://a")),
        ("a", "--core --plaintext --insecure false", Connection("http://a")),
        ("a", """--header '"X-A: b, c",Y: d'""", Connection("https://a", (("X-A", "b, c"), ("Y", "d")))),
    ],
)
def test_the_options_of_the_argocd_program(server: str, options: str, connection: Connection) -> None:
    assert Connection.parse(server, options) == connection


@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("http://a", ""),
        ("a/b", ""),
        ("user:secret@a", ""),
        ("a", "--header 'no colon secret'"),
        ("a", "--header 'X: a\r\nY: secret'"),
        ("a", "--header 'open secret"),
        ("a", "--header 'X: secret\u2026'"),
        ("a", """--header '"X: secret"\nY'"""),
    ],
)
def test_options_that_cannot_be_meant_are_refused_without_their_secrets(server: str, options: str) -> None:
    with pytest.raises(UsageError) as refused:
        Connection.parse(server, options)
    assert "secret" not in str(refused.value)


def test_the_secrets_among_the_options() -> None:
    options = "--auth-token tok --header 'CF-Access-Client-Secret: hush' --insecure"
    assert list(secrets(options)) == ["tok", "hush"]
    assert (option(options, "auth-token"), option(options, "server")) == ("tok", "")
    assert "hush" not in repr(Connection.parse("a", options))
    assert list(secrets("--header 'open")) == []


def test_directories_are_told_with_the_command_that_checks_them() -> None:
    (line,) = directory_lines({"nfs.example.com": ("/srv/a", "/srv/b c")})
    assert line == ChecklistLine(
        "nfs",
        "nfs.example.com",
        UNCHECKED,
        "2 directories: cannot be seen from here",
        "ssh nfs.example.com ls -ldn /srv/a '/srv/b c'",
    )
