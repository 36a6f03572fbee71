"""publish: put a release on the release branch, through git, GitHub's API or a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.adapters.git.clone import Clone, Tip
from orbit_release.adapters.git.publish import file_mode, publish
from orbit_release.core.manifest import Edit, find_images
from orbit_release.core.pull_request import body
from orbit_release.core.release import Notes, Release
from orbit_release.errors import InvalidError
from orbit_release.flows.release import Landed, Publish
from orbit_release.flows.source import commit_of

if TYPE_CHECKING:
    from orbit_release.adapters.github import File, GitHub

_PLAIN = "100644"
_OTHERWISE = "publish with --via git, or make it a plain file: `git update-index --chmod=-x`."


def through_git(git: Clone) -> Publish:
    """Return what pushes a commit made here, or moves the clone's own branch where that is the tip."""

    def put(tip: Tip, release: Release, notes: Notes) -> Landed | None:
        commit = publish(git, tip, release.files, notes.message())
        return Landed(commit) if commit else None

    return put


def through_api(git: Clone, github: GitHub) -> Publish:
    """Return what makes GitHub commit; InvalidError for a manifest that it would not keep as it is."""

    def put(tip: Tip, release: Release, notes: Notes) -> Landed | None:
        files = _files(git, tip, release.files)
        for file in files:
            if file.mode != _PLAIN:  # createCommitOnBranch knows no modes and would change it
                raise InvalidError(f"{file.path} is executable, and GitHub's API would change that", _OTHERWISE)
        commit = github.commit(tip.branch, tip.commit, files, notes.message())
        return Landed(commit) if commit else None

    return put


def _files(git: Clone, tip: Tip, files: Mapping[str, bytes]) -> list[File]:
    from orbit_release.adapters.github import File  # noqa: PLC0415

    for path in files:
        if not path.isprintable():  # surrogates stand for bytes that are no UTF-8, and are not printable either
            raise InvalidError(f"{path!r} is no text, and GitHub's API takes no other name", "publish with --via git.")
    return [File(path, file_mode(git.process, tip.commit, path), data) for path, data in files.items()]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One branch's pull request. `forward`: what it proposes is never replaced by something older."""

    git: Clone
    github: GitHub
    branch: str
    forward: bool
    auto_merge: bool

    def put(self, tip: Tip, release: Release, notes: Notes) -> Landed:
        """Open the pull request of a release, or bring the open one up to date."""
        pull = self.github.pull_request(self.branch, tip.branch)
        head = self.git.fetch_commit(pull.head) if pull else None
        if pull is None or head is None or not (self.forward and self._is_newer(head, release)):
            commit = head if head and self._proposes(head, release) else self._store(tip, release, notes)
            pull = self.github.propose(self.branch, tip.branch, commit, notes.title, body(notes))
        if self.auto_merge:
            self.github.merge_when_ready(pull, notes.message())
        return Landed(pull.head, pull.url)

    def withdraw(self, branch: str) -> str | None:
        """Close the open pull request, which would change nothing any more; return its address, if there is one."""
        pull = self.github.pull_request(self.branch, branch)
        if pull:
            self.github.close(pull, self.branch, f"Closed: there is nothing left to release, `{branch}` has it all.")
        return pull.url if pull else None

    def _store(self, tip: Tip, release: Release, notes: Notes) -> str:
        return self.github.store_commit(tip.commit, _files(self.git, tip, release.files), notes.message())

    def _proposes(self, head: str, release: Release) -> bool:
        """Whether a commit makes just this release, so that its checks and reviews need not be had again."""
        parent = self.git.commit(f"{head}^")
        changed = {file.path for file in self.git.changes([parent], head)[parent]} if parent else set()
        wanted = {path.encode("utf-8", "surrogateescape"): data for path, data in release.files.items()}
        return changed == wanted.keys() and all(self.git.file(head, p) == data for p, data in release.files.items())

    def _is_newer(self, head: str, release: Release) -> bool:
        """Whether a commit proposes a newer image of one of the services: a run that came late does not replace it."""
        return any(self._has_newer(head, edit) for edit in release.edits)

    def _has_newer(self, head: str, edit: Edit) -> bool:
        ours = commit_of(self.git, edit.after, None)
        data = self.git.file(head, edit.path)
        found = find_images(data, edit.path, {edit.after.repository}) if data else ()
        theirs = {commit_of(self.git, image.reference, None) for image in found} - {ours, None}
        return bool(ours) and any(
            self.git.history([ours, one]).is_ancestor(ours, one) for one in theirs if ours and one
        )
