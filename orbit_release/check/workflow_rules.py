"""The rules of the group `workflow`: permissions, history, caches, and filters of the workflows that call this tool.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.finding import CheckRule, Finding, Group, Note
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

PERMISSIONS = Group.WORKFLOW.rule(
    "workflow-permissions",
    "GITHUB_TOKEN may do only what the job's permissions grant: the step fails, after the images were built.",
)
HISTORY = Group.WORKFLOW.rule(
    "workflow-history",
    "What changed since a deployed tag is read from the history, which a shallow checkout leaves out.",
)
CACHE = Group.WORKFLOW.rule("workflow-cache", "Services that share the scope of a build cache overwrite each other's.")
FILTER = Group.WORKFLOW.rule(
    "workflow-filter", "A push that only changes a file outside of the filter starts no run: it waits."
)

RULES = (PERMISSIONS, HISTORY, CACHE, FILTER)


@dataclass(frozen=True, slots=True)
class _Item:
    """A node of a workflow; keys that are not there lead to an item whose node is None."""

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
        return [_Item(item, line(item)) for item in items(self.node)]

    @property
    def text(self) -> str:
        return text(self.node)

    def texts(self) -> list[str]:
        """Return the texts of a list, or the text that stands in place of one."""
        return [item.text for item in self.items()] or ([self.text] if self.text else [])


@dataclass(frozen=True, slots=True)
class _Call:
    command: str
    words: str
    step: _Item
    job: _Item


def check_workflows(
    services: Sequence[Service], tree: Tree, inputs: Callable[[Service], list[str]]
) -> Iterator[Finding | Note]:
    """Yield what is wrong with the workflows that call this tool; `inputs` lists a service's files."""
    is_called = False
    for path in tree.below(FOLDER):
        workflow = _read(tree, path) if path.endswith(_ENDINGS) else None
        if isinstance(workflow, Note):
            yield workflow
            continue
        calls = list(_calls(workflow)) if workflow else []
        if workflow and calls:
            is_called = True
            for rule, at, message, fix in (
                *_check_permissions(services, workflow, calls),
                *_check_pushes(services, workflow),
                *_check_history(calls),
                *_check_caches(workflow),
                *_check_filters(services, workflow, inputs),
            ):
                yield Finding(rule, path, at, message, fix)
    if not is_called:
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
            for call in _CALL.finditer(_COMMENT.sub("", step.get("run").text.replace("\\\n", " "))):
                if not {"-h", "--help"} & set(call["rest"].split()):
                    yield _Call(call["command"], call["rest"], step, job)


_Breach = tuple[CheckRule, int, str, str]  # the line, what is wrong, and what to write instead


def _check_permissions(services: Sequence[Service], workflow: _Item, calls: Sequence[_Call]) -> Iterator[_Breach]:
    told = set()
    for call in calls:
        permissions = _permissions(workflow, call.job)
        for name, level in _needed_permissions(services, call):
            granted, key = _level(permissions, name), (id(call.job.node), name, level)
            if _LEVELS.index(granted) < _LEVELS.index(level) and key not in told:
                told.add(key)
                at = permissions.line if permissions else call.step.line
                why = f"its job grants `{name}: {granted}`"
                why = why if permissions else "neither its job nor the workflow names permissions"
                message = f"`orbit-release {call.command}` needs `{name}: {level}`, and {why}"
                yield PERMISSIONS, at, message, f"write `{name}: {level}` below `permissions:` of the job."


def _check_pushes(services: Sequence[Service], workflow: _Item) -> Iterator[_Breach]:
    """Yield the jobs that push an image to ghcr.io with a token that may not."""
    if not any(service.repository.host == _GITHUB_REGISTRY for service in services):
        return
    for _, job in workflow.get("jobs").entries():
        steps = _steps_using(job, "docker/build-push-action@")
        permissions = _permissions(workflow, job)
        granted = _level(permissions, "packages")
        is_pushing = any(step.get("with", "push").text == "true" for step in steps)
        if is_pushing and permissions and granted != "write":
            message = f"docker/build-push-action needs `packages: write`, and its job grants `packages: {granted}`"
            yield PERMISSIONS, permissions.line, message, "write `packages: write` below `permissions:` of the job."


def _steps_using(job: _Item, action: str) -> list[_Item]:
    return [step for step in job.get("steps").items() if step.get("uses").text.startswith(action)]


