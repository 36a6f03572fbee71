"""Commits that GitHub makes, and signs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from github import InputGitTreeElement
from github.Repository import Repository

_LOOKED_AT = 100  # commits of a branch, for ours


@dataclass(frozen=True, slots=True)
class File:
    """A file to commit: its path, its mode as git writes it, and its bytes."""

    path: str
    mode: str
    data: bytes

    @property
    def base64(self) -> str:
        return b64encode(self.data).decode()


def commit_request(repository: str, branch: str, parent: str, files: Sequence[File], message: str) -> dict[str, Any]:
    """Return what asks for a commit on top of `parent`, and of nothing else.

    https://docs.github.com/graphql/reference/mutations#createcommitonbranch
    """
    headline, _, body = message.partition("\n\n")
    return {
        "branch": {"repositoryNameWithOwner": repository, "branchName": branch},
        "expectedHeadOid": parent,
        "message": {"headline": headline, "body": body},
        "fileChanges": {"additions": [{"path": file.path, "contents": file.base64} for file in files]},
    }


def find_commit(remote: Repository, branch: str, parent: str, mark: str) -> str | None:
    """Return the commit above `parent` that has the mark as a line of its message."""
    for commit in islice(remote.get_commits(sha=branch), _LOOKED_AT):
        if commit.sha == parent:
            return None
        if mark in commit.commit.message.splitlines():
            return str(commit.sha)
    return None


def store_commit(remote: Repository, parent: str, files: Sequence[File], message: str) -> str:
    above = remote.get_git_commit(parent)
    blobs = {file: remote.create_git_blob(file.base64, "base64").sha for file in files}
    entries = [InputGitTreeElement(file.path, file.mode, "blob", sha=blob) for file, blob in blobs.items()]
    tree = remote.create_git_tree(entries, above.tree)
    return str(remote.create_git_commit(message, tree, [above]).sha)
