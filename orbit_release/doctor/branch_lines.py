"""Whether releases can be published on a branch at GitHub, as lines of the checklist."""

from __future__ import annotations

from orbit_release.doctor.checklist import ChecklistLine, failed_line, listed, ok_line, unchecked_line
from orbit_release.github.push_rights import BLOCKING, BYPASSES, BranchRule, PushRights

_APP = "use the token of a GitHub App that may bypass it (README.md shows how), or propose releases with --pr."


def branch_line(branch: str, access: PushRights) -> ChecklistLine:
    asked = [BLOCKING.get(rule.kind, rule.kind.replace("_", " ")) for rule in access.rules]
    asked += [f"the checks {listed(access.checks)}"] if access.checks else []
    asked += ["a classic rule"] if access.is_protected else []
    what = f"is protected: {listed(dict.fromkeys(asked))}" if asked else "is not protected"
    return ok_line("github", "branch", f"{branch} {what}")


def publish_line(branch: str, access: PushRights) -> ChecklistLine:
    if trouble := _lacks_push(access) or _is_refused(branch, access):
        return failed_line("github", "publish", *trouble)
    if doubt := _may_be_refused(branch, access):
        return unchecked_line("github", "publish", *doubt)
    signed = any(rule.kind == "required_signatures" and rule.bypass not in BYPASSES for rule in access.rules)
    how = ", if they are signed: those that GitHub makes (--via api) are" if signed else ""
    return ok_line("github", "publish", f"this token may put commits on {branch}{how}")


def _is_refused(branch: str, access: PushRights) -> tuple[str, str] | None:
    blocking = [rule for rule in access.rules if rule.blocks and rule.bypass is not None]
    if blocking:
        return f"the rules of {branch} ask for {_asked(blocking)}", _APP
    if access.checks:
        return f"the classic rule of {branch} asks for the checks {listed(access.checks)}", _APP
    return None


def _may_be_refused(branch: str, access: PushRights) -> tuple[str, str] | None:
    if access.can_push is None:
        return "GitHub does not tell an App's token whether it may write", "give it `contents: write`."
    if blocking := [rule for rule in access.rules if rule.blocks]:
        doubt = "whether this token may bypass them GitHub does not say"
        return f"the rules of {branch} ask for {_asked(blocking)}; {doubt}", _APP
    if patterns := [rule.kind for rule in access.rules if rule.is_pattern]:
        kinds = listed(kind.replace("_", " ") for kind in patterns)
        return f"the rules of {branch} have a {kinds}", "a release's commit has to match it: see the ruleset."
    if access.is_protected:
        fix = "see Settings, Branches; if it asks for reviews: --pr."
        return f"{branch} has a classic rule, which only administrators can read", fix
    return None


def _asked(rules: list[BranchRule]) -> str:
    return listed(dict.fromkeys(BLOCKING[rule.kind] for rule in rules))


def _lacks_push(access: PushRights) -> tuple[str, str] | None:
    if access.is_archived:
        return "the repository is archived: nothing can be published there", "unarchive it in its settings."
    if access.can_push is False:
        fix = "give the token `contents: write`; in Actions see `permissions:` of the job."
        return "this token may read the repository, and not write to it", fix
    needed = {"repo"} if access.is_private else {"repo", "public_repo"}
    if access.scopes is not None and needed.isdisjoint(access.scopes):
        return f"this classic token lacks the scope {min(needed, key=len)}", "make one that has it."
    return None
