"""Whether a token may publish on a branch at GitHub: what the repository, the token and the rules say."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Access:
    """What GitHub tells a token: its role, its scopes (None but for classic tokens), and how the branch is protected.

    `is_protected` is true of classic protection, of which only `checks`, the names of the required status checks that
    hold for this token, are shown to everybody.
    """

    can_push: bool
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
    if asked:
        return ok("github", "branch", f"{branch} is protected: rules about {listed(dict.fromkeys(asked))}")
    known = "is protected by a classic rule" if access.is_protected else "is not protected"
    return ok("github", "branch", f"{branch} {known}")


def publish_line(branch: str, access: Access) -> Line:
    """Tell whether a token may put commits on a branch."""
    if trouble := _no_push(access):
        what, fix = trouble
        return failed("github", "publish", what, fix)
    blocking = [rule for rule in access.rules if rule.blocks]
    asked = listed(dict.fromkeys(_BLOCKING[rule.kind] for rule in blocking))
    if any(rule.bypass is not None for rule in blocking):
        return failed("github", "publish", f"the rules of {branch} ask for {asked}", _APP)
    if access.checks:
        what = f"the classic rule of {branch} asks for the checks {listed(access.checks)}"
        return failed("github", "publish", what, _APP)
    if blocking:
        what = f"the rules of {branch} ask for {asked}; whether this token may bypass them GitHub does not say"
        return unchecked("github", "publish", what, _APP)
    if access.is_protected and not access.rules:
        what = f"{branch} has a classic rule, which only administrators can read"
        return unchecked("github", "publish", what, "see Settings, Branches; if it asks for reviews: --pr.")
    return ok("github", "publish", f"this token may put commits on {branch}")


def _no_push(access: Access) -> tuple[str, str] | None:
    if access.is_archived:
        return "the repository is archived: nothing can be published there", "unarchive it in its settings."
    if not access.can_push:
        fix = "give the token `contents: write`; in Actions see `permissions:` of the job."
        return "this token may read the repository, and not write to it", fix
    needed = {"repo"} if access.is_private else {"repo", "public_repo"}
    if access.scopes is not None and needed.isdisjoint(access.scopes):
        return f"this classic token lacks the scope {min(needed, key=len)}", "make one that has it."
    return None
