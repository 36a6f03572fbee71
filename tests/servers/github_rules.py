"""How GitHub shows the protection of a branch: by a classic rule, and by rulesets."""

from __future__ import annotations

from typing import Any

from tests.servers.github_asked import Asked, page
from tests.servers.github_objects import details
from tests.servers.github_state import ProblemError, Ruleset

PARAMETERS: dict[str, dict[str, Any]] = {
    "pull_request": {
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 1,
        "required_review_thread_resolution": False,
    },
    "required_status_checks": {
        "required_status_checks": [{"context": "test"}],
        "strict_required_status_checks_policy": False,
    },
}


def get_branch(asked: Asked) -> dict[str, Any]:
    name = asked.parameters["branch"]
    if not (commit := asked.state.git.branch(name)):
        raise ProblemError(404, "Branch not found")
    checks = asked.state.required_checks if name == asked.state.default_branch else None
    level = asked.state.enforcement if checks else "off"
    required = {"enforcement_level": level, "contexts": list(checks or ()), "checks": []}
    url = f"{asked.url}/branches/{name}"
    return {
        "name": name,
        "commit": {"sha": commit, "url": f"{asked.url}/commits/{commit}", "parents": []}
        | {"commit": details(asked, asked.state.git.read(commit)), "author": {}, "committer": {}},
        "_links": {"self": url, "html": url},
        "protected": checks is not None,
        "protection": {"enabled": checks is not None, "required_status_checks": required},
        "protection_url": f"{url}/protection",
    }


def get_branch_rules(asked: Asked) -> list[dict[str, Any]]:
    if asked.parameters["branch"] != asked.state.default_branch:
        return []
    start, count = page(asked)
    found = [rule(kind, number) for number, rules in enumerate(asked.state.rulesets, 1) for kind in rules.kinds]
    return found[start : start + count]


def rule(kind: str, number: int) -> dict[str, Any]:
    parameters = {"parameters": PARAMETERS[kind]} if kind in PARAMETERS else {}
    source = {"ruleset_id": number, "ruleset_source": "octo/orbit", "ruleset_source_type": "Repository"}
    return {"type": kind, **parameters, **source}


def get_ruleset(asked: Asked) -> dict[str, Any]:
    number = int(asked.parameters["ruleset_id"])
    found = dict(enumerate(asked.state.rulesets, 1)).get(number, Ruleset((), is_hidden=True))
    if found.is_hidden:
        raise ProblemError(404, "Not Found")
    bypass = {} if found.bypass is None else {"current_user_can_bypass": found.bypass}
    return {"id": number, "name": "main", "source": asked.state.repository, "enforcement": "active"} | bypass
