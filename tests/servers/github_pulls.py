"""The REST operations on pull requests."""

from __future__ import annotations

from typing import Any

from tests.servers.github_asked import LOGIN, Asked, get_repository, invalid, page, user
from tests.servers.github_description import ViolationError
from tests.servers.github_state import ProblemError, Pull, State


def pull_shown(asked: Asked, pull: Pull) -> dict[str, Any]:
    """Return what lists show of a pull request."""
    auto = pull.auto_merge and {"merge_method": pull.auto_merge, "enabled_by": user(LOGIN)}
    link = {"html": {"href": f"https://github.invalid/{asked.state.repository}/pull/{pull.number}"}}
    return {
        "url": f"{asked.url}/pulls/{pull.number}",
        "issue_url": f"{asked.url}/issues/{pull.number}",
        "html_url": link["html"]["href"],
        "id": pull.number,
        "node_id": node_id(pull),
        "number": pull.number,
        "state": pull.state,
        "draft": pull.draft,
        "title": pull.title,
        "body": pull.body,
        "user": user(LOGIN),
        "head": side(asked, pull.head, pull.head_sha),
        "base": side(asked, pull.base, pull.base_sha),
        "created_at": pull.created_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.closed_at if pull.merged else None,
        "merge_commit_sha": pull.merge_commit_sha,
        "auto_merge": auto,
        "_links": link,
    }


def side(asked: Asked, branch: str, sha: str) -> dict[str, Any]:
    owner = asked.state.owner
    name = {"label": f"{owner}:{branch}", "ref": branch, "sha": sha}
    return {**name, "repo": get_repository(asked), "user": user(owner)}


def node_id(pull: Pull) -> str:
    return f"PR_kwDO{pull.number:08}"


def whole_pull(asked: Asked, pull: Pull) -> dict[str, Any]:
    """Return what a single pull request shows more than lists do."""
    git = asked.state.git
    is_open = pull.state == "open"
    is_mergeable = bool(git.merged(pull.base_sha, pull.head_sha)) if is_open else None
    waiting = "blocked" if asked.state.checks_pending else "clean"
    shown = {True: waiting, False: "dirty", None: "unknown"}[is_mergeable]
    merging = {"merged": pull.merged, "mergeable": is_mergeable, "mergeable_state": shown}
    return pull_shown(asked, pull) | merging | {"comments": len(pull.comments)}


def wanted(asked: Asked, name: str = "pull_number") -> Pull:
    number = asked.parameters[name]
    if pull := next((pull for pull in asked.state.pulls if str(pull.number) == number), None):
        return pull
    raise ProblemError(404, "Not Found")


def list_pulls(asked: Asked) -> list[dict[str, Any]]:
    state, base = asked.query.get("state", "open"), asked.query.get("base")
    owner, colon, head = asked.query.get("head", "").partition(":")
    found = [
        pull_shown(asked, pull)
        for pull in reversed(asked.state.pulls)
        if state in {"all", pull.state}
        and base in {None, pull.base}
        and (not colon or (owner, head) == (asked.state.owner, pull.head))  # GitHub ignores a head without an owner
    ]
    start, count = page(asked)
    return found[start : start + count]


def get_pull(asked: Asked) -> dict[str, Any]:
    return whole_pull(asked, wanted(asked))


def create_pull(asked: Asked) -> dict[str, Any]:
    state, body = asked.state, asked.body
    if "title" not in body:
        raise invalid("PullRequest", code="missing_field", field="title")
    head, base = body["head"].removeprefix(f"{state.owner}:"), body["base"]
    tips = openable(state, head, base)
    pull = Pull(len(state.pulls) + 1, body["title"], body.get("body"), head, base, *tips, body.get("draft", False))
    state.pulls.append(pull)
    return whole_pull(asked, pull)


def openable(state: State, head: str, base: str) -> tuple[str, str]:
    """Return both commits of a pull request that may be open."""
    tips = {"head": state.git.branch(head), "base": state.git.branch(base)}
    for field, tip in tips.items():
        if not tip:
            raise invalid("PullRequest", code="invalid", field=field)
    if state.open_pull(head, base):
        message = f"A pull request already exists for {state.owner}:{head}."
        raise invalid("PullRequest", code="custom", message=message)
    if state.git.contains(tips["base"], tips["head"]):
        raise invalid("PullRequest", code="custom", message=f"No commits between {base} and {head}")
    return tips["head"], tips["base"]


def update_pull(asked: Asked) -> dict[str, Any]:
    pull, body = wanted(asked), asked.body
    if body.keys() - {"title", "body", "state"}:
        raise ViolationError("pulls/update: this server changes title, body and state only")
    if body.get("state", pull.state) != pull.state:
        set_state(asked.state, pull)
    pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
    return whole_pull(asked, pull)


def set_state(state: State, pull: Pull) -> None:
    """Close an open pull request, or open a closed one that still can be."""
    if pull.state == "open":
        pull.close()
        return
    reason = "state cannot be changed. The pull request cannot be reopened."
    if pull.merged:
        raise invalid("PullRequest", code="custom", field="state", message=reason)
    try:
        pull.head_sha, pull.base_sha = openable(state, pull.head, pull.base)
    except ProblemError as problem:
        raise invalid("PullRequest", code="custom", field="state", message=reason) from problem
    pull.state, pull.closed_at = "open", None


def merge_pull(asked: Asked) -> dict[str, Any]:
    pull, body = wanted(asked), asked.body
    if body.get("sha", pull.head_sha) != pull.head_sha:
        raise ProblemError(409, "Head branch was modified. Review and try the merge again.")
    method = body.get("merge_method", "merge")
    sha = asked.state.merge(pull, method, body.get("commit_title"), body.get("commit_message"))
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def create_comment(asked: Asked) -> dict[str, Any]:
    pull, body = wanted(asked, "issue_number"), asked.body["body"]
    pull.comments.append(body)
    number = len(pull.comments)
    issue = f"{asked.url}/issues/{pull.number}"
    return {"id": number, "url": f"{asked.url}/issues/comments/{number}", "issue_url": issue, "body": body} | {
        "user": user(LOGIN)
    }
