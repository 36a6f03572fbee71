"""Whether a token may publish on a branch at GitHub: what the repository, the token and the rules say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orbit_release.core.checklist import Line, failed, listed, ok, unchecked

# Rules that a commit put straight on the branch breaks; what else rules ask for, GitHub's own commits meet.
# https://docs.github.com/rest/repos/rules#get-rules-for-a-branch
_BLOCKING = {
    "pull_request": "pull requests",
    "required_status_checks": "status checks",
    "required_deployments": "deployments",
    "workflows": "workflows",
    "code_scanning": "code scanning",
    "code_quality": "code quality",
    "merge_queue": "a merge queue",
    "update": "restricted updates",
}
_BYPASSES = ("always", "exempt")
_APP = "use the token of a GitHub App that may bypass it (README.md shows how), or propose releases with --pr."


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that holds for the branch; `bypass` is what GitHub says the token may do about it, None if unknown."""

    kind: str
    bypass: str | None

    @property
    def blocks(self) -> bool:
        """Whether it stops a commit that is put straight on the branch, for all that is known."""
        return self.kind in _BLOCKING and self.bypass not in _BYPASSES

    @property
    def is_pattern(self) -> bool:
        """Whether it is about texts of a commit, like `commit_message_pattern`."""
        return self.kind.endswith("_pattern") and self.bypass not in _BYPASSES


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


def branch_line(branch: str, access: Access) -> Line:
    """Tell how a branch is protected."""
    asked = [_BLOCKING.get(rule.kind, rule.kind.replace("_", " ")) for rule in access.rules]
    asked += [f"the checks {listed(access.checks)}"] if access.checks else []
    asked += ["a classic rule"] if access.is_protected else []
    what = f"is protected: {listed(dict.fromkeys(asked))}" if asked else "is not protected"
    return ok("github", "branch", f"{branch} {what}")


def publish_line(branch: str, access: Access) -> Line:
    """Tell whether a token may put commits on a branch."""
    if trouble := _no_push(access) or _refused(branch, access):
        return failed("github", "publish", *trouble)
    if doubt := _unknown(branch, access):
        return unchecked("github", "publish", *doubt)
    signed = any(rule.kind == "required_signatures" and rule.bypass not in _BYPASSES for rule in access.rules)
    how = ", if they are signed: those that GitHub makes (--via api) are" if signed else ""
    return ok("github", "publish", f"this token may put commits on {branch}{how}")


def required_checks(branch: Any, *, is_admin: bool) -> tuple[str, ...]:
    """Return the status checks that a classic rule requires of a token's commits, out of GitHub's answer."""
    match branch:
        case {"protection": {"required_status_checks": {"enforcement_level": str(level), "contexts": [*names]}}}:
            holds = level == "everyone" or (level == "non_admins" and not is_admin)
            return tuple(map(str, names)) if holds else ()
    return ()


def _refused(branch: str, access: Access) -> tuple[str, str] | None:
    blocking = [rule for rule in access.rules if rule.blocks and rule.bypass is not None]
    if blocking:
        return f"the rules of {branch} ask for {_asked(blocking)}", _APP
    if access.checks:
        return f"the classic rule of {branch} asks for the checks {listed(access.checks)}", _APP
    return None


def _unknown(branch: str, access: Access) -> tuple[str, str] | None:
    if access.can_push is None:
        return "GitHub does not tell an App's token whether it may write", "give it `contents: write`."
    if blocking := [rule for rule in access.rules if rule.blocks]:
        what = (
            f"the rules of {branch} ask for {_asked(blocking)}; whether this token may bypass them GitHub does not say"
        )
        return what, _APP
    if patterns := [rule.kind for rule in access.rules if rule.is_pattern]:
        kinds = listed(kind.replace("_", " ") for kind in patterns)
        return f"the rules of {branch} have a {kinds}", "a release's commit has to match it: see the ruleset."
    if access.is_protected:
        fix = "see Settings, Branches; if it asks for reviews: --pr."
        return f"{branch} has a classic rule, which only administrators can read", fix
    return None


def _asked(rules: list[Rule]) -> str:
    return listed(dict.fromkeys(_BLOCKING[rule.kind] for rule in rules))


def _no_push(access: Access) -> tuple[str, str] | None:
    if access.is_archived:
        return "the repository is archived: nothing can be published there", "unarchive it in its settings."
    if access.can_push is False:
        fix = "give the token `contents: write`; in Actions see `permissions:` of the job."
        return "this token may read the repository, and not write to it", fix
    needed = {"repo"} if access.is_private else {"repo", "public_repo"}
    if access.scopes is not None and needed.isdisjoint(access.scopes):
        return f"this classic token lacks the scope {min(needed, key=len)}", "make one that has it."
    return None
