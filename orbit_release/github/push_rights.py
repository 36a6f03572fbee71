"""Whether a token may publish on a branch at GitHub: what the repository, the token and the rules say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from github import Github, GithubException
from github.Repository import Repository

from orbit_release.errors import NotFoundError

# Rules that a commit put straight on the branch breaks; what else rules ask for, GitHub's own commits meet.
# https://docs.github.com/rest/repos/rules#get-rules-for-a-branch
BLOCKING = {
    "pull_request": "pull requests",
    "required_status_checks": "status checks",
    "required_deployments": "deployments",
    "workflows": "workflows",
    "code_scanning": "code scanning",
    "code_quality": "code quality",
    "merge_queue": "a merge queue",
    "update": "restricted updates",
}
BYPASSES = ("always", "exempt")
_MOST_RULES = 100


@dataclass(frozen=True, slots=True)
class BranchRule:
    """A rule that holds for the branch; `bypass` is what GitHub says the token may do about it, None if unknown."""

    kind: str
    bypass: str | None

    @property
    def blocks(self) -> bool:
        """Whether it stops a commit that is put straight on the branch, for all that is known."""
        return self.kind in BLOCKING and self.bypass not in BYPASSES

    @property
    def is_pattern(self) -> bool:
        """Whether it is about texts of a commit, like `commit_message_pattern`."""
        return self.kind.endswith("_pattern") and self.bypass not in BYPASSES


@dataclass(frozen=True, slots=True)
class PushRights:
    """What GitHub tells a token: its role, its scopes (None but for classic tokens), and how the branch is protected.

    `can_push` is None where GitHub does not tell. `is_protected` is about classic protection, of which only `checks`,
    the names of the required status checks that hold for this token, are shown to everybody.
    """

    can_push: bool | None
    is_archived: bool
    is_private: bool
    scopes: tuple[str, ...] | None
    is_protected: bool
    checks: tuple[str, ...]
    rules: tuple[BranchRule, ...]


def _required_checks(branch: Any, *, is_admin: bool) -> tuple[str, ...]:
    """Return the status checks that a classic rule requires of a token's commits, out of GitHub's answer."""
    match branch:
        case {"protection": {"required_status_checks": {"enforcement_level": str(level), "contexts": [*names]}}}:
            holds = level == "everyone" or (level == "non_admins" and not is_admin)
            return tuple(map(str, names)) if holds else ()
    return ()


def push_rights(client: Github, remote: Repository, branch: str, *, is_app: bool) -> PushRights:
    """Ask GitHub; `is_app`: the token is an App's."""
    permissions = remote.permissions
    is_admin, can_push = (bool(permissions and getattr(permissions, name)) for name in ("admin", "push"))
    try:
        answer = remote.get_branch(branch).raw_data
    except GithubException as error:
        if error.status != 404:  # noqa: PLR2004
            raise
        hint = "push it, or set `branch:` in orbit-release.yaml."
        raise NotFoundError(f"{remote.full_name} has no branch {branch}", hint) from error
    scopes = client.oauth_scopes
    return PushRights(
        can_push or (None if is_app else False),  # the role is its user's, and an App has none
        bool(remote.archived),
        bool(remote.private),
        tuple(scopes) if scopes is not None else None,
        bool(answer["protection"].get("enabled")),  # `protected` is true of rulesets as well
        _required_checks(answer, is_admin=is_admin),
        _rules(client, f"/repos/{remote.full_name}", branch),
    )


def _rules(client: Github, repository: str, branch: str) -> tuple[BranchRule, ...]:
    """Return the rules of the repository and its organization that hold for a branch."""
    path = f"{repository}/rules/branches/{quote(branch, safe='')}?per_page={_MOST_RULES}"
    _, rules = client.requester.requestJsonAndCheck("GET", path)
    rulesets = {rule.get("ruleset_id") for rule in rules}
    bypasses = {number: _bypass(client, repository, number) for number in rulesets}
    return tuple(BranchRule(str(rule["type"]), bypasses[rule.get("ruleset_id")]) for rule in rules)


def _bypass(client: Github, repository: str, ruleset: int | None) -> str | None:
    if ruleset is None:
        return None
    try:
        _, answer = client.requester.requestJsonAndCheck("GET", f"{repository}/rulesets/{ruleset}")
    except GithubException as error:
        if error.status not in (403, 404):
            raise
        return None  # an organization's ruleset, which not everybody may look at
    bypass = answer.get("current_user_can_bypass")
    return str(bypass) if bypass else None
