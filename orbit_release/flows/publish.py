"""publish: put a release on the release branch, through git, GitHub's API or a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.flows.publish_until_landed import Landed, OvertakenError, Withdrawal
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.push import file_mode, publish
from orbit_release.github.commits import File
from orbit_release.github.pull_request import body
from orbit_release.image import Repository
from orbit_release.releases.messages import Notes
from orbit_release.releases.release import Release

if TYPE_CHECKING:
    from orbit_release.github.client import GitHub

_PLAIN = "100644"
_OTHERWISE = "publish with --via git, or make it a plain file: `git update-index --chmod=-x`."


def put_by_git(git: Clone, tip: Tip, release: Release, notes: Notes) -> Landed:
    """Push a commit made here, or move the clone's own branch where that is the tip."""
    return _landed(publish(git, tip, release.files, notes.message()))


def put_by_api(git: Clone, github: GitHub, tip: Tip, release: Release, notes: Notes) -> Landed:
    """Have GitHub commit; InvalidError for a manifest that it would not keep as it is."""
    files = _files(git, tip, release.files)
    for file in files:
        if file.mode != _PLAIN:  # createCommitOnBranch knows no modes and would change it
            raise InvalidError(f"{file.path} is executable, and GitHub's API would change that", _OTHERWISE)
    return _landed(github.commit(tip.branch, tip.commit, files, notes.message()))


def _landed(commit: str | None) -> Landed:
    if commit is None:
        raise OvertakenError
    return Landed(commit)


def _files(git: Clone, tip: Tip, files: Mapping[str, bytes]) -> list[File]:
    for path in files:
        if not path.isprintable():  # surrogates stand for bytes that are no UTF-8, and are not printable either
            raise InvalidError(f"{path!r} is no text, and GitHub's API takes no other name", "publish with --via git.")
    return [File(path, file_mode(git.process, tip.commit, path), data) for path, data in files.items()]


@dataclass(frozen=True, slots=True)
class ReleasePullRequest:
    """The pull request of one branch. `forward`: what it proposes is never replaced by something older."""

    source: Source
    github: GitHub
    branch: str
    forward: bool
    auto_merge: bool

    def put(self, tip: Tip, release: Release, notes: Notes) -> Landed:
        """Open the pull request of a release, or bring the open one up to date; what is newer stays as it is."""
        pull = self.github.pull_request(self.branch, tip.branch)
        head = self.source.git.fetch_commit(pull.head) if pull else None
        released = {edit.after.repository: self.source.commit_of(edit.after) for edit in release.edits}
        if pull and head and self.forward and self._carries_newer(tip, head, released):
            return Landed(pull.head, pull.url, is_newer=True)
        if head and self._proposes(tip, head, release):
            commit = head
        else:
            files = _files(self.source.git, tip, release.files)
            commit = self.github.store_commit(self.branch, tip.commit, files, notes.message())
        pull = self.github.propose(self.branch, tip.branch, commit, notes.title, body(notes))
        merged = self.github.merge_when_ready(pull, notes.message()) if self.auto_merge else None
        return Landed(merged) if merged else Landed(pull.head, pull.url)

    def withdraw(self, known: str | None) -> Withdrawal | None:
        """Close the open pull request, if there is one, unless it carries what is newer than the commit `known`."""
        branch = self.source.config.branch
        pull = self.github.pull_request(self.branch, branch)
        if pull is None:
            return None
        head, tip = self.source.git.fetch_commit(pull.head), self.source.git.tip(branch, fetch=True)
        bounds = {service.repository: known for service in self.source.config.services}
        if known and head and self._carries_newer(tip, head, bounds):
            return Withdrawal(pull.url, is_closed=False)
        self.github.close(pull, self.branch, "Closed: there is nothing to release any more.")
        return Withdrawal(pull.url, is_closed=True)

    def _proposes(self, tip: Tip, head: str, release: Release) -> bool:
        """Whether a commit makes just this release, so that its checks and reviews need not be had again.

        It must have been made from what the release branch still has: else it conflicts, or brings back what a
        force-push took away.
        """
        git = self.source.git
        parent = git.commit(f"{head}^")
        if parent is None or not self.source.is_ancestor(parent, tip.commit):
            return False
        changed = {file.path for file in git.changes([parent], head)[parent]}
        return changed == {path.encode("utf-8", "surrogateescape") for path in release.changes} and all(
            (git.file(parent, path), git.file(head, path)) == (change.before, change.after)
            for path, change in release.changes.items()
        )

    def _carries_newer(self, tip: Tip, head: str, bounds: Mapping[Repository, str | None]) -> bool:
        """Whether a commit changes an image to one that its bound has not seen, and that the release branch has."""
        carried, deployed = self.source.references_at(head), self.source.references_at(tip.commit)
        is_ancestor = self.source.is_ancestor
        return any(
            is_ancestor(commit, tip.commit) and not is_ancestor(commit, bound)
            for repository, bound in bounds.items()
            for reference in carried[repository] - deployed[repository]
            if bound and (commit := self.source.commit_of(reference))
        )