def _needed_permissions(services: Sequence[Service], call: _Call) -> Iterator[tuple[str, str]]:
    token = call.step.get("env", "GITHUB_TOKEN").text or call.job.get("env", "GITHUB_TOKEN").text
    writes = call.command in {"bump", "rollback"} and "--dry-run" not in call.words
    if not token or any(own in token for own in _OWN_TOKENS):  # an App's token has permissions of its own
        yield "contents", "write" if writes else "read"
        if writes and "--pr" in call.words.split():
            yield "pull-requests", "write"
    asks = call.command != "plan" or "github" in call.words or "--registry" in call.words
    if asks and any(service.repository.host == _GITHUB_REGISTRY for service in services):
        pushes = call.command == "build" and "--no-push" not in call.words
        yield "packages", "write" if pushes else "read"


def _permissions(workflow: _Item, job: _Item) -> _Item | None:
    """Return the permissions that hold in a job: its own, else the workflow's; None where nobody names any."""
    named = (job.get("permissions"), workflow.get("permissions"))
    return next((permissions for permissions in named if permissions.node is not None), None)


def _level(permissions: _Item | None, name: str) -> str:
    if permissions is None:
        return "none"
    if permissions.text in {"read-all", "write-all"}:
        return permissions.text.removesuffix("-all")
    level = permissions.get(name).text
    return level if level in _LEVELS else "none"


def _check_history(calls: Sequence[_Call]) -> Iterator[_Breach]:
    for job in {id(call.job.node): call.job for call in calls}.values():
        checkouts = _steps_using(job, "actions/checkout@")
        if not any(step.get("with", "fetch-depth").text == "0" for step in checkouts):
            at = checkouts[0].line if checkouts else job.line
            message = "the checkout is shallow" if checkouts else "the job checks nothing out"
            fix = "give actions/checkout `fetch-depth: 0` and `filter: blob:none`: history without contents."
            yield HISTORY, at, message, fix


def _check_caches(workflow: _Item) -> Iterator[_Breach]:
    for _, job in workflow.get("jobs").entries():
        is_matrix = job.get("strategy", "matrix").node is not None
        for step in job.get("steps").items() if is_matrix else ():
            for key in ("cache-from", "cache-to"):
                cache = step.get("with", key)
                if "type=gha" in cache.text and not re.search(r"\bscope=[^,\s]*\$\{\{[^}]*\bmatrix\.", cache.text):
                    fix = "add `scope=${{ matrix.cache_scope }}` to it."
                    yield CACHE, cache.line, f"all jobs of this matrix have one scope in `{key}`", fix


def _check_filters(
    services: Sequence[Service], workflow: _Item, inputs: Callable[[Service], list[str]]
) -> Iterator[_Breach]:
    push = workflow.get("on", "push")
    for key, hides in (("paths", False), ("paths-ignore", True)):
        globs = push.get(key).texts()
        patterns = [(not glob.startswith("!"), _pattern(glob.removeprefix("!"))) for glob in globs]
        hidden = _hidden(services, patterns, inputs, hides=hides) if patterns else {}
        if hidden:
            name, path = next(iter(hidden.items()))
            more = f" and so are inputs of {', '.join([*hidden][1:])}" if len(hidden) > 1 else ""
            message = f"`{key}` hides a push that changes {path}, an input of {name}{more}"
            fix = f"leave `{key}` out: the plan finds what a push changed by itself."
            yield FILTER, push.get(key).line, message, fix


_Patterns = Sequence[tuple[bool, re.Pattern[str]]]  # whether one selects; `!` deselects


def _hidden(
    services: Sequence[Service], patterns: _Patterns, inputs: Callable[[Service], list[str]], *, hides: bool
) -> dict[str, str]:
    """Return, by service, the first of its inputs that a filter hides."""
    first = {
        service.name: next((path for path in inputs(service) if _matches(patterns, path) == hides), None)
        for service in services
    }
    return {name: path for name, path in first.items() if path is not None}


def _matches(patterns: _Patterns, path: str) -> bool:
    """Whether a filter's patterns match; the last one that matches decides."""
    return next((selects for selects, pattern in reversed(patterns) if pattern.fullmatch(path)), False)


def _pattern(text: str) -> re.Pattern[str]:
    """Translate a filter's pattern: `**` crosses slashes, `?` and `+` repeat what is before them."""
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    parts = re.findall(r"\*\*/?|\*|\?|\+|\[[^\]]+\]|\\.|.", text)
    translated = (special.get(part) or (part if part[0] == "[" else re.escape(part[-1])) for part in parts)
    try:
        return re.compile("".join(translated))
    except re.error:  # GitHub refuses the workflow
        return re.compile(re.escape(text))
