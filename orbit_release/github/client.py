"""GitHub's API, through PyGithub: commits on a branch, pull requests, and what a token may do.

PyGithub's own retries are off: it never repeats a write, and it waits a minute without a word. Here every call is
tried again where that cannot do harm, a few times and not for long; anything else is told as it is.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from github import Auth, Github, GithubException
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester
from requests import RequestException

from orbit_release.errors import AccessError, UnavailableError, UnusableError, UsageError
from orbit_release.github import pull_request as pulls
from orbit_release.github.commits import File, commit_request, find_commit, store_commit
from orbit_release.github.faults import Asked, Fault, explained
from orbit_release.github.pull_request import PullRequest
from orbit_release.github.push_rights import PushRights, push_rights
from orbit_release.http import HttpSession, TooLargeError, is_secure, is_token

T = TypeVar("T")

TOKEN_HINT = "GITHUB_TOKEN=$(gh auth token), or a token with `contents: write` and `pull-requests: write`."  # noqa: S105  (says how to get one)

_ATTEMPTS = 5
_TIMEOUT = 30  # seconds for an answer
_MOST_BYTES = 64 * 1024 * 1024
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_FAULTS = (GithubException, RequestException)


class GitHub:
    """One repository at GitHub, or at an Enterprise server."""

    def __init__(
        self,
        api: str,
        repository: str,
        token: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: int = _TIMEOUT,
        attempts: int = _ATTEMPTS,
    ) -> None:
        """Take the API's address (`https://api.github.com`), the repository (`owner/name`) and a token.

        `timeout`: seconds for an answer; `attempts`: how often a call is tried where trying again can help.
        """
        token = token.strip()  # a file or a secret may end with a line feed
        _check(api, repository, token)
        self.repository, self._sleep, self._host = repository, sleep, urlsplit(api).netloc
        self._token, self._attempts = token, attempts
        self._is_app = token.startswith("ghs_")  # as the tokens of installations do, Actions' own included
        self._client = _connect(api, token, timeout)
        self._remote = self._client.get_repo(repository)

    def commit(self, branch: str, parent: str, files: Sequence[File], message: str) -> str | None:
        """Put one commit on a branch and return its name; None if the branch is not at `parent` any more.

        GitHub signs it. An answer that is lost does not hide the commit: a random trailer tells it apart.
        """
        mark = f"Orbit-Release-Id: {secrets.token_hex(16)}"
        request = commit_request(self.repository, branch, parent, files, f"{message.rstrip()}\n{mark}\n")
        met: list[Fault] = []
        try:
            return self._retry(lambda: self._create(request, met))
        except _FAULTS as error:
            is_lost, is_stale = any(fault.may_have_arrived for fault in met), met[-1].kind == "STALE_DATA"
            # Also on a conflict or a limit: a request that was sent again may meet the success of the first one.
            find = partial(find_commit, self._remote, branch, parent, mark)
            commit = self._call(find, branch) if is_stale or is_lost else None
            if commit or is_stale:
                return commit
            if met[-1].status == 404:  # noqa: PLR2004
                self._call(self._require_name, branch)  # which knows better why
            asked = Asked(self._host, self.repository, branch, ", or propose it with --pr", undone=not is_lost)
            raise explained(met[-1], asked) from error

    def _create(self, request: dict[str, Any], met: list[Fault]) -> str:
        mutation = self._client.requester.graphql_named_mutation
        try:
            _, answer = mutation("createCommitOnBranch", request, "commit { oid }")
        except _FAULTS as error:
            met.append(Fault.of(error, self._token))
            raise
        return str(answer["commit"]["oid"])

    def store_commit(self, branch: str, parent: str, files: Sequence[File], message: str) -> str:
        """Make a commit that is on no branch yet, and return its name; GitHub signs those of Apps and Actions."""
        return self._call(lambda: store_commit(self._remote, parent, files, message), branch)

    def pull_request(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request from a branch of this repository, or None."""
        pull = self._call(lambda: pulls.find_pull(self._remote, branch, base), branch)
        return PullRequest.of(pull) if pull else None

    def open_releases(self, base: str) -> list[PullRequest]:
        """Return the open pull requests that this tool made for a branch."""
        return self._call(lambda: pulls.open_releases(self._remote, base), base)

    def propose(self, branch: str, base: str, commit: str, title: str, body: str) -> PullRequest:
        """Point a branch at a commit of this repository, and open or update the pull request that it belongs to."""
        self._call(lambda: pulls.point_branch(self._remote, branch, commit), branch)
        return self._call(lambda: pulls.write_pull(self._remote, branch, base, title, body), branch)

    def merge_when_ready(self, pull: PullRequest, message: str) -> str | None:
        """Turn on auto-merge, with this commit message; where nothing is waited for, merge now, and return the commit.

        Where it is merged already, that is done, too.
        """
        return self._call(lambda: pulls.merge_pull(self._remote, pull, message), pull.base)

    def close(self, pull: PullRequest, branch: str, comment: str) -> None:
        """Close a pull request, say why, and delete its branch."""
        self._call(lambda: pulls.close_pull(self._remote, pull, branch, comment), branch)

    def push_rights(self, branch: str) -> PushRights:
        return self._call(lambda: push_rights(self._client, self._remote, branch, is_app=self._is_app), branch)

    def _require_name(self) -> None:
        """Refuse a name that the repository had once.

        GitHub sends on who asks by it. PyGithub follows without the query, so that a list holds what nobody asked for,
        and takes a write that was sent on for done.
        """
        try:  # the property would repeat the name that it was made with
            name = str(self._remote.raw_data["full_name"])
        except (KeyError, TypeError, ValueError, AssertionError) as error:  # PyGithub stumbles over what is no answer
            hint = "check GITHUB_API_URL: https://api.github.com, or https://HOST/api/v3."
            raise UnavailableError(f"{self._host} does not answer as GitHub's API does", hint) from error
        if name.lower() != self.repository.lower():
            hint = "set the remote to its address with `git remote set-url`, and GITHUB_REPOSITORY to its name."
            raise UsageError(f"{self.repository} is called {name} now", hint)

    def _call(self, action: Callable[[], T], branch: str) -> T:
        try:
            self._retry(self._require_name)
            return self._retry(action)
        except _FAULTS as error:
            raise explained(Fault.of(error, self._token), Asked(self._host, self.repository, branch)) from error

    def _retry(self, action: Callable[[], T]) -> T:
        for attempt in range(self._attempts - 1):
            try:
                return self._ask(action)
            except _FAULTS as error:
                pause = Fault.of(error, self._token).pause(attempt)
                if pause is None:
                    raise
            self._sleep(pause)
        return self._ask(action)

    def _ask(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except TooLargeError as error:
            raise UnusableError(f"{self._host} answers with {error}", "check GITHUB_API_URL.") from error


def _check(api: str, repository: str, token: str) -> None:
    if not is_token(token):
        message = "GITHUB_TOKEN is not a token: it holds a blank or a character that no header can carry"
        raise AccessError(message, "copy it again, without quotes and line feeds.")
    if not is_secure(api):
        raise UsageError(f"{api} is not https", "set GITHUB_API_URL to the https address of GitHub's API.")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository of GitHub", "set GITHUB_REPOSITORY to owner/name.")


class _Http(HTTPRequestsConnectionClass):
    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.session = HttpSession(_MOST_BYTES)


class _Https(HTTPSRequestsConnectionClass):
    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.session = HttpSession(_MOST_BYTES)


Requester.injectConnectionClasses(_Http, _Https)  # for good: each connection that it makes keeps the one policy


def _connect(api: str, token: str, timeout: int) -> Github:
    """Return a client that neither repeats anything nor waits by itself; `timeout`: seconds for an answer."""
    return Github(
        base_url=api,
        auth=Auth.Token(token),
        timeout=timeout,
        user_agent="orbit-release",
        per_page=100,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
        lazy=True,
    )
