"""A monorepo that Argo CD syncs, and how the application is at its commits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.integration.monorepo import CONFIG, FOLDER, MANIFEST, Monorepo, git
from tests.servers.argocd_life import Stage

NOBODY = "127.0.0.1:9"  # the discard port: nothing answers
ILL = ("Degraded", 'Deployment "api" exceeded its progress deadline')
FAILED_HOOK = {
    "group": "batch", "version": "v1", "kind": "Job", "namespace": "orbit", "name": "migrate", "status": "Synced",
    "message": "Job has reached the specified backoff limit", "hookType": "PreSync", "hookPhase": "Failed",
    "syncPhase": "PreSync",
}  # fmt: skip
DENIED_RESOURCE = {
    "group": "", "version": "v1", "kind": "ConfigMap", "namespace": "orbit", "name": "settings",
    "status": "SyncFailed", "message": "admission webhook denied the request",
}  # fmt: skip

RUNNING: dict[str, Any] = {"phase": "Running", "ended": None, "message": "waiting for completion of hook"}
SEEN: dict[str, Any] = {"operated": "old", "sync": "OutOfSync"}  # compared with ours, and not synced yet

SERVICES = ("web", "api", "worker")

# Serves the life of an application, and returns the environment that leads there.
Serve = Callable[..., dict[str, Any]]


@dataclass
class World:
    """A monorepo, whose `ours` released api; `docs` came after it, then `web`, and `replaced` released api again."""

    repo: Monorepo
    commits: dict[str, str]

    @property
    def ours(self) -> str:
        return self.commits["ours"]

    def images(self, name: str) -> tuple[str, ...]:
        """Return what the manifests of a commit run."""
        texts = [git(self.repo.origin, "show", f"{self.commits[name]}:{FOLDER}/{service}.yaml") for service in SERVICES]
        return tuple(line.split()[1] for text in texts for line in text.splitlines() if "image: " in line)

    def at(self, name: str, **changes: Any) -> Stage:
        """Return an application that runs what a commit says, but for some changes."""
        commit = self.commits[name]
        healthy = {"Deployment/api": ("Healthy", ""), "StatefulSet/db": ("Healthy", "")}
        stage = Stage(commit, operated=commit, images=self.images(name), health=healthy)
        named = {key: self.commits.get(text, text) for key, text in changes.items() if key in ("revision", "operated")}
        return replace(stage, **{**changes, **named})

    def ill(self, name: str, **changes: Any) -> Stage:
        return self.at(name, **{"health": {"Deployment/api": ILL}, "since": 25, **changes})

    def unread(self, errors: dict[str, str], reconciled: int, revision: str = "") -> Stage:
        """Return an application whose manifests Argo CD cannot read: it names no revision, or from 3.2 on a branch."""
        return self.at("old", revision=revision, sync="Unknown", errors=errors, reconciled=reconciled)


def build(folder: Path, host: str = NOBODY) -> World:
    repo = Monorepo.create(folder, host)
    settings = CONFIG.format(host=host) + "argocd: {application: orbit, project: applications}\n"
    repo.push("argocd", {"orbit-release.yaml": settings})
    commits = {"old": repo.deploy(web="sha-0000001", api="sha-0000001", worker="sha-0000001")}
    repo.git("branch", "other")
    commits["ours"] = repo.deploy(api="sha-0000002")
    commits["docs"] = repo.push("docs", {"README.md": "read me"})
    commits["web"] = repo.deploy(web="sha-0000003")
    commits["replaced"] = repo.deploy(api="sha-0000003")
    repo.git("checkout", "-q", "other")
    commits["other"] = repo.commit("other", {f"{FOLDER}/api.yaml": MANIFEST.format(name="api", host=host, tag="v2")})
    repo.git("push", "-q", "origin", "other")
    repo.git("checkout", "-q", "main")
    return World(repo, commits)


def synced(world: World, **changes: Any) -> Stage:
    """Return the application that has synced the newest commit, whoever published it, but for some changes."""
    world.commits["released"] = git(world.repo.origin, "rev-parse", "main")
    return world.at("released", **changes)
