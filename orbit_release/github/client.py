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
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from orbit_release.errors import AccessError, NotFoundError, UnavailableError, UsageError
from orbit_release.github.faults import Asked, Fault, explained
from orbit_release.github.pull_request import PREFIX
from orbit_release.github.push_rights import Access, Rule, required_checks

if TYPE_CHECKING:
    from github import GithubException
    from github.PullRequest import PullRequest as RemotePullRequest
    from github.Repository import Repository
    from requests import RequestException

T = TypeVar("T")

TOKEN_HINT = "GITHUB_TOKEN=$(gh auth token), or a token with `contents: write` and `pull-requests: write`."  # noqa: S105  (says how to get one)

_APP_TOKEN = "ghs_"  # noqa: S105  (what the token of an installation begins with, Actions' own included)
_ATTEMPTS = 5
_TIMEOUT = 30  # seconds for an answer
_PAGE = 100
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_TOKEN = re.compile(r"[!-~]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request to the branch `base`; `head` is the commit that its own branch stands at."""

    number: int
    url: str
    base: str
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
        """Know the API's address (`https://api.github.com`), the repository (`owner/name`) and a token.

        `timeout`: seconds for an answer; `attempts`: how often a call is tried where trying again can help.
        """
        import github  # noqa: PLC0415  (a quarter of a second that only publishing through the API pays for)

        token = _plain(token)
        _check(api, repository)
        self.repository, self._sleep, self._host = repository, sleep, urlsplit(api).netloc
        self._attempts, self._is_app = attempts, token.startswith(_APP_TOKEN)
        self._owner = repository.partition("/")[0]
        self._client = github.Github(
            base_url=api,
            auth=github.Auth.Token(token),
            timeout=timeout,
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
        request = self._request(branch, parent, files, f"{message.rstrip()}\n{mark}\n")
        met: list[Fault] = []
        try:
            return self._retried(lambda: self._create(request, met))
        except self._faults() as error:
            is_lost, is_stale = any(one.may_have_arrived for one in met), met[-1].kind == "STALE_DATA"
            # Also on a conflict or a limit: a request that was sent again may meet the success of the first one.
            find = partial(self._find, branch, parent, mark)
            found = self._call(find, branch) if is_stale or is_lost else None
            if found or is_stale:
                return found
            if met[-1].status == 404:  # noqa: PLR2004
                self._call(self._require_name, branch)  # which knows better why
            asked = Asked(self._host, self.repository, branch, ", or propose it with --pr", undone=not is_lost)
            raise explained(met[-1], asked) from error

    def _request(self, branch: str, parent: str, files: Sequence[File], message: str) -> dict[str, Any]:
        headline, _, body = message.partition("\n\n")
        return {
            "branch": {"repositoryNameWithOwner": self.repository, "branchName": branch},
            "expectedHeadOid": parent,
            "message": {"headline": headline, "body": body},
            "fileChanges": {"additions": [{"path": file.path, "contents": file.base64} for file in files]},
        }

    def _create(self, request: dict[str, Any], met: list[Fault]) -> str:
        mutation = self._client.requester.graphql_named_mutation
        try:
            _, answer = mutation("createCommitOnBranch", request, "commit { oid }")
        except self._faults() as error:
            met.append(Fault.of(error))
            raise
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

    def store_commit(self, branch: str, parent: str, files: Sequence[File], message: str) -> str:
        """Make a commit that is on no branch yet, and return its name; GitHub signs those of Apps and Actions."""
        return self._call(lambda: self._store(parent, files, message), branch)

    def merge_when_ready(self, pull: PullRequest, message: str) -> str | None:
        """Turn on auto-merge, with this commit message; where nothing is waited for, merge now, and return the commit.

        Where it is merged already, that is done, too.
        """
        return self._call(lambda: self._auto_merge(pull, message), pull.base)

    def close(self, pull: PullRequest, branch: str, comment: str) -> None:
        """Close a pull request, say why, and delete its branch."""
        self._call(lambda: self._close(pull, branch, comment), branch)

    def _open(self, branch: str, base: str) -> RemotePullRequest | None:
        found = self._remote.get_pulls(state="open", head=f"{self._owner}:{branch}", base=base)
        # GitHub lists every pull request where it does not understand whose are asked for.
        return next((one for one in found if (one.head.ref, one.base.ref) == (branch, base)), None)

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

    def _auto_merge(self, pull: PullRequest, message: str) -> str | None:
        import github  # noqa: PLC0415

        remote = self._remote.get_pull(pull.number)
        if remote.merged:  # by an attempt whose answer was lost, or by somebody else
            return remote.merge_commit_sha
        method = self._merge_method()
        title, _, body = message.partition("\n\n")
        title = f"{title} (#{pull.number})"  # as GitHub has it; its default message depends on settings
        try:
            remote.enable_automerge(method.upper(), commit_headline=title, commit_body=body)
        except github.GithubException as error:
            if "in clean status" not in Fault.of(error).said:  # which means: there is nothing to wait for
                raise
            done = remote.merge(sha=pull.head, merge_method=method, commit_title=title, commit_message=body)
            return done.sha
        return None

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

    # Permissions

    def access(self, branch: str) -> Access:
        """Return what this token may do on a branch, as far as GitHub tells."""
        return self._call(lambda: self._access(branch), branch)

    def _access(self, branch: str) -> Access:
        import github  # noqa: PLC0415

        permissions = self._remote.permissions
        is_admin, can_push = (bool(permissions and getattr(permissions, name)) for name in ("admin", "push"))
        try:
            found = self._remote.get_branch(branch)
        except github.GithubException as error:
            if error.status != 404:  # noqa: PLR2004
                raise
            hint = "push it, or set `branch:` in orbit-release.yaml."
            raise NotFoundError(f"{self.repository} has no branch {branch}", hint) from error
        scopes = self._client.oauth_scopes
        return Access(
            can_push or (None if self._is_app else False),  # the role is its user's, and an App has none
            bool(self._remote.archived),
            bool(self._remote.private),
            tuple(scopes) if scopes is not None else None,
            bool(found.raw_data["protection"].get("enabled")),  # `protected` is true of rulesets as well
            required_checks(found.raw_data, is_admin=is_admin),
            self._rules(branch),
        )

    def _rules(self, branch: str) -> tuple[Rule, ...]:
        """Return the rules of the repository and its organization that hold for a branch."""
        rules = self._asked(f"rules/branches/{quote(branch, safe='')}?per_page={_PAGE}")
        bypasses = {number: self._bypass(number) for number in {rule.get("ruleset_id") for rule in rules}}
        return tuple(Rule(str(rule["type"]), bypasses[rule.get("ruleset_id")]) for rule in rules)

    def _bypass(self, ruleset: int | None) -> str | None:
        import github  # noqa: PLC0415

        try:
            found = self._asked(f"rulesets/{ruleset}") if ruleset is not None else {}
        except github.GithubException as error:
            if error.status not in (403, 404):
                raise
            return None  # an organization's ruleset, which not everybody may look at
        bypass = found.get("current_user_can_bypass")
        return str(bypass) if bypass else None

    def _asked(self, what: str) -> Any:
        _, answer = self._client.requester.requestJsonAndCheck("GET", f"/repos/{self.repository}/{what}")
        return answer

    # Faults

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

    @staticmethod
    def _faults() -> tuple[type[GithubException], type[RequestException]]:
        from github import GithubException  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        return GithubException, RequestException

    def _call(self, action: Callable[[], T], branch: str) -> T:
        try:
            self._retried(self._require_name)
            return self._retried(action)
        except self._faults() as error:
            raise explained(Fault.of(error), Asked(self._host, self.repository, branch)) from error

    def _retried(self, action: Callable[[], T]) -> T:
        for attempt in range(self._attempts - 1):
            try:
                return action()
            except self._faults() as error:
                pause = Fault.of(error).pause(attempt)
                if pause is None:
                    raise
            self._sleep(pause)
        return action()


def _plain(token: str) -> str:
    """Return the token without the line feed that a file or a secret ends with; what no header can carry is refused.

    The error that comes of it where it is sent quotes the header.
    """
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        message = "GITHUB_TOKEN is not a token: it holds a blank or a character that no header can carry"
        raise AccessError(message, "copy it again, without quotes and line feeds.")
    return token


def _check(api: str, repository: str) -> None:
    url = urlsplit(api)
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        raise UsageError(f"{api} is not https", "set GITHUB_API_URL to the https address of GitHub's API.")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository of GitHub", "set GITHUB_REPOSITORY to owner/name.")


def _shown(pull: RemotePullRequest) -> PullRequest:
    return PullRequest(pull.number, pull.html_url, pull.base.ref, pull.head.sha, pull.title, pull.body or "")


def _lines(body: str | None) -> list[str]:
    return (body or "").splitlines()  # GitHub's own editor writes CRLF
