"""Rules about the workflows that call this tool: permissions, history, caches, and filters that hide a service.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from orbit_release.check.finding import Finding, Group, Note, Rule
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError
from orbit_release.manifests.nodes import Node, items, line, pairs, parse, text
from orbit_release.service import Service

FOLDER = ".github/workflows"
_ENDINGS = (".yaml", ".yml")
# At the start of a command, behind assignments and what only runs another one.
_CALL = re.compile(
    r"(?:^|[;&|(!{]|\b(?:then|do|else)\b)\s*(?:(?:[A-Za-z_]\w*=\S*|exec|env|time|sudo)\s+)*"
    r"(?:\S*/)?orbit-release(?P<options>[^\n;&|]*?)\s(?P<command>plan|build|bump|rollback)\b(?P<rest>[^\n;&|]*)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_OWN_TOKENS = ("github.token", "secrets.GITHUB_TOKEN")
_LEVELS = ("none", "read", "write")
_GITHUB_REGISTRY = "ghcr.io"

PERMISSIONS = Rule(
    "workflow-permissions",
    Group.WORKFLOW,
    "GITHUB_TOKEN may do only what the job's permissions grant: the step fails, after the images were built.",
)
HISTORY = Rule(
    "workflow-history",
    Group.WORKFLOW,
    "What changed since a deployed tag is read from the history, which a shallow checkout leaves out.",
)
CACHE = Rule("workflow-cache", Group.WORKFLOW, "Services that share the scope of a build cache overwrite each other's.")
FILTER = Rule(
    "workflow-filter", Group.WORKFLOW, "A push that only changes a file outside of the filter starts no run: it waits."
)

RULES = (PERMISSIONS, HISTORY, CACHE, FILTER)


@dataclass(frozen=True, slots=True)
class _Item:
    """A node of a workflow; keys and indices that are not there lead to an empty one."""

    node: Node | None
    line: int

    def get(self, *keys: str) -> _Item:
        item = self
        for key in keys:
            item = next((value for name, value in item.entries() if name == key), _Item(None, item.line))
        return item

    def entries(self) -> Iterator[tuple[str, _Item]]:
        return ((key.value, _Item(value, line(key))) for key, value in pairs(self.node))

    def items(self) -> list[_Item]:
        return [_Item(one, line(one)) for one in items(self.node)]

    @property
    def is_there(self) -> bool:
        return self.node is not None

    @property
    def text(self) -> str:
        return text(self.node)

    def texts(self) -> list[_Item]:
        return self.items() or ([self] if self.text else [])


@dataclass(frozen=True, slots=True)
class _Call:
    """A step that calls a command of the tool."""

    command: str
    words: str
    step: _Item
    job: _Item


def workflow_findings(
    services: Sequence[Service], tree: Tree, inputs: Callable[[Service], list[str]]
) -> Iterator[Finding | Note]:
    """Yield what is wrong with the workflows that call this tool; `inputs` lists a service's files."""
    called = False
    for path in tree.below(FOLDER):
        workflow = _read(tree, path) if path.endswith(_ENDINGS) else None
        if isinstance(workflow, Note):
            yield workflow
            continue
        calls = list(_calls(workflow)) if workflow else []
        if workflow and calls:
            called = True
            findings = (
                *_permissions(services, workflow, calls),
                *_pushes(services, workflow),
                *_history(calls),
                *_caches(workflow),
            )
            yield from (Finding(rule, path, line, *texts) for rule, line, *texts in findings)
            yield from (Finding(FILTER, path, line, *texts) for line, *texts in _filters(services, workflow, inputs))
    if not called:
        yield Note(Group.WORKFLOW, f"no workflow below {FOLDER} calls orbit-release: releases are made by hand")


def _read(tree: Tree, path: str) -> _Item | Note | None:
    data = tree.read(path)
    if b"orbit-release" not in data:
        return None
    try:
        documents = parse(data.decode(), path)
    except (InvalidError, UnicodeDecodeError):
        documents = None
    if documents is None or len(documents) > 1:
        return Note(Group.WORKFLOW, f"{path} is not YAML: GitHub says where, and what it does was not checked")
    return _Item(documents[0].root, 1) if documents else None


def _calls(workflow: _Item) -> Iterator[_Call]:
    for _, job in workflow.get("jobs").entries():
        for step in job.get("steps").items():
            for found in _CALL.finditer(_COMMENT.sub("", step.get("run").text.replace("\\\n", " "))):
                if not {"-h", "--help"} & set(found["rest"].split()):
                    yield _Call(found["command"], found["rest"], step, job)


_Found = tuple[Rule, int, str, str]
_Rules = Sequence[tuple[bool, re.Pattern[str]]]


def _permissions(services: Sequence[Service], workflow: _Item, calls: Sequence[_Call]) -> Iterator[_Found]:
    seen = set()
    for call in calls:
        granted = _permitted(workflow, call.job)
        for name, level in _needed(services, call):
            has = _granted(granted, name)
            if _LEVELS.index(has) < _LEVELS.index(level) and (id(call.job.node), name, level) not in seen:
                seen.add((id(call.job.node), name, level))
                line = granted.line if granted else call.step.line
                told = (
                    f"its job grants `{name}: {has}`"
                    if granted
                    else "neither its job nor the workflow names permissions"
                )
                message = f"`orbit-release {call.command}` needs `{name}: {level}`, and {told}"
                yield PERMISSIONS, line, message, f"write `{name}: {level}` below `permissions:` of the job."


