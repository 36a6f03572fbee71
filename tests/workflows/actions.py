"""The actions that the workflows use, played on this machine: what they do to folders, the engine and the registry.

An action that is not in the table, and an input that it does not expect, are errors: a workflow cannot come to use
what the tests pass over.
"""

from __future__ import annotations

import base64
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import docker.errors
import requests

from orbit_release.image import ImageReference
from tests.integration import warm
from tests.integration.monorepo import git
from tests.workflows.machine import Machine, StepFailedError

Given = Mapping[str, str]
Outputs = dict[str, str]
OWN = "$/.github/actions/orbit-release"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TITLE = "org.opencontainers.image.title"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, slots=True)
class Action:
    """What an action does, the inputs that it knows, and those that it must have."""

    play: Callable[[Machine, Given], Outputs]
    inputs: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()


def play_action(machine: Machine, uses: str, given: Given) -> Outputs:
    """Play `owner/name@commit`, or this repository's own action, and return its outputs."""
    action = ACTIONS[uses.partition("@")[0]]
    assert not (unknown := given.keys() - action.inputs), f"{uses} has no inputs {sorted(unknown)}"
    assert not (missing := action.required - given.keys()), f"{uses} needs {sorted(missing)}"
    return action.play(machine, given)


# actions/checkout


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A commit, the branch that it is to be the tip of (or ""), and how much of its history."""

    commit: str
    branch: str
    depth: int
    filters: tuple[str, ...]

    @classmethod
    def of(cls, machine: Machine, given: Given) -> _Wanted:
        ref = given.get("ref") or machine.github["ref"]
        is_commit = bool(_COMMIT.fullmatch(ref))
        assert is_commit or ref == machine.github["ref"], f"checkout of {ref} is not played"
        commit = ref if is_commit else machine.github["sha"]
        branch = "" if is_commit else ref.removeprefix("refs/heads/")
        filters = (f"--filter={given['filter']}",) if given.get("filter") else ()
        return cls(commit, branch, int(given.get("fetch-depth", "1")), filters)

    @property
    def limits(self) -> list[str]:
        return [f"--depth={self.depth}"] if self.depth else []

    @property
    def exact(self) -> str:
        return f"+{self.commit}:refs/remotes/origin/{self.branch}" if self.branch else self.commit

    @property
    def at(self) -> list[str]:
        return ["-B", self.branch, f"refs/remotes/origin/{self.branch}"] if self.branch else [self.commit]


def _checkout(machine: Machine, given: Given) -> Outputs:
    """Do what the action does, in its order."""
    folder = machine.workspace / given.get("path", ".")
    wanted = _Wanted.of(machine, given)

    def run(*arguments: str) -> None:
        machine.run(["git", *arguments], {"GIT_TERMINAL_PROMPT": "0"}, folder)

    folder.mkdir(exist_ok=True)
    run("init", "-q", "-b", "main", ".")
    run("remote", "add", "origin", machine.site.remote)
    key = f"http.{machine.site.server}/.extraheader"
    secret = base64.b64encode(f"x-access-token:{machine.site.token}".encode()).decode()
    # The token stands in a file of the runner's, which the clone includes: partial clones read it long after.
    credentials = machine.temp / f"git-credentials-{uuid4()}.config"
    run("config", "--file", str(credentials), key, f"AUTHORIZATION: Basic {secret}")
    included = f"includeIf.gitdir:{folder.resolve() / '.git'}.path"
    run("config", "--local", included, str(credentials))
    options = ["--no-tags", "--prune", "--no-recurse-submodules", *wanted.filters]
    if not wanted.depth:
        run("fetch", "-q", *options, "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    if wanted.depth or _tip(folder, wanted.branch) != wanted.commit:  # the branch has moved on since the event
        run("fetch", "-q", *options, *wanted.limits, "origin", wanted.exact)
    run("-c", "advice.detachedHead=false", "checkout", "-q", "--force", *wanted.at)
    if given.get("persist-credentials", "true") == "false":
        run("config", "--local", "--unset-all", included)
        credentials.unlink()
    return {"ref": wanted.branch and machine.github["ref"], "commit": wanted.commit}


def _tip(folder: Path, branch: str) -> str:
    return git(folder, "for-each-ref", "--format=%(objectname)", f"refs/remotes/origin/{branch}") if branch else ""


# docker/*


def _login(machine: Machine, given: Given) -> Outputs:
    assert given["username"]
    assert given["password"] == machine.site.token
    machine.logins.append(given["registry"])
    machine.site.logins.append(given["registry"])
    return {}


def _buildx(machine: Machine, _: Given) -> Outputs:
    machine.has_buildx = True
    return {}


def _build_push(machine: Machine, given: Given) -> Outputs:
    """Build with the engine's own builder, which every engine has; what is pushed is pushed under each tag."""
    labels = _assignments(given["labels"])
    assert given["provenance"] == "false"
    cache = {name: given[name] for name in ("cache-from", "cache-to") if name in given}
    assert all(f"type=gha,scope={labels[_TITLE]}," in f"{value}," for value in cache.values()), cache
    assert machine.has_buildx, "the engine's own builder has no cache of GitHub's"
    tags = [ImageReference.parse(tag) for tag in given.get("tags", "").splitlines()]
    is_pushed = given.get("push") == "true"
    assert is_pushed == bool(tags) == (given.get("outputs") != "type=cacheonly")
    assert not is_pushed or machine.logins, "denied: log in first"
    assert is_pushed or ("mode=max" in cache["cache-to"] and "ignore-error=true" in cache["cache-to"]), cache
    assert is_pushed or cache["cache-from"]
    assert machine.variables["DOCKER_BUILD_RECORD_UPLOAD"] == "false"
    with closing(docker.APIClient(base_url=os.environ["DOCKER_HOST"])) as client:
        try:
            image = _built(machine, client, given, labels)
            return {"imageid": image} | (_pushed(machine, client, image, tags, labels[_TITLE]) if is_pushed else {})
        except docker.errors.DockerException as error:
            raise StepFailedError(f"ERROR: {error}") from error


