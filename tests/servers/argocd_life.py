"""An application of Argo CD that lives through a script, one stage each time somebody looks at it.

What it answers is held to Argo CD's own description (`argocd.swagger.json`), and so is what it is asked.
"""

from __future__ import annotations

import json
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft4Validator

from tests.servers.argocd import API, ArgoCDServer, Reply, application

START = 1_800_000_000  # seconds since 1970: when the lives begin
_WORST_FIRST = ("Degraded", "Progressing", "Suspended")


def at(second: int) -> str:
    """Return a moment of a life, so many seconds after its begin, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + second))


@dataclass(frozen=True)
class Stage:
    """How the application is: compared with `revision`, synced by an operation at `operated`.

    Times are seconds since the life's begin; `health` goes by resource, as `Kind/name: (status, message)`, and
    `drifted` names those that are OutOfSync, `hooks` those that are hooks, `ignored` those whose health does not
    count. With `bare` no resource has a health, and that is the application's. `listed`: its one source is in a list.
    """

    revision: str = ""
    operated: str = ""
    images: tuple[str, ...] = ()
    sync: str = "Synced"
    phase: str = "Succeeded"
    message: str = "successfully synced (all tasks run)"
    retries: int = 0
    requested: bool = False
    reconciled: int = 30
    began: int = 10
    ended: int | None = 20
    since: int = 0
    health: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    results: tuple[Mapping[str, str], ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    sources: int = 1
    drifted: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    bare: str = ""
    listed: bool = False
    dry_run: bool = False
    namespace: str = "orbit"
    history: tuple[str, ...] = ()
    ran: bool = False

    def document(self, name: str) -> dict[str, Any]:
        document = application(name)
        if self.sources > 1:
            chart = {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1.2.3"}
            document["spec"]["sources"] = [chart, document["spec"].pop("source")]
        if self.listed:
            document["spec"]["sources"] = [document["spec"].pop("source")]
        if self.requested:
            document["operation"] = {"sync": {"revision": self.revision}, "initiatedBy": {"automated": True}}
        return {**document, "status": self._status()}

    def _status(self) -> dict[str, Any]:
        worst = next((health for health in _WORST_FIRST if health in self._healths()), "Healthy")
        status: dict[str, Any] = {
            "sync": {"status": self.sync, **self._named(self.revision)},
            "health": {"status": self.bare or worst, "lastTransitionTime": at(self.since)},
            "reconciledAt": at(self.reconciled),
            "resources": [self._resource(*pair) for pair in self.health.items()],
            "summary": {"images": list(self.images)},
            "history": [
                {"id": place, "revision": revision, "deployedAt": at(place)}
                for place, revision in enumerate(self.history)
            ],
            "sourceType": "Kustomize",
        }
        if self.operated or self.ran:
            status["operationState"] = self._operation()
        if self.errors:
            status["conditions"] = [
                {"type": kind, "message": said, "lastTransitionTime": at(self.reconciled)}
                for kind, said in self.errors.items()
            ]
        return status

    def _healths(self) -> set[str]:
        return {status for name, (status, _) in self.health.items() if name not in (*self.hooks, *self.ignored)}

    def _named(self, revision: str) -> dict[str, Any]:
        if self.sources > 1:
            return {"revisions": ["1.2.3", revision]}
        return {"revisions": [revision]} if self.listed else {"revision": revision} if revision else {}

    def _resource(self, name: str, health: tuple[str, str]) -> dict[str, Any]:
        kind, _, own = name.partition("/")
        resource: dict[str, Any] = {"group": "apps", "kind": kind, "name": own, "namespace": self.namespace}
        sync = {"hook": True} if name in self.hooks else {"status": "OutOfSync" if name in self.drifted else "Synced"}
        shown = {"status": health[0], **({"message": health[1]} if health[1] else {})}
        return {**resource, **sync, **({} if self.bare else {"health": shown})}

    def _operation(self) -> dict[str, Any]:
        ended = {} if self.ended is None else {"finishedAt": at(self.ended)}
        return {
            "operation": {
                "sync": {**self._named(self.operated), **({"dryRun": True} if self.dry_run else {})},
                "retry": {"limit": 5},
            },
            "phase": self.phase,
            "message": self.message,
            "startedAt": at(self.began),
            "retryCount": self.retries,
            "syncResult": {
                **self._named(self.operated),
                "source": {"repoURL": "https://github.com/octo/orbit"},
                "resources": [dict(result) for result in self.results],
            },
            **ended,
        }


class Cut:
    """The connection is cut: the server restarts."""


class Hang:
    """No answer, as long as the server lives."""


Step = Stage | Reply | type[Cut] | type[Hang] | Callable[[], Stage | None]


class LivingServer(ArgoCDServer):
    """Serves one application; the last stage of its life lasts. A callable is called, and may return the stage."""

    def __init__(
        self,
        *life: Step,
        name: str = "orbit",
        now: Callable[[], float] = lambda: 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(application(name), tls=tls)
        self.name, self.life, self.now = name, deque(life), now
        self.namespace = "argocd"
        self.asked: list[float] = []  # when
        self.refreshes: list[bool] = []
        self.violations: list[str] = []

    def reply(self, target: str, headers: Mapping[str, str]) -> Reply:
        url = urlsplit(target)
        if url.path.startswith(API):
            self.asked.append(self.now())
            self.violations += undescribed(url.path, parse_qs(url.query))
        if url.path == f"{API}/{self.name}":
            self.refreshes.append(parse_qs(url.query).get("refresh") == ["normal"])
            step = self._step()
            if isinstance(step, Reply):
                return step
            if not isinstance(step, Stage):
                self._break(step)
            assert isinstance(step, Stage)
            self.applications[self.name] = step.document(self.name)
        for document in self.applications.values():
            document["metadata"]["namespace"] = self.namespace
        answer = super().reply(target, headers)
        self.violations += faults(url.path, answer) if url.path.startswith(API) else []
        return answer

    def _step(self) -> Step:
        step = self.life[0]
        while not isinstance(step, Stage | Reply | type):
            self.life.popleft()
            if stage := step():
                self.life.appendleft(stage)
            step = self.life[0]
        if len(self.life) > 1:
            self.life.popleft()
        return step

    def _break(self, step: object) -> None:
        if step is Hang:
            self.stopping.wait()
        raise ConnectionAbortedError


@cache
def description() -> dict[str, Any]:
    swagger: dict[str, Any] = json.loads((Path(__file__).parent / "argocd.swagger.json").read_bytes())
    return swagger


def _operation(path: str) -> dict[str, Any]:
    paths = description()["paths"]
    operation: dict[str, Any] = paths[API if path.rstrip("/") == API else f"{API}/{{name}}"]["get"]
    return operation


def undescribed(path: str, query: Mapping[str, Any]) -> list[str]:
    """Return the parameters that Argo CD does not know; `fields`, of the list, is read before the gateway."""
    known = {parameter["name"] for parameter in _operation(path)["parameters"]} | ({"fields"} if path == API else set())
    return [f"{path} has no parameter {name}" for name in query if name not in known]


def faults(path: str, answer: Reply) -> list[str]:
    """Return what an answer has that Argo CD's would not."""
    responses = _operation(path)["responses"]
    schema = responses.get(str(answer.status), responses["default"])["schema"]
    definitions = {name: _closed(definition) for name, definition in description()["definitions"].items()}
    validator = Draft4Validator({**schema, "definitions": definitions})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(answer.body))]


def _closed(definition: dict[str, Any]) -> dict[str, Any]:
    return {**definition, "additionalProperties": False} if "properties" in definition else definition