def _pushes(services: Sequence[Service], workflow: _Item) -> Iterator[_Found]:
    """Yield the jobs that push an image to ghcr.io with a token that may not."""
    if not any(service.repository.host == _GITHUB_REGISTRY for service in services):
        return
    for _, job in workflow.get("jobs").entries():
        steps = [
            one for one in job.get("steps").items() if one.get("uses").text.startswith("docker/build-push-action@")
        ]
        granted = _permitted(workflow, job)
        pushing = [step for step in steps if step.get("with", "push").text == "true"]
        has = _granted(granted, "packages")
        if pushing and granted and has != "write":
            message = f"docker/build-push-action needs `packages: write`, and its job grants `packages: {has}`"
            yield PERMISSIONS, granted.line, message, "write `packages: write` below `permissions:` of the job."


def _needed(services: Sequence[Service], call: _Call) -> Iterator[tuple[str, str]]:
    token = _token(call)
    writes = call.command in {"bump", "rollback"} and "--dry-run" not in call.words
    if not token or any(own in token for own in _OWN_TOKENS):  # an App's token has permissions of its own
        yield "contents", "write" if writes else "read"
        if writes and "--pr" in call.words.split():
            yield "pull-requests", "write"
    asks = call.command != "plan" or "github" in call.words or "--registry" in call.words
    if asks and any(service.repository.host == _GITHUB_REGISTRY for service in services):
        pushes = call.command == "build" and "--no-push" not in call.words
        yield "packages", "write" if pushes else "read"


def _token(call: _Call) -> str:
    return call.step.get("env", "GITHUB_TOKEN").text or call.job.get("env", "GITHUB_TOKEN").text


def _permitted(workflow: _Item, job: _Item) -> _Item | None:
    """Return the permissions that hold in a job: its own, else the workflow's; None where nobody names any."""
    return next((one for one in (job.get("permissions"), workflow.get("permissions")) if one.is_there), None)


def _granted(permissions: _Item | None, name: str) -> str:
    if permissions is None:
        return "none"
    if permissions.text in {"read-all", "write-all"}:
        return permissions.text.removesuffix("-all")
    level = permissions.get(name).text
    return level if level in _LEVELS else "none"


def _history(calls: Sequence[_Call]) -> Iterator[_Found]:
    for job in {id(call.job.node): call.job for call in calls}.values():
        steps = job.get("steps").items()
        checkouts = [step for step in steps if step.get("uses").text.startswith("actions/checkout@")]
        if not any(step.get("with", "fetch-depth").text == "0" for step in checkouts):
            line = checkouts[0].line if checkouts else job.line
            message = "the checkout is shallow" if checkouts else "the job checks nothing out"
            fix = "give actions/checkout `fetch-depth: 0` and `filter: blob:none`: history without contents."
            yield HISTORY, line, message, fix


def _caches(workflow: _Item) -> Iterator[_Found]:
    for _, job in workflow.get("jobs").entries():
        for step in job.get("steps").items() if job.get("strategy", "matrix").is_there else ():
            for key in ("cache-from", "cache-to"):
                cache = step.get("with", key)
                if "type=gha" in cache.text and not re.search(r"\bscope=[^,\s]*\$\{\{[^}]*\bmatrix\.", cache.text):
                    fix = "add `scope=${{ matrix.cache_scope }}` to it."
                    yield CACHE, cache.line, f"all jobs of this matrix have one scope in `{key}`", fix


def _filters(
    services: Sequence[Service], workflow: _Item, inputs: Callable[[Service], list[str]]
) -> Iterator[tuple[int, str, str]]:
    push = workflow.get("on", "push")
    for key, hides in (("paths", False), ("paths-ignore", True)):
        globs = push.get(key).texts()
        rules = [(not one.text.startswith("!"), _glob(one.text.removeprefix("!"))) for one in globs]
        hidden = _hidden(services, rules, inputs, hides=hides) if rules else {}
        if hidden:
            name, path = next(iter(hidden.items()))
            more = f" and so are inputs of {', '.join([*hidden][1:])}" if len(hidden) > 1 else ""
            message = f"`{key}` hides a push that changes {path}, an input of {name}{more}"
            yield push.get(key).line, message, f"leave `{key}` out: the plan finds what a push changed by itself."


def _hidden(
    services: Sequence[Service], rules: _Rules, inputs: Callable[[Service], list[str]], *, hides: bool
) -> dict[str, str]:
    """Return, by service, the first of its inputs that a filter hides."""
    paths = {one.name: (path for path in inputs(one) if _matches(rules, path) == hides) for one in services}
    return {name: path for name, hidden in paths.items() for path in islice(hidden, 1)}


def _matches(rules: _Rules, path: str) -> bool:
    """Whether a filter's patterns match; the last one that matches decides."""
    return next((selects for selects, pattern in reversed(rules) if pattern.fullmatch(path)), False)


def _glob(text: str) -> re.Pattern[str]:
    """Translate a filter's pattern: `**` crosses slashes, `?` and `+` repeat what is before them."""
    parts = {"**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    found = re.findall(r"\*\*/?|\*|\?|\+|\[[^\]]+\]|\\.|.", text)
    translated = (
        parts.get(one) or ("(?:.*/)?" if one == "**/" else one if one[0] == "[" else re.escape(one[-1]))
        for one in found
    )
    try:
        return re.compile("".join(translated))
    except re.error:  # GitHub refuses the workflow
        return re.compile(re.escape(text))
