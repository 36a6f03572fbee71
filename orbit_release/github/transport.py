"""PyGithub's connections, under the policy that holds for every server."""

from __future__ import annotations

from typing import Any

from github import Auth, Github
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

from orbit_release.http import Session

_MOST_BYTES = 64 * 1024 * 1024
_PAGE = 100


class _Http(HTTPRequestsConnectionClass):
    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.session = Session(_MOST_BYTES)


class _Https(HTTPSRequestsConnectionClass):
    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.session = Session(_MOST_BYTES)


def connect(api: str, token: str, timeout: int) -> Github:
    """Return a client that neither repeats anything nor waits by itself; `timeout`: seconds for an answer."""
    Requester.injectConnectionClasses(_Http, _Https)  # a client takes them when it is made
    try:
        return Github(
            base_url=api,
            auth=Auth.Token(token),
            timeout=timeout,
            user_agent="orbit-release",
            per_page=_PAGE,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )
    finally:
        Requester.resetConnectionClasses()
