"""Publishing by git: a commit made without a checkout, put on the release branch by compare-and-swap."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from orbit_release.errors import AccessError, ConfigurationError, ConflictError, OrbitReleaseError, UnavailableError
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.plumbing_output import remote_branch
from orbit_release.git.private_index import private_index
from orbit_release.git.process import SETTINGS, Process, complaint, remote_error

_LOST_RACE = re.compile(r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to update ref|incorrect old")
_PUSHES = 3
_REJECTED = re.compile(r"(?m)^!\t[^\t]*\t(.*)$")


def publish(clone: Clone, tip: Tip, files: Mapping[str, bytes], message: str) -> str | None:
    """Put one commit that changes `files` on the release branch; None if the branch has moved on from `tip`.

    The commit is built on the tip in a private index: it lands as the fast-forward of exactly that state, or not at
    all. Of the clone only the store of objects changes. If the tip is the clone's own branch, that branch moves, and
    its files follow if it is checked out.
    """
    commit = _commit_files(clone.process, tip.commit, files, message)
    if tip.remote is None:
        return commit if _move_branch(clone.process, tip, commit, files) else None
    return commit if _push(clone.process, tip, tip.remote, commit) else None


def _commit_files(git: Process, parent: str, files: Mapping[str, bytes], message: str) -> str:
    with private_index() as index:
        git.out("read-tree", parent, environment=index)
        lines = (f"{file_mode(git, parent, path)} {_store(git, data)}\t{path}\0" for path, data in files.items())
        listing = "".join(lines).encode("utf-8", "surrogateescape")
        git.out("update-index", "-z", "--index-info", stdin=listing, environment=index)
        # A clone without blobs lacks the objects of the files it never looked at: that is no fault here.
        tree = git.out("write-tree", "--missing-ok", environment=index).decode().strip()
    signs = git.run("config", "--type=bool", "--get", "commit.gpgsign").stdout.strip() == b"true"
    return _commit_tree(git, *(("-S",) if signs else ()), "-p", parent, tree, message=message)


def _commit_tree(git: Process, *arguments: str, message: str) -> str:
    result = git.run("commit-tree", *arguments, stdin=message.encode("utf-8", "surrogateescape"))
    if result.returncode:
        nameless = b"tell me who you are" in result.stderr or b"ident name" in result.stderr
        hint = 'git config user.name "…" and git config user.email "…"' if nameless else "see what git said."
        kind = ConfigurationError if nameless else UnavailableError
        raise kind(f"git cannot make the release commit: {complaint(result.stderr)}", hint)
    return result.stdout.decode().strip()


def file_mode(git: Process, commit: str, path: str) -> str:
    return git.out("ls-tree", "--full-tree", commit, "--", path).partition(b" ")[0].decode()


def _store(git: Process, data: bytes) -> str:
    return git.out("hash-object", "-w", "--stdin", stdin=data).decode().strip()


def _move_branch(git: Process, tip: Tip, commit: str, files: Collection[str]) -> bool:
    branch = f"refs/heads/{tip.branch}"
    current = git.run("symbolic-ref", "--quiet", "HEAD").stdout.decode().strip()
    checked_out = current == branch and not git.is_bare
    if not checked_out and f"branch {branch}" in git.out("worktree", "list", "--porcelain").decode().splitlines():
        message = f"{tip.branch} is checked out in another worktree"
        raise ConflictError(message, "run it there, or leave out --no-push: its files would look changed.")
    if checked_out:
        _require_no_merge(git, tip.branch)
        git.run("update-index", "-q", "--refresh")  # a file that was only touched is not changed
    if checked_out and git.run("diff-index", "--quiet", tip.commit, "--", *files).returncode:
        hint = "commit or stash your changes to the manifests first."
        raise ConflictError(f"{tip.branch} is checked out with changes to {', '.join(files)}", hint)
    if git.run("update-ref", "-m", "orbit-release", branch, commit, tip.commit).returncode:
        return False
    if checked_out:  # otherwise the clone would look as if the person had undone the release
        git.out("read-tree", "-m", "-u", tip.commit, commit)
    return True


def _require_no_merge(git: Process, branch: str) -> None:
    """Refuse to move the branch under a merge: what is committed at its end would undo the release."""
    merging = not git.run("rev-parse", "--verify", "--quiet", "MERGE_HEAD").returncode
    if merging or git.out("ls-files", "--unmerged"):
        hint = "finish it with `git commit`, or give it up with `git merge --abort`."
        raise ConflictError(f"{branch} is checked out in the middle of a merge", hint)


def _push(process: Process, tip: Tip, remote: str, commit: str) -> bool:
    """Push with a lease on the tip; the tip is the commit's parent, so the update is always a fast-forward.

    With the lease the branch must not have moved *at all*. A plain push would also succeed after somebody reset the
    branch to an older commit, and bring back what they removed.
    """
    for _ in range(_PUSHES):  # a lock that another writer holds is gone at the next one
        status, printed, stderr = _run_push(process, tip, remote, commit)
        listing = process.run("ls-remote", remote, f"refs/heads/{tip.branch}").stdout if status else b""
        now = remote_branch(listing, tip.branch) if status else commit
        if now == commit:  # also where the answer to the push was lost on the way
            return True
        rejected = _REJECTED.search(printed)
        if rejected is None:
            raise remote_error(stderr.encode(), remote)
        reason = rejected[1]
        if not _LOST_RACE.search(reason):
            break
        if now != tip.commit:
            return False
    raise _refusal(reason, stderr, tip)


def _run_push(process: Process, tip: Tip, remote: str, commit: str) -> tuple[int, str, str]:
    import git  # noqa: PLC0415  (85 ms that only publishing pays for)

    branch = f"refs/heads/{tip.branch}"
    with git.Repo(process.top) as repository:
        repository.git.update_environment(**process.environment)
        repository.git.set_persistent_git_options(c=list(SETTINGS))
        done: tuple[int, str, str] = repository.git.push(
            *("--porcelain", "--no-verify", f"--force-with-lease={branch}:{tip.commit}", remote, f"{commit}:{branch}"),
            with_extended_output=True,
            with_exceptions=False,
        )
    return done


def _refusal(reason: str, stderr: str, tip: Tip) -> OrbitReleaseError:
    said = complaint(stderr.encode("utf-8", "surrogateescape"))
    if _LOST_RACE.search(reason):  # and yet nobody was faster
        hint = "look at the repository there: a lock file that a crash left behind has to be removed."
        return UnavailableError(f"{tip.remote} cannot move {tip.branch}: {reason}: {said}", hint)
    hint = "publish with a token that may push there, or ask for the rule to allow it."
    return AccessError(f"{tip.remote} refuses the push to {tip.branch}: {reason}: {said}", hint)
