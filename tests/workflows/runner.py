"""Plays the jobs of a workflow as GitHub does, on this machine: conditions, matrices, steps, outputs, re-runs.

The workflow is the real file and its expressions are evaluated by GitHub's own code. A key that the player would
not honour is an error, so that a workflow cannot come to use what the tests pass over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from threading import Lock
from typing import Any, Self
from uuid import uuid4

from tests.workflows.actions import play_action
from tests.workflows.expressions import ROOT, Status, condition, interpolate
from tests.workflows.lint import load
from tests.workflows.machine import Machine, Site, StepFailedError

Node = Mapping[str, Any]
WORKFLOW = ROOT / ".github" / "workflows" / "build-and-push.yml"
ACTOR = "ada"
_KNOWN = {
    "workflow": {"name", "on", "permissions", "jobs"},
    "job": {
        *("name", "needs", "if", "runs-on", "timeout-minutes", "permissions", "environment"),
        *("outputs", "concurrency", "strategy", "env", "steps"),
    },
    "concurrency": {"group", "queue"},
    "strategy": {"fail-fast", "matrix"},
    "matrix": {"include"},
    "step": {"name", "id", "if", "env", "run", "shell", "uses", "with", "continue-on-error"},
    "events": {"push", "workflow_dispatch"},
}
_EVALUATOR = Lock()  # it is one process, and jobs may run at the same time


def known(kind: str, node: Node) -> Node:
    """Return a node whose keys are all honoured; ValueError for another one."""
    if unknown := node.keys() - _KNOWN[kind]:
        raise ValueError(f"{kind}: {', '.join(sorted(map(str, unknown)))} is not played")
    return node


def value_of(scalar: Any, contexts: Node) -> Any:
    with _EVALUATOR:
        return interpolate(scalar, contexts)


def text_of(scalar: Any, contexts: Node) -> str:
    """Return a scalar as an environment variable or an input gets it."""
    value = value_of(scalar, contexts)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def texts_of(node: Node | None, contexts: Node) -> dict[str, str]:
    return {name: text_of(scalar, contexts) for name, scalar in (node or {}).items()}


def holds(text: str | bool | None, contexts: Node, status: Status) -> bool:  # noqa: FBT001 - YAML reads `if: true` so
    with _EVALUATOR:
        return condition(text, contexts, status)


@dataclass
class Steps:
    """The steps of a job, or of a composite action, one after the other on one machine."""

    machine: Machine
    contexts: Node
    results: dict[str, Node] = field(default_factory=dict)  # the context `steps`
    outcomes: dict[str, str] = field(default_factory=dict)  # by the name of the step
    failed: bool = False

    def play(self, steps: list[Node]) -> Self:
        for number, step in enumerate(steps):
            self._step(known("step", step), step.get("name") or step.get("id") or str(number))
        return self

    def _step(self, step: Node, name: str) -> None:
        outcome, outputs = "skipped", dict[str, str]()
        if holds(step.get("if"), self._now, Status.of_step(failed=self.failed)):
            self.machine.say(f"##[group]{name}")
            went_well, outputs = self._run(step)
            outcome = "success" if went_well else "failure"
        lenient = value_of(step.get("continue-on-error", False), self._now)
        conclusion = "success" if outcome == "failure" and lenient else outcome
        self.failed = self.failed or conclusion == "failure"
        self.outcomes[name] = outcome
        if "id" in step:
            self.results[step["id"]] = {"outputs": outputs, "outcome": outcome, "conclusion": conclusion}

    @property
    def _now(self) -> dict[str, Any]:
        return {**self.contexts, "steps": self.results}

    def _run(self, step: Node) -> tuple[bool, dict[str, str]]:
        env, given = texts_of(step.get("env"), self._now), texts_of(step.get("with"), self._now)
        if "run" in step:
            return self.machine.script(text_of(step["run"], self._now), step.get("shell"), env)
        try:
            return True, play_action(self.machine, step["uses"], given)
        except StepFailedError as error:
            self.machine.say(str(error))
            return False, {}


@dataclass(frozen=True)
class Leg:
    """A job that is to run, or one of its matrix."""

    name: str
    group: str
    matrix: Node | None


@dataclass(frozen=True)
class Job:
    """What became of a job, or of one of its matrix."""

    name: str
    result: str
    group: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)  # outcomes by name
    annotations: tuple[str, ...] = ()
    summary: str = ""
    log: str = ""


@dataclass(frozen=True)
class Event:
    """What starts a run: a push, or by hand with inputs."""

    sha: str
    ref: str = "refs/heads/main"
    inputs: Node | None = None
    private: bool = False
    fork: bool = False

    @property
    def name(self) -> str:
        return "push" if self.inputs is None else "workflow_dispatch"


class Run:
    """A run of the workflow; `folder` takes its machines."""

    def __init__(self, site: Site, folder: Path, event: Event, attempt: int = 1, path: Path = WORKFLOW) -> None:
        self.site, self.folder, self.event, self.attempt, self.path = site, folder, event, attempt, path
        self.workflow = known("workflow", load(path))
        self.nodes: dict[str, Node] = {name: known("job", node) for name, node in self.workflow["jobs"].items()}
        self.jobs: dict[str, list[Job]] = {}
        self.kept: dict[str, dict[str, Job]] = {}  # what need not run again, by id and name
        self.cancelled = False
        self.inputs = self._inputs(known("events", self.workflow["on"]))

    def _inputs(self, events: Node) -> dict[str, Any]:
        """Return the context `inputs`; ValueError where the event starts no run."""
        if self.event.inputs is None:
            if self.event.ref.removeprefix("refs/heads/") not in events["push"]["branches"]:
                raise ValueError(f"a push to {self.event.ref} starts no run")
            return {}
        declared = events["workflow_dispatch"]["inputs"]
        if unknown := self.event.inputs.keys() - declared.keys():
            raise ValueError(f"workflow_dispatch has no inputs {sorted(unknown)}")
        return {name: self.event.inputs.get(name, one["default"]) for name, one in declared.items()}

    # Playing

    @property
    def order(self) -> list[str]:
        return list(TopologicalSorter({name: self.needs(name) for name in self.nodes}).static_order())

    def play(self, *, before: str = "") -> Self:
        """Run the jobs that have not run yet; with `before` up to that one, as if the run waited there."""
        for name in self.order:
            if name == before:
                break
            if name not in self.jobs:
                self.jobs[name] = self._play(name)
        return self

    def again(self, *, failed: bool = False) -> Run:
        """Return a new attempt of this run: of all its jobs, or of those that failed and what needs them."""
        run = Run(self.site, self.folder, self.event, self.attempt + 1, self.path)
        stale: set[str] = set()
        for name in self.order if failed else ():
            fine = {job.name: job for job in self.jobs[name] if job.result == "success"}
            if stale & self.ancestors(name):
                fine = {}
            if len(fine) < len(self.jobs[name]):
                stale.add(name)
            run.kept[name] = fine
        return run

    def _play(self, name: str) -> list[Job]:
        kept = self.kept.get(name, {})
        legs = self.legs(name)
        ended = "cancelled" if self.cancelled else "skipped"
        return [kept.get(leg.name) or self._job(name, leg) for leg in legs] or [Job(self.nodes[name]["name"], ended)]

    def _job(self, name: str, leg: Leg) -> Job:
        folder = re.sub(r"\W+", "-", leg.name)
        machine = Machine(self.folder / f"{folder}-{uuid4().hex}", self.github, self.site)
        job = {"status": "success"}
        contexts = {**self._contexts(name), "matrix": leg.matrix, "runner": machine.runner, "job": job}
        machine.variables |= texts_of(self.nodes[name].get("env"), contexts)
        steps = Steps(machine, contexts).play(self.nodes[name]["steps"])
        outputs = texts_of(self.nodes[name].get("outputs"), {**contexts, "steps": steps.results})
        secrets = {self.site.token, *self.site.secrets.values()}
        dropped = [name for name, text in outputs.items() if any(secret in text for secret in secrets)]
        assert dropped == [], "GitHub drops outputs that hold a secret"
        result = "failure" if steps.failed else "success"
        told = (tuple(machine.annotations), machine.summary, machine.log)
        return Job(leg.name, result, leg.group, outputs, steps.outcomes, *told)

    # Deciding

    def needs(self, name: str) -> list[str]:
        needs = self.nodes[name].get("needs", [])
        return [needs] if isinstance(needs, str) else needs

    def ancestors(self, name: str) -> set[str]:
        return set(self.needs(name)).union(*(self.ancestors(one) for one in self.needs(name)))

    def result_of(self, name: str) -> str:
        """Return a job's result, of a matrix the worst one."""
        results = [job.result for job in self.jobs[name]]
        return next(one for one in ("failure", "cancelled", "skipped", "success") if one in results)

    def legs(self, name: str) -> list[Leg]:
        """Return the jobs that start once those before them have ended; none where the condition does not hold."""
        status = Status.of_job([self.result_of(one) for one in self.ancestors(name)], cancelled=self.cancelled)
        contexts = self._contexts(name)
        if not holds(self.nodes[name].get("if"), contexts, status):
            return []
        return [self._leg(self.nodes[name], {**contexts, "matrix": one}) for one in self._matrix(name, contexts)]

    def _matrix(self, name: str, contexts: Node) -> list[Node | None]:
        strategy = known("strategy", self.nodes[name].get("strategy", {}))
        if not strategy:
            return [None]
        if strategy.get("fail-fast", True):
            raise ValueError("fail-fast is not played")
        found = known("matrix", value_of(strategy["matrix"], contexts))["include"]
        if not found:
            raise ValueError(f"GitHub refuses the empty matrix of {name}")
        return list(found)

    def _leg(self, node: Node, contexts: Node) -> Leg:
        concurrency = known("concurrency", node.get("concurrency", {}))
        return Leg(text_of(node["name"], contexts), text_of(concurrency.get("group"), contexts), contexts["matrix"])

    def _contexts(self, name: str) -> dict[str, Any]:
        outputs = {one: self.jobs[one][-1].outputs for one in self.needs(name)}
        needs = {one: {"result": self.result_of(one), "outputs": found} for one, found in outputs.items()}
        own = {"vars": self.site.variables, "secrets": self.site.secrets}
        return {"github": self.github, "inputs": self.inputs, "needs": needs, **own}

    @property
    def github(self) -> dict[str, Any]:
        """Return the context of that name."""
        event, site = self.event, self.site
        about = {"sha": event.sha, "ref": event.ref, "ref_name": event.ref.removeprefix("refs/heads/")}
        where = {"repository": site.repository, "server_url": site.server, "api_url": site.api}
        run = {"run_id": f"1{int(event.sha[:7], 16)}", "run_attempt": str(self.attempt), "token": site.token}
        payload = {
            "repository": {"private": event.private, "fork": event.fork, "full_name": site.repository},
            "inputs": event.inputs,
        }
        more = {"event_name": event.name, "event": payload, "actor": ACTOR, "workflow": self.workflow["name"]}
        return {**about, **where, **run, **more}

    # What it came to

    @property
    def result(self) -> str:
        results = {job.result for job in self.all}
        return next((one for one in ("failure", "cancelled") if one in results), "success")

    @property
    def all(self) -> list[Job]:
        return [job for jobs in self.jobs.values() for job in jobs]

    @property
    def started(self) -> list[str]:
        return [job.name for job in self.all if job.result not in {"skipped", "cancelled"}]

    @property
    def annotations(self) -> list[str]:
        return [text for job in self.all for text in job.annotations]

    def __getitem__(self, name: str) -> Job:
        """Return a job by the name that the page of the run shows."""
        return next(job for job in self.all if job.name == name)

    def told(self) -> Iterator[str]:
        """Yield the logs, for the message of a test that fails."""
        yield from (f"=== {job.name}: {job.result}\n{job.log}" for job in self.all)
