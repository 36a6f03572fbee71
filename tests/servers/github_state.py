"""What GitHub remembers beside the repository: its settings and pull requests, and what pushes do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.servers.github_git import BOT, RefusedError, Repository


class ProblemError(Exception):
    """What GitHub answers in place of a result: `kind` is its name in GraphQL."""

    def __init__(self, status: int, message: str, kind: str = "", errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.errors = status, message, kind, errors


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Pull:
    """A pull request between two branches, by their names."""

    number: int
    title: str
    body: str | None
    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool = False
    state: str = "open"
    merged: bool = False
    merge_commit_sha: str | None = None
    auto_merge: str | None = None  # how it is merged once the checks pass: "merge", "squash" or "rebase"
    comments: list[str] = field(default_factory=list)
    created_at: str = field(default_factory=now)
    closed_at: str | None = None

    def close(self, merge_commit: str | None = None) -> None:
        self.state, self.closed_at, self.merged = "closed", now(), merge_commit is not None
        self.merge_commit_sha = merge_commit


@dataclass
class Ruleset:
    """Rules of the default branch; `bypass` is what the token may do about them, None where GitHub does not tell."""

    kinds: tuple[str, ...]
    bypass: str | None = "never"
    is_hidden: bool = False  # an organization's, which the token may not look at


class State:
    """One repository and its settings, which a test may set."""

    def __init__(self, origin: Path, repository: str) -> None:
        self.git = Repository(origin)
        self.repository = repository
        self.former: set[str] = set()  # the names it had before
        self.pulls: list[Pull] = []
        self.default_branch = "main"
        self.archived = False
        self.allow_auto_merge = True
        self.allow_squash_merge = True
        self.allow_merge_commit = True
        self.allow_rebase_merge = True
        self.permissions = {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}
        self.private = False
        self.scopes: str | None = None  # of a classic token, which GitHub names with every answer
        self.rulesets: list[Ruleset] = []
        self.required_checks: tuple[str, ...] | None = None  # of a classic rule of the default branch; None without one
        self.enforcement = "everyone"  # whom the required checks hold for: "off", "non_admins" or "everyone"
        self.checks_pending = True  # GitHub refuses auto-merge where nothing is left to wait for

    def rename(self, name: str) -> None:
        self.former.add(self.repository.lower())
        self.repository = name

    @property
    def owner(self) -> str:
        return self.repository.partition("/")[0]

    def open_pull(self, head: str, base: str) -> Pull | None:
        return next((p for p in self.pulls if (p.state, p.head, p.base) == ("open", head, base)), None)

    def settle(self) -> None:
        """Let the open pull requests follow their branches, whoever pushed."""
        for pull in self.pulls:
            if pull.state == "open":
                self._follow(pull)

    def _follow(self, pull: Pull) -> None:
        head, base = self.git.branch(pull.head), self.git.branch(pull.base)
        tip = head or pull.head_sha
        # What the base did not have before has been merged; what it had already was moved there.
        if base and self.git.contains(base, tip) and not self.git.contains(pull.base_sha, tip):
            pull.head_sha, pull.base_sha = tip, base
            pull.close(base)
        elif not head or not base or self.git.contains(base, head):
            pull.head_sha = tip
            pull.close()
        else:
            pull.head_sha, pull.base_sha = head, base

    def merge(self, pull: Pull, method: str, title: str | None, message: str | None) -> str:
        """Merge a pull request, and return the commit that the base is at then."""
        is_allowed = {
            "merge": (self.allow_merge_commit, "Merge commits"),
            "squash": (self.allow_squash_merge, "Squash merges"),
            "rebase": (self.allow_rebase_merge, "Rebase merges"),
        }
        allowed, name = is_allowed[method]
        if not allowed:
            raise ProblemError(405, f"{name} are not allowed on this repository.")
        if pull.state != "open" or pull.draft:
            raise ProblemError(405, "Pull Request is not mergeable")
        commit = self._rebase(pull) if method == "rebase" else self._commit(pull, method, title, message)
        try:
            self.git.move(f"refs/heads/{pull.base}", commit, pull.base_sha)
        except RefusedError as error:
            raise ProblemError(405, "Base branch was modified. Review and try the merge again.") from error
        pull.close(commit)
        return commit

    def _rebase(self, pull: Pull) -> str:
        try:
            return self.git.rebased(pull.base_sha, pull.head_sha)
        except RefusedError as error:
            raise ProblemError(405, "This branch can't be rebased") from error

    def _commit(self, pull: Pull, method: str, title: str | None, message: str | None) -> str:
        tree = self.git.merged(pull.base_sha, pull.head_sha)
        if not tree:
            raise ProblemError(405, "Pull Request is not mergeable")
        is_squash = method == "squash"
        merging = f"Merge pull request #{pull.number} from {self.owner}/{pull.head}"
        title = title or (f"{pull.title} (#{pull.number})" if is_squash else merging)
        body = message if message is not None else ("" if is_squash else pull.title)
        parents = [pull.base_sha] if is_squash else [pull.base_sha, pull.head_sha]
        return self.git.commit(tree, parents, f"{title}\n\n{body}" if body else title, BOT)