def _built(machine: Machine, client: docker.APIClient, given: Given, labels: Given) -> str:
    context, dockerfile = machine.workspace / given["context"], machine.workspace / given["file"]
    if not dockerfile.is_file():
        raise StepFailedError(f"ERROR: failed to read dockerfile: open {given['file']}: no such file or directory")
    records = client.build(
        path=str(context.resolve()),
        dockerfile=str(dockerfile.resolve()),
        labels=dict(labels),
        buildargs=_assignments(given.get("build-args", "")),
        platform=given.get("platforms") or None,
        rm=True,
        forcerm=True,
        decode=True,
    )
    return str([found["ID"] for found in _told(machine, records) if "ID" in found][-1])


def _pushed(
    machine: Machine, client: docker.APIClient, image: str, tags: Iterable[ImageReference], title: str
) -> Outputs:
    digests = set()
    for reference in tags:
        if broken := {title, f"{title}:{reference.tag}"} & {*machine.site.broken_pushes}:
            machine.site.broken_pushes.remove(broken.pop())
            raise StepFailedError(f"ERROR: failed to push {reference}: unexpected status: 503 Service Unavailable")
        repository, tag = str(reference.repository), str(reference.tag)
        client.tag(image, repository, tag)
        found = _told(machine, client.push(repository, tag, stream=True, decode=True))
        digests |= {one["Digest"] for one in found if "Digest" in one}
    (digest,) = digests
    return {"digest": digest}


def _told(machine: Machine, records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Read an answer of the engine to its end; return what it says for programs."""
    found: list[Mapping[str, Any]] = []
    for record in records:
        if "error" in record:
            raise StepFailedError(f"ERROR: {record['error']}")
        machine.say(str(record.get("stream") or record.get("status") or ""))
        found += [record["aux"]] if "aux" in record else []
    return found


def _assignments(lines: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines.splitlines())


# actions/attest


def _attest(machine: Machine, given: Given) -> Outputs:
    """Attest what the registry has: the name is without a tag, and the digest is served there."""
    name, digest = given["subject-name"], given["subject-digest"]
    assert given["push-to-registry"] == "true"
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise StepFailedError(f"Error: subject-digest {digest!r} is no digest")
    host, _, path = name.partition("/")
    address = f"http://{host}/v2/{path}/manifests/{digest}"
    with requests.head(address, headers={"Accept": _MANIFEST}, timeout=600) as answer:
        assert answer.status_code == requests.codes.ok, f"{name} has no {digest}"
    if name in machine.site.broken_attestations:
        machine.site.broken_attestations.remove(name)
        raise StepFailedError("Error: Failed to persist attestation: 503")
    machine.site.attested.append((name, digest))
    return {}


# What installs


def _install(machine: Machine, _: Given) -> Outputs:
    machine.install("orbit-release", warm.program())
    return {}


def _python(_: Machine, given: Given) -> Outputs:
    assert given["update-environment"] == "false"
    return {"python-path": str(Path(sys.executable)), "python-version": platform.python_version()}


def _cache(_: Machine, given: Given) -> Outputs:
    """Miss: the key is told so that a test can compare two of them."""
    return {"cache-hit": "false", "cache-primary-key": given["key"]}


def _nothing(_: Machine, __: Given) -> Outputs:
    return {}


_CHECKOUT = frozenset({"ref", "path", "fetch-depth", "filter", "persist-credentials"})
_BUILD = frozenset({"context", "file", "platforms", "build-args", "labels", "provenance"})
_BUILD_MORE = frozenset({"push", "tags", "outputs", "cache-from", "cache-to"})
_ATTEST = frozenset({"subject-name", "subject-digest", "push-to-registry", "create-storage-record"})
_LOGIN = frozenset({"registry", "username", "password"})

ACTIONS = {
    OWN: Action(_install),
    "actions/checkout": Action(_checkout, _CHECKOUT),
    "docker/setup-qemu-action": Action(_nothing),
    "docker/setup-buildx-action": Action(_buildx),
    "docker/login-action": Action(_login, _LOGIN, _LOGIN),
    "docker/build-push-action": Action(_build_push, _BUILD | _BUILD_MORE, _BUILD),
    "actions/attest": Action(_attest, _ATTEST, _ATTEST),
    "actions/setup-python": Action(_python, frozenset({"python-version", "update-environment"})),
    "actions/cache": Action(_cache, frozenset({"path", "key"}), frozenset({"path", "key"})),
}
