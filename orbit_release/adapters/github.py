"""GitHub's API, through PyGithub: commits on a branch, and pull requests.

PyGithub's own retries are off: it never repeats a write, and it waits a minute without a word. Here every call is
tried again where that cannot do harm, a few times and not for long; anything else is told as it is.
"""

from __future__ import annotations

import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from orbit_release.core.pull_request import PREFIX
from orbit_release.errors import (
    AccessError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from github import GithubException
    from github.PullRequest import PullRequest as RemotePullRequest
    from github.Repository import Repository
    from requests import RequestException

T = TypeVar("T")

_ATTEMPTS = 5
_LONGEST_WAIT = 60  # seconds: a limit that asks for more ends the command
_TIMEOUT = 30  # seconds for an answer
_PAGE = 100
_SERVER_FAULT = 500
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What GitHub says, whatever the status it says it with: the kind of error, what happened, and what to do next.
_REFUSALS: tuple[tuple[str, type[OrbitReleaseError], str, str], ...] = (
    (
        r"was archived",
        AccessError,
        "{repository} is archived: nothing can be published there",
        "unarchive it in its settings first.",
    ),
    (
        r"protected branch|rule violation|through a pull request|status checks? .*expected|bypass",
        AccessError,
        "{repository} protects {branch}: {said}",
        "use the token of a GitHub App that may bypass the rule (README.md shows how), or propose it with --pr.",
    ),
    (
        r"not permitted to create or approve pull requests",
        AccessError,
        "GitHub Actions may not open pull requests in {repository}",
        "allow it under Settings, Actions, General, Workflow permissions, or use the token of a GitHub App.",
    ),
    (
        r"auto.?merge is not allowed",
        ConfigurationError,
        "{repository} does not allow auto-merge",
        'turn on "Allow auto-merge" in its settings, or leave out --auto-merge.',
    ),
    (
        r"in unstable status",
        ConfigurationError,
        "{repository} requires no check, and GitHub waits for no other: the pull request is open, without auto-merge",
        "require a check in the branch's rules, or merge it by hand.",
    ),
    (
        r"not accessible by|must have admin|insufficient.?scopes|required scopes|SAML|write access|FORBIDDEN",
        AccessError,
        "GITHUB_TOKEN may not do this in {repository}: {said}",
        "it needs `contents: write`, for pull requests also `pull-requests: write`: see `permissions:` of the job.",
    ),
)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request; `head` is the commit that its branch stands at."""

    number: int
    url: str
    head: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class File:
    """A file to commit: its path, its mode as git writes it, and its bytes."""

    path: str
    mode: str
    data: bytes

    @property
    def base64(self) -> str:
        """The bytes as the API takes them."""
        return b64encode(self.data).decode()


class GitHub:
    """One repository at GitHub, or at an Enterprise server."""

    def __init__(self, api: str, repository: str, token: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Know the API's address (`https://api.github.com`), the repository (`owner/name`) and a token."""
        import github  # noqa: PLC0415  (a quarter of a second that only publishing through the API pays for)

        _check(api, repository)
        self.repository, self._sleep, self._host = repository, sleep, urlsplit(api).netloc
        self._owner = repository.partition("/")[0]
        self._client = github.Github(
            base_url=api,
            auth=github.Auth.Token(token),
            timeout=_TIMEOUT,
            user_agent="orbit-release",
            per_page=_PAGE,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )
        self._remote: Repository = self._client.get_repo(repository)

    # Commits

    def commit(self, branch: str, parent: str, files: Sequence[File], message: str) -> str | None:
        """Put one commit on a branch and return its name; None if the branch is not at `parent` any more.

        GitHub signs it. An answer that is lost does not hide the commit: a random trailer tells it apart.
        https://docs.github.com/graphql/reference/mutations#createcommitonbranch
        """
        mark = f"Orbit-Release-Id: {secrets.token_hex(16)}"
        headline, _, body = message.partition("\n\n")
        additions = [{"path": file.path, "contents": file.base64} for file in files]
        request = {
            "branch": {"repositoryNameWithOwner": self.repository, "branchName": branch},
            "expectedHeadOid": parent,
            "message": {"headline": headline, "body": f"{body.rstrip()}\n{mark}\n"},
            "fileChanges": {"additions": additions},
        }
        try:
            return self._retried(lambda: self._create(request))
        except self._faults() as error:
            is_stale, found = _kind(error) == "STALE_DATA", None
            # Also on a conflict: a request that was sent again meets the success of the first one.
            if is_stale or _may_have_arrived(error):
                found = self._call(lambda: self._find(branch, parent, mark), branch)
            if found or is_stale:
                return found
            raise self._explained(error, branch) from error

    def _create(self, request: dict[str, Any]) -> str:
        mutation = self._client.requester.graphql_named_mutation
        _, answer = mutation("createCommitOnBranch", request, "commit { oid }")
        return str(answer["commit"]["oid"])

    def _find(self, branch: str, parent: str, mark: str) -> str | None:
        for commit in islice(self._remote.get_commits(sha=branch), _PAGE):
            if commit.sha == parent:
                return None
            if mark in commit.commit.message.splitlines():
                return str(commit.sha)
        return None

    # Pull requests

    def pull_request(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request from a branch of this repository, or None."""
        found = self._call(lambda: self._open(branch, base), branch)
        return _shown(found) if found else None

    def open_releases(self, base: str) -> list[PullRequest]:
        """Return the open pull requests that this tool made for a branch."""
        return self._call(lambda: self._open_releases(base), base)

    def propose(self, branch: str, base: str, commit: str, title: str, body: str) -> PullRequest:
        """Point a branch at a commit of this repository, and open or update the pull request that it belongs to."""
        self._call(lambda: self._point(branch, commit), branch)
        return self._call(lambda: self._write(branch, base, title, body), branch)

    def store_commit(self, parent: str, files: Sequence[File], message: str) -> str:
        """Make a commit that is on no branch yet, and return its name; GitHub signs those of Apps and Actions."""
        return self._call(lambda: self._store(parent, files, message), "")

    def merge_when_ready(self, pull: PullRequest, message: str) -> bool:
        """Turn on auto-merge, with this commit message; where nothing is waited for, merge now and return True."""
        return self._call(lambda: self._auto_merge(pull, message), "")

    def close(self, pull: PullRequest, branch: str, comment: str) -> None:
        """Close a pull request, say why, and delete its branch."""
        self._call(lambda: self._close(pull, branch, comment), branch)

    def _open(self, branch: str, base: str) -> RemotePullRequest | None:
        return next(iter(self._remote.get_pulls(state="open", head=f"{self._owner}:{branch}", base=base)), None)

    def _open_releases(self, base: str) -> list[PullRequest]:
        pulls = self._remote.get_pulls(state="open", base=base)
        ours = (one for one in pulls if one.head.ref.startswith(f"{PREFIX}/"))
        return [_shown(one) for one in ours if one.head.repo and one.head.repo.full_name == one.base.repo.full_name]

    def _point(self, branch: str, commit: str) -> None:
        import github  # noqa: PLC0415

        reference = self._remote.get_git_ref(f"heads/{branch}")
        try:
            now = reference.object.sha
        except github.UnknownObjectException:
            self._remote.create_git_ref(f"refs/heads/{branch}", commit)
            return
        if now != commit:
            reference.edit(commit, force=True)

    def _write(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        found = self._open(branch, base)
        if found is None:
            found = self._remote.create_pull(base=base, head=branch, title=title, body=body)
        elif (found.title, _lines(found.body)) != (title, _lines(body)):
            found.edit(title=title, body=body)
        return _shown(found)

    def _store(self, parent: str, files: Sequence[File], message: str) -> str:
        from github import InputGitTreeElement  # noqa: PLC0415

        above = self._remote.get_git_commit(parent)
        entries = [
            InputGitTreeElement(
                file.path,
                file.mode,
                "blob",
                sha=self._remote.create_git_blob(file.base64, "base64").sha,
            )
            for file in files
        ]
        tree = self._remote.create_git_tree(entries, above.tree)
        return str(self._remote.create_git_commit(message, tree, [above]).sha)

    def _auto_merge(self, pull: PullRequest, message: str) -> bool:
        import github  # noqa: PLC0415

        remote = self._remote.get_pull(pull.number)
        method = self._merge_method()
        title, _, body = message.partition("\n\n")
        title = f"{title} (#{pull.number})"  # as GitHub has it; its default message depends on settings
        try:
            remote.enable_automerge(method.upper(), commit_headline=title, commit_body=body)
        except github.GithubException as error:
            if "in clean status" not in _said(error):  # which means: there is nothing to wait for
                raise
            remote.merge(sha=pull.head, merge_method=method, commit_title=title, commit_message=body)
            return True
        return False

    def _merge_method(self) -> str:
        allowed = {  # a rebase last: it makes no commit that could have our message
            "squash": self._remote.allow_squash_merge,
            "merge": self._remote.allow_merge_commit,
            "rebase": self._remote.allow_rebase_merge,
        }
        return next((name for name, on in allowed.items() if on), "merge")

    def _close(self, pull: PullRequest, branch: str, comment: str) -> None:
        import github  # noqa: PLC0415

        remote = self._remote.get_pull(pull.number)
        remote.edit(state="closed")
        remote.create_issue_comment(comment)
        reference = self._remote.get_git_ref(f"heads/{branch}")
        try:
            if reference.object.sha == pull.head:  # what somebody pushed meanwhile is not ours to delete
                reference.delete()
        except github.UnknownObjectException:
            pass  # the repository deletes head branches itself

    # Faults

    @staticmethod
    def _faults() -> tuple[type[GithubException], type[RequestException]]:
        from github import GithubException  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        return GithubException, RequestException

    def _call(self, action: Callable[[], T], branch: str) -> T:
        try:
            return self._retried(action)
        except self._faults() as error:
            raise self._explained(error, branch) from error

    def _retried(self, action: Callable[[], T]) -> T:
        for attempt in range(_ATTEMPTS - 1):
            try:
                return action()
            except self._faults() as error:
                pause = _pause(error, attempt)
                if pause is None:
                    raise
            self._sleep(pause)
        return action()

    def _explained(self, error: GithubException | RequestException, branch: str) -> OrbitReleaseError:
        said, status = _said(error), getattr(error, "status", None)
        if limited := _limit(error, said):
            return limited
        for pattern, kind, message, hint in _REFUSALS:
            if re.search(pattern, f"{said} {_kind(error)}", re.IGNORECASE):
                return kind(message.format(repository=self.repository, branch=branch, said=said), hint)
        if status == 401:  # noqa: PLR2004  (https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api)
            return AccessError("GitHub does not accept GITHUB_TOKEN", "it is wrong or expired: make a new one.")
        if status == 404:  # noqa: PLR2004
            hint = "check GITHUB_REPOSITORY, and that the token may see it."
            return NotFoundError(f"{self._host} shows no {self.repository} to this token", hint)
        if status and status < _SERVER_FAULT:
            return ConflictError(f"{self._host} refuses: {said}", "look at the repository on GitHub, and run it again.")
        hint = "run it again later: nothing is published twice. https://www.githubstatus.com tells of outages."
        return UnavailableError(f"{self._host} does not answer: {said}", hint)


def _check(api: str, repository: str) -> None:
    url = urlsplit(api)
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        raise UsageError(f"{api} is not https", "set GITHUB_API_URL to the https address of GitHub's API.")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository of GitHub", "set GITHUB_REPOSITORY to owner/name.")


def _shown(pull: RemotePullRequest) -> PullRequest:
    return PullRequest(pull.number, pull.html_url, pull.head.sha, pull.title, pull.body or "")


def _lines(body: str | None) -> list[str]:
    return (body or "").splitlines()  # GitHub's own editor writes CRLF


def _kind(error: Exception) -> str:
    """Return the type of a GraphQL error, or ""."""
    match getattr(error, "data", None):
        case {"errors": [{"type": str(kind)}, *_]}:
            return kind
    return ""


def _said(error: Exception) -> str:
    match getattr(error, "data", None):
        case {"errors": [{"message": str(said)}, *_]}:
            pass
        case {"message": str(said)}:
            pass
        case _:
            status = getattr(error, "status", None)
            said = f"status {status}" if status else type(error).__name__
    return " ".join(said.split())


def _may_have_arrived(error: Exception) -> bool:
    status = getattr(error, "status", None)
    return status is None or status >= _SERVER_FAULT


def _headers(error: Exception) -> dict[str, str]:
    return {name.lower(): value for name, value in (getattr(error, "headers", None) or {}).items()}


def _pause(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before another attempt; None where another one would not help."""
    wait = _headers(error).get("retry-after", "")
    if wait.isdigit():
        return float(wait) if int(wait) <= _LONGEST_WAIT else None
    return float(2**attempt) if _may_have_arrived(error) else None


def _limit(error: Exception, said: str) -> OrbitReleaseError | None:
    """Return what to tell about a rate limit.

    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    headers = _headers(error)
    if "secondary rate limit" in said.lower():
        seconds = headers.get("retry-after", str(_LONGEST_WAIT))
        hint = f"run it again in {seconds} seconds, and with fewer jobs at once: nothing was published."
        return UnavailableError("GitHub's secondary rate limit holds this token back", hint)
    if headers.get("x-ratelimit-remaining") == "0" or "rate limit exceeded" in said.lower():
        reset = headers.get("x-ratelimit-reset", "")
        until = time.strftime("%H:%M:%S UTC", time.gmtime(int(reset))) if reset.isdigit() else "in an hour"
        hint = f"run it again after {until}, or use the token of a GitHub App, which has a limit of its own."
        return UnavailableError("GITHUB_TOKEN has used up GitHub's rate limit: nothing was published", hint)
    return None
