"""The pull request for a release: what it is called, what it says, and how it is opened, merged and closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.github.faults import Fault
from orbit_release.releases.messages import Notes, summary

# PyGithub is imported where it is called: releases that are pushed need a name and a text only.
if TYPE_CHECKING:
    from github.PullRequest import PullRequest as RemotePullRequest
    from github.Repository import Repository

_PREFIX = "orbit-release"
_LONGEST = 100  # characters of names in a branch's name
_SYNCS = "Merging this makes Argo CD (or Flux) sync these images."
_FOOTERS = {
    "release": f"""
{_SYNCS} Until then `orbit-release` keeps it up to date: it replaces
whatever is pushed to this branch, and closes the pull request once it would change nothing.
""",
    "rollback": f"\n{_SYNCS}\n",
}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request to the branch `base`; `head` is the commit that its own branch stands at."""

    number: int
    url: str
    base: str
    head: str
    title: str
    body: str

    @classmethod
    def of(cls, pull: RemotePullRequest) -> PullRequest:
        return cls(pull.number, pull.html_url, pull.base.ref, pull.head.sha, pull.title, pull.body or "")


def branch_name(services: Iterable[str], everything: Iterable[str], verb: str = "") -> str:
    """Return the branch that belongs to what is done to a set of services out of all that there are."""
    wanted = sorted(set(services))
    prefix = f"{_PREFIX}/{verb}" if verb else _PREFIX
    if wanted == sorted(everything):
        return f"{prefix}/all"
    names = "+".join(wanted)
    if len(names) > _LONGEST or names.endswith(".lock"):  # git-check-ref-format(1)
        names = f"{len(wanted)}-{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    return f"{prefix}/only/{names}"


def body(notes: Notes) -> str:
    """Return the description in Markdown: the services with their tags, a compare link and the image."""
    return f"{summary(notes)}{_FOOTERS.get(notes.verb, '')}"


def find_pull(remote: Repository, branch: str, base: str) -> RemotePullRequest | None:
    pulls = remote.get_pulls(state="open", head=f"{remote.full_name.partition('/')[0]}:{branch}", base=base)
    # GitHub lists every pull request where it does not understand whose are asked for.
    return next((pull for pull in pulls if (pull.head.ref, pull.base.ref) == (branch, base)), None)


def open_releases(remote: Repository, base: str) -> list[PullRequest]:
    pulls = remote.get_pulls(state="open", base=base)
    named = (pull for pull in pulls if pull.head.ref.startswith(f"{_PREFIX}/"))
    ours = (pull for pull in named if pull.head.repo and pull.head.repo.full_name == pull.base.repo.full_name)
    return [PullRequest.of(pull) for pull in ours]


def point_branch(remote: Repository, branch: str, commit: str) -> None:
    from github import UnknownObjectException  # noqa: PLC0415

    reference = remote.get_git_ref(f"heads/{branch}")
    try:
        now = reference.object.sha
    except UnknownObjectException:
        remote.create_git_ref(f"refs/heads/{branch}", commit)
        return
    if now != commit:
        reference.edit(commit, force=True)


def write_pull(remote: Repository, branch: str, base: str, title: str, text: str) -> PullRequest:
    """Open the pull request of a branch, or give the open one this title and text."""
    pull = find_pull(remote, branch, base)
    if pull is None:
        pull = remote.create_pull(base=base, head=branch, title=title, body=text)
    elif (pull.title, (pull.body or "").splitlines()) != (title, text.splitlines()):  # GitHub's editor writes CRLF
        pull.edit(title=title, body=text)
    return PullRequest.of(pull)


def merge_pull(remote: Repository, pull: PullRequest, message: str) -> str | None:
    """Merge a pull request, and return the commit; None where GitHub will do it once its checks are done."""
    from github import GithubException  # noqa: PLC0415

    there = remote.get_pull(pull.number)
    if there.merged:  # by an attempt whose answer was lost, or by somebody else
        return there.merge_commit_sha
    method = _merge_method(remote)
    title, _, text = message.partition("\n\n")
    title = f"{title} (#{pull.number})"  # as GitHub has it; its default message depends on settings
    try:
        there.enable_automerge(method.upper(), commit_headline=title, commit_body=text)
    except GithubException as error:
        if "in clean status" not in Fault.of(error).said:  # which means: there is nothing to wait for
            raise
        return there.merge(sha=pull.head, merge_method=method, commit_title=title, commit_message=text).sha
    return None


def _merge_method(remote: Repository) -> str:
    allowed = {  # a rebase last: it makes no commit that could have our message
        "squash": remote.allow_squash_merge,
        "merge": remote.allow_merge_commit,
        "rebase": remote.allow_rebase_merge,
    }
    return next((name for name, on in allowed.items() if on), "merge")


def close_pull(remote: Repository, pull: PullRequest, branch: str, comment: str) -> None:
    from github import UnknownObjectException  # noqa: PLC0415

    there = remote.get_pull(pull.number)
    there.edit(state="closed")
    there.create_issue_comment(comment)
    reference = remote.get_git_ref(f"heads/{branch}")
    try:
        if reference.object.sha == pull.head:  # what somebody pushed meanwhile is not ours to delete
            reference.delete()
    except UnknownObjectException:
        pass  # the repository deletes head branches itself
