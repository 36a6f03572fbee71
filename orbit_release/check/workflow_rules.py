"""The rules of the group `workflow`: permissions, history, caches, and filters of the workflows that call this tool.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass

from orbit_release.check.finding import CheckRule, Finding, Group, Note
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError
from orbit_release.manifests.texts.yaml_nodes import Node, child, items, line, pairs, parse, text
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

_rule = Group.WORKFLOW.rule
PERMISSIONS = _rule(
    "workflow-permissions",
    "GITHUB_TOKEN may do only what the job's permissions grant: the step fails, after the images were built.",
)
HISTORY = _rule(
    "workflow-history",
    "What changed since a deployed tag is read from the history, which a shallow checkout leaves out.",
)
CACHE = _rule("workflow-cache", "Services that share the scope of a build cache overwrite each other's.")
FILTER = _rule("workflow-filter", "A push that only changes a file outside of the filter starts no run: it waits.")
RULES = (PERMISSIONS, HISTORY, CACHE, FILTER)


@dataclass(frozen=True, slots=True)
class _ToolCall:
    command: str
    words: str
    step: Node
    job: Node
    job_line: int


def check_workflows(
    services: Sequence[Service], tree: Tree, inputs: Callable[[Service], list[str]]
) -> Iterator[Finding | Note]:
    """Yield what is wrong with the workflows that call this tool; `inputs` lists a service's files."""
    is_called = False
    hosts = {service.repository.registry for service in services}
    for path in tree.below(FOLDER):
        workflow = _read(tree, path) if path.endswith(_ENDINGS) else None
        if isinstance(workflow, Note):
            yield workflow
            continue
        calls = list(_calls(workflow)) if workflow else []
        if workflow and calls:
            is_called = True
            for rule, at, message, fix in (
                *_check_permissions(hosts, workflow, calls),
                *_check_pushes(hosts, workflow),
                *_check_history(calls),
                *_check_caches(workflow),
                *_check_filters(services, workflow, inputs),
            ):
                yield Finding(rule, path, at, message, fix)
    if not is_called:
        yield Note(Group.WORKFLOW, f"no workflow below {FOLDER} calls orbit-release: releases are made by hand")


def _read(tree: Tree, path: str) -> Node | Note | None:
    data = tree.read(path)
    if b"orbit-release" not in data:
        return None
    try:
        documents = parse(data.decode(), path)
    except (InvalidError, UnicodeDecodeError):
        documents = None
    if documents is None or len(documents) > 1:
        return Note(Group.WORKFLOW, f"{path} is not YAML: GitHub says where, and what it does was not checked")
    return documents[0].root if documents else None


def _calls(workflow: Node) -> Iterator[_ToolCall]:
    for key, job in pairs(workflow, "jobs"):
        for step in items(job, "steps"):
            for call in _CALL.finditer(_COMMENT.sub("", text(step, "run").replace("\\\n", " "))):
                if not {"-h", "--help"} & set(call["rest"].split()):
                    yield _ToolCall(call["command"], call["rest"], step, job, line(key))


_Breach = tuple[CheckRule, int, str, str]  # the line, what is wrong, and what to write instead


def _check_permissions(hosts: AbstractSet[str], workflow: Node, calls: Sequence[_ToolCall]) -> Iterator[_Breach]:
    told = set()
    for call in calls:
        holder = _permissions_holder(workflow, call.job)
        for name, level in _needed_permissions(hosts, call):
            granted, key = _level(holder, name), (id(call.job), name, level)
            if _LEVELS.index(granted) < _LEVELS.index(level) and key not in told:
                told.add(key)
                at = _key_line(holder, "permissions") if holder else line(call.step)
                why = f"its job grants `{name}: {granted}`"
                why = why if holder else "neither its job nor the workflow names permissions"
                message = f"`orbit-release {call.command}` needs `{name}: {level}`, and {why}"
                yield PERMISSIONS, at, message, f"write `{name}: {level}` below `permissions:` of the job."


def _check_pushes(hosts: AbstractSet[str], workflow: Node) -> Iterator[_Breach]:
    """Yield the jobs that push an image to ghcr.io with a token that may not."""
    for _, job in pairs(workflow, "jobs") if "ghcr.io" in hosts else ():
        steps = _steps_using(job, "docker/build-push-action@")
        holder = _permissions_holder(workflow, job)
        granted = _level(holder, "packages")
        if holder and granted != "write" and any(text(step, "with", "push") == "true" for step in steps):
            message = f"docker/build-push-action needs `packages: write`, and its job grants `packages: {granted}`"
            fix = "write `packages: write` below `permissions:` of the job."
            yield PERMISSIONS, _key_line(holder, "permissions"), message, fix


def _steps_using(job: Node, action: str) -> list[Node]:
    return [step for step in items(job, "steps") if text(step, "uses").startswith(action)]


