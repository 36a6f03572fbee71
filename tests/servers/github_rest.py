"""GitHub's REST operations by the names that its description gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.servers.github_asked import Asked, get_repository
from tests.servers.github_objects import (
    create_blob,
    create_commit,
    create_ref,
    create_tree,
    delete_ref,
    get_commit,
    get_ref,
    list_commits,
    update_ref,
)
from tests.servers.github_pulls import create_comment, create_pull, get_pull, list_pulls, merge_pull, update_pull
from tests.servers.github_rules import get_branch, get_branch_rules, get_ruleset

Handler = Callable[[Asked], "Sequence[Any] | dict[str, Any] | None"]
OPERATIONS: Mapping[str, tuple[int, Handler]] = {
    "git/create-blob": (201, create_blob),
    "git/create-commit": (201, create_commit),
    "git/create-ref": (201, create_ref),
    "git/create-tree": (201, create_tree),
    "git/delete-ref": (204, delete_ref),
    "git/get-commit": (200, get_commit),
    "git/get-ref": (200, get_ref),
    "git/update-ref": (200, update_ref),
    "issues/create-comment": (201, create_comment),
    "pulls/create": (201, create_pull),
    "pulls/get": (200, get_pull),
    "pulls/list": (200, list_pulls),
    "pulls/merge": (200, merge_pull),
    "pulls/update": (200, update_pull),
    "repos/get": (200, get_repository),
    "repos/get-branch": (200, get_branch),
    "repos/get-branch-rules": (200, get_branch_rules),
    "repos/get-repo-ruleset": (200, get_ruleset),
    "repos/list-commits": (200, list_commits),
}
