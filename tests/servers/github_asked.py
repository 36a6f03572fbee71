"""What is asked of the REST API, and what many of its answers show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.github_git import BOT, GITHUB, Person
from tests.servers.github_state import ProblemError, State

LOGIN = "github-actions[bot]"


@dataclass(frozen=True)
class Asked:
    """A request that keeps to the description; `url` is the repository's."""

    state: State
    url: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def ref(self) -> str:
        return f"refs/{self.parameters['ref']}"


def invalid(resource: str, **fields: str) -> ProblemError:
    """Return what GitHub says of a value that it cannot take."""
    return ProblemError(422, "Validation Failed", errors=[{"resource": resource, **fields}])


def page(asked: Asked) -> tuple[int, int]:
    """Return how many items come before the page, and how many it has."""
    count = min(int(asked.query.get("per_page", "30")), 100)
    return (int(asked.query.get("page", "1")) - 1) * count, count


def get_repository(asked: Asked) -> dict[str, Any]:
    state = asked.state
    names = ("default_branch", "archived", "private", "permissions", "allow_auto_merge")
    methods = ("allow_squash_merge", "allow_merge_commit", "allow_rebase_merge")
    settings = {name: getattr(state, name) for name in (*names, *methods)}
    name = state.repository.partition("/")[2]
    return {
        "id": 1,
        "name": name,
        "full_name": state.repository,
        "url": asked.url,
        "owner": user(state.owner),
    } | settings


def user(login: str) -> dict[str, Any]:
    return {"login": login, "id": 1}


def account(person: Person) -> dict[str, Any]:
    """Return whose address it is, or an empty object where GitHub knows no account."""
    login = {BOT.email: LOGIN, GITHUB.email: "web-flow"}.get(person.email)
    return user(login) if login else {}
