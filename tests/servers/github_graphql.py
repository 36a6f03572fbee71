"""GitHub's GraphQL mutations, executed by graphql-core against GitHub's own schema."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_location,
    parse,
    validate,
)

from tests.servers.github_asked import LOGIN
from tests.servers.github_description import ViolationError
from tests.servers.github_git import Entry, MissingError, RefusedError
from tests.servers.github_objects import date
from tests.servers.github_pulls import node_id
from tests.servers.github_state import ProblemError, Pull, State, now

PATH = Path(__file__).with_name("github.graphql")
ACTOR = {
    "__typename": "Bot",
    "avatarUrl": "https://github.invalid/avatar",
    "id": "BOT_1",
    "login": LOGIN,
    "resourcePath": "/apps/github-actions",
    "url": "https://github.invalid/apps/github-actions",
}
OID = re.compile(r"[0-9a-f]{40}")


@cache
def schema() -> GraphQLSchema:
    return build_schema(PATH.read_text("utf-8"))


def mutations() -> set[str]:
    """Return the names of the mutations in the schema."""
    kind = schema().mutation_type
    return set(kind.fields) if kind else set()


@dataclass(frozen=True)
class Query:
    """A document that the schema allows, and its variables."""

    document: DocumentNode
    variables: Mapping[str, Any]

    @classmethod
    def parse(cls, body: bytes) -> Query:
        try:
            given = json.loads(body)
            document = parse(given["query"])
        except (ValueError, KeyError, TypeError, GraphQLError) as error:
            raise ViolationError(f"GraphQL: the request is no query: {error!r}") from error
        if errors := validate(schema(), document):
            raise ViolationError(f"GraphQL: {'; '.join(error.message for error in errors)}")
        query = cls(document, given.get("variables") or {})
        # GitHub ignores what it does not know, and we do not.
        if unknown := given.keys() - {"query", "variables"} or query.variables.keys() - query.declared:
            raise ViolationError(f"GraphQL: {', '.join(sorted(unknown))}: this server does not know it")
        return query

    @property
    def operation(self) -> OperationDefinitionNode:
        return next(node for node in self.document.definitions if isinstance(node, OperationDefinitionNode))

    @property
    def declared(self) -> set[str]:
        """Return the names of the variables that the operation has."""
        return {node.variable.name.value for node in self.operation.variable_definitions or ()}

    @property
    def field(self) -> FieldNode:
        """Return the first field, which names the mutation."""
        field = self.operation.selection_set.selections[0]
        if not isinstance(field, FieldNode):
            raise ViolationError("GraphQL: a document starts with the field that it asks for")
        return field

    @property
    def name(self) -> str:
        return self.field.name.value

    def execute(self, state: State) -> dict[str, Any]:
        """Return the answer; what GitHub refuses stands in its `errors`."""
        root = Root(state)
        result = execute_sync(schema(), self.document, root, variable_values=dict(self.variables))
        for error in result.errors or ():
            if not isinstance(error.original_error, ProblemError):
                raise ViolationError(f"GraphQL: {error.message}") from error.original_error
        errors = [self.refusal(error.original_error) for error in result.errors or ()]
        return {"data": result.data} | ({"errors": errors} if errors else {})

    def refusal(self, problem: BaseException | None) -> dict[str, Any]:
        """Return an error as GitHub writes it."""
        kind, message = (problem.kind, problem.message) if isinstance(problem, ProblemError) else ("", "")
        node = self.field
        where = get_location(node.loc.source, node.loc.start) if node.loc else None
        locations = [{"line": where.line, "column": where.column}] if where else []
        rest = {"extensions": {"saml_failure": False}, "locations": locations, "message": message}
        return {"type": kind, "path": [self.name], **rest}

    def refused(self, kind: str, message: str) -> dict[str, Any]:
        """Return the whole answer of a mutation that did nothing."""
        return {"data": {self.name: None}, "errors": [self.refusal(ProblemError(200, message, kind))]}


def stale(head: str) -> ProblemError:
    return ProblemError(200, f'Expected branch to point to "{head}" but it did not.  Pull and try again.', "STALE_DATA")


class Root:
    """Resolves the fields of Query and Mutation; their names are GitHub's."""

    def __init__(self, state: State) -> None:
        self.state = state

    def repository(self, _info: GraphQLResolveInfo[Any], owner: str, name: str, **_: Any) -> dict[str, Any]:
        self._check_repository(f"{owner}/{name}")
        url = f"https://github.invalid/{self.state.repository}"
        shown = {"id": "R_kgDO1", "nameWithOwner": self.state.repository, "url": url}
        return {**shown, "autoMergeAllowed": self.state.allow_auto_merge}

    def createCommitOnBranch(self, _info: GraphQLResolveInfo[Any], **arguments: Any) -> dict[str, Any]:  # noqa: N802
        given = arguments["input"]
        branch = self._branch(given["branch"])
        head, expected = self.state.git.branch(branch), given["expectedHeadOid"]
        if not OID.fullmatch(expected):
            raise ViolationError(f"createCommitOnBranch: {expected!r} names no commit")
        if head != expected:
            raise stale(head)
        commit = self.state.git.commit(self._tree(head, given.get("fileChanges") or {}), [head], text(given["message"]))
        try:
            self.state.git.move(f"refs/heads/{branch}", commit, head)
        except RefusedError as error:
            raise stale(self.state.git.branch(branch)) from error
        ref = {"id": f"REF_{branch}", "name": branch, "prefix": "refs/heads/"}
        return {"clientMutationId": given.get("clientMutationId"), "commit": self._commit(commit), "ref": ref}

    def enablePullRequestAutoMerge(self, _info: GraphQLResolveInfo[Any], **arguments: Any) -> dict[str, Any]:  # noqa: N802
        given = arguments["input"]
        pull = next((pull for pull in self.state.pulls if node_id(pull) == given["pullRequestId"]), None)
        if not pull:
            message = f"Could not resolve to a node with the global id of '{given['pullRequestId']}'"
            raise ProblemError(200, message, "NOT_FOUND")
        if refusal := self._auto_merge_refusal(pull, given.get("expectedHeadOid")):
            raise ProblemError(200, refusal, "UNPROCESSABLE")
        pull.auto_merge = given["mergeMethod"].lower()
        shown = shown_pull(pull, given, self.state.repository)
        return {"clientMutationId": given.get("clientMutationId"), "actor": ACTOR, "pullRequest": shown}

    def _auto_merge_refusal(self, pull: Pull, expected: str | None) -> str:
        if not self.state.allow_auto_merge:
            return "Pull request Auto merge is not allowed for this repository"
        if pull.state != "open":
            return "Pull request Pull request is closed"
        if expected not in {None, pull.head_sha}:
            return "Pull request Head oid does not match the expected one"
        return "" if self.state.checks_pending else "Pull request Pull request is in clean status"

    def _check_repository(self, name: str) -> None:
        if name.lower() != self.state.repository.lower():
            raise ProblemError(200, f"Could not resolve to a Repository with the name '{name}'.", "NOT_FOUND")

    def _branch(self, given: Mapping[str, str]) -> str:
        if given.keys() != {"branchName", "repositoryNameWithOwner"}:
            raise ViolationError("createCommitOnBranch: a branch is given by branchName and repositoryNameWithOwner")
        self._check_repository(given["repositoryNameWithOwner"])
        name = given["branchName"].removeprefix("refs/heads/")
        if not self.state.git.branch(name):
            raise ProblemError(200, f"Could not resolve to a Ref with the name '{name}'.", "NOT_FOUND")
        return name

    def _tree(self, head: str, changes: Mapping[str, Any]) -> str:
        gone = [Entry(file["path"], None) for file in changes.get("deletions") or ()]
        new = [Entry(file["path"], self._blob(file["contents"])) for file in changes.get("additions") or ()]
        try:
            return self.state.git.tree(head, [*gone, *new])
        except MissingError as error:
            message = f"A path was requested for deletion which does not exist as of commit oid `{head}`"
            raise ProblemError(200, message, "UNPROCESSABLE") from error
        except RefusedError as error:
            raise ViolationError(f"createCommitOnBranch: {error}") from error

    def _blob(self, contents: str) -> str:
        try:
            return self.state.git.blob(base64.b64decode(contents, validate=True))
        except binascii.Error as error:
            raise ViolationError(f"createCommitOnBranch: the contents are not base64: {error}") from error

    def _commit(self, sha: str) -> dict[str, Any]:
        commit = self.state.git.read(sha)
        headline, _, body = commit.message.partition("\n\n")
        message = {"message": commit.message, "messageHeadline": headline, "messageBody": body}
        url = f"https://github.invalid/{self.state.repository}/commit/{sha}"
        return {"id": f"C_{sha}", "oid": sha, "url": url, "committedDate": date(commit.committer), **message}


def text(message: Mapping[str, str]) -> str:
    return f"{message['headline']}\n\n{message['body']}" if message.get("body") else message["headline"]


def shown_pull(pull: Pull, given: Mapping[str, Any], repository: str) -> dict[str, Any]:
    names = {name: given.get(name) for name in ("authorEmail", "commitBody", "commitHeadline")}
    return {
        "autoMergeRequest": {**names, "enabledAt": now(), "mergeMethod": given["mergeMethod"]},
        "baseRefName": pull.base,
        "body": pull.body or "",
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "id": node_id(pull),
        "merged": pull.merged,
        "number": pull.number,
        "state": pull.state.upper(),
        "title": pull.title,
        "url": f"https://github.invalid/{repository}/pull/{pull.number}",
    }
