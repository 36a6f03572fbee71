"""Whether a token may publish on a branch at GitHub: what the repository, the token and the rules say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Rule:
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
class Access:
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
    rules: tuple[Rule, ...]


def required_checks(branch: Any, *, is_admin: bool) -> tuple[str, ...]:
    """Return the status checks that a classic rule requires of a token's commits, out of GitHub's answer."""
    match branch:
        case {"protection": {"required_status_checks": {"enforcement_level": str(level), "contexts": [*names]}}}:
            holds = level == "everyone" or (level == "non_admins" and not is_admin)
            return tuple(map(str, names)) if holds else ()
    return ()