def _key_line(node: Node, *path: str) -> int:
    """Return the line of the key that a path ends with."""
    return next(line(key) for key, _ in pairs(node, *path[:-1]) if key.value == path[-1])


def _needed_permissions(hosts: AbstractSet[str], call: _ToolCall) -> Iterator[tuple[str, str]]:
    token = text(call.step, "env", "GITHUB_TOKEN") or text(call.job, "env", "GITHUB_TOKEN")
    writes = call.command in {"bump", "rollback"} and "--dry-run" not in call.words
    if not token or any(own in token for own in _OWN_TOKENS):  # an App's token has permissions of its own
        yield "contents", "write" if writes else "read"
        if writes and "--pr" in call.words.split():
            yield "pull-requests", "write"
    asks = call.command != "plan" or "github" in call.words or "--registry" in call.words
    if asks and "ghcr.io" in hosts:
        pushes = call.command == "build" and "--no-push" not in call.words
        yield "packages", "write" if pushes else "read"


def _permissions_holder(workflow: Node, job: Node) -> Node | None:
    """Return the job if it names permissions, else the workflow if that does: those hold in the job."""
    return next((node for node in (job, workflow) if child(node, "permissions") is not None), None)


def _level(holder: Node | None, name: str) -> str:
    every = text(holder, "permissions")
    level = every.removesuffix("-all") if every in {"read-all", "write-all"} else text(holder, "permissions", name)
    return level if level in _LEVELS else "none"


def _check_history(calls: Sequence[_ToolCall]) -> Iterator[_Breach]:
    for call in {id(call.job): call for call in calls}.values():
        checkouts = _steps_using(call.job, "actions/checkout@")
        if not any(text(step, "with", "fetch-depth") == "0" for step in checkouts):
            at = line(checkouts[0]) if checkouts else call.job_line
            message = "the checkout is shallow" if checkouts else "the job checks nothing out"
            fix = "give actions/checkout `fetch-depth: 0` and `filter: blob:none`: history without contents."
            yield HISTORY, at, message, fix


def _check_caches(workflow: Node) -> Iterator[_Breach]:
    for _, job in pairs(workflow, "jobs"):
        is_matrix = child(job, "strategy", "matrix") is not None
        for step in items(job, "steps") if is_matrix else ():
            for key in ("cache-from", "cache-to"):
                cache = text(step, "with", key)
                if "type=gha" in cache and not re.search(r"\bscope=[^,\s]*\$\{\{[^}]*\bmatrix\.", cache):
                    fix = "add `scope=${{ matrix.cache_scope }}` to it."
                    message = f"all jobs of this matrix have one scope in `{key}`"
                    yield CACHE, _key_line(step, "with", key), message, fix


def _check_filters(
    services: Sequence[Service], workflow: Node, inputs: Callable[[Service], list[str]]
) -> Iterator[_Breach]:
    for key, hides in (("paths", False), ("paths-ignore", True)):
        place = ("on", "push", key)
        globs = [*map(text, items(workflow, *place))] or list(filter(None, [text(workflow, *place)]))
        patterns = [(not glob.startswith("!"), _pattern(glob.removeprefix("!"))) for glob in globs]
        hidden = _hidden(services, patterns, inputs, hides=hides) if patterns else {}
        if hidden:
            name, path = next(iter(hidden.items()))
            more = f" and so are inputs of {', '.join([*hidden][1:])}" if len(hidden) > 1 else ""
            message = f"`{key}` hides a push that changes {path}, an input of {name}{more}"
            fix = f"leave `{key}` out: the plan finds what a push changed by itself."
            yield FILTER, _key_line(workflow, *place), message, fix


_Patterns = Sequence[tuple[bool, re.Pattern[str]]]  # whether one selects; `!` deselects, and the last match decides


def _hidden(
    services: Sequence[Service], patterns: _Patterns, inputs: Callable[[Service], list[str]], *, hides: bool
) -> dict[str, str]:
    """Return, by service, the first of its inputs that a filter hides."""
    hidden = {}
    for service in services:
        for path in inputs(service):
            if next((selects for selects, pattern in reversed(patterns) if pattern.fullmatch(path)), False) == hides:
                hidden[service.name] = path
                break
    return hidden


def _pattern(text: str) -> re.Pattern[str]:
    """Translate a filter's pattern: `**` crosses slashes, `?` and `+` repeat what is before them."""
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    parts = re.findall(r"\*\*/?|\*|\?|\+|\[[^\]]+\]|\\.|.", text)
    translated = (special.get(part) or (part if part[0] == "[" else re.escape(part[-1])) for part in parts)
    try:
        return re.compile("".join(translated))
    except re.error:  # GitHub refuses the workflow
        return re.compile(re.escape(text))
