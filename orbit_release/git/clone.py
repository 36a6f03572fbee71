"""The person's clone and the repository it was cloned from.

Reading is plain `git` with NUL-separated output and full object names, a constant number of processes however
many files and services there are; revisions that a person typed go through `cat-file --batch`'s standard input,
where none of them can be an option. Nothing here touches the working tree, the index or the hooks of the clone;
only completing a shallow clone changes more of it than its store of objects.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from types import TracebackType
from typing import Self

from orbit_release.errors import NotFoundError, OrbitReleaseError, UnavailableError, UsageError
from orbit_release.git.graph import ChangedFile, Commit, Graph, History
from orbit_release.git.process import Process, complaint, remote_error
from orbit_release.git.raw import (
    LOGGED,
    RAW,
    Blobs,
    TreeFile,
    changes_by_trees,
    commits,
    file_names,
    logged,
    remote_branch,
    tokens,
    tree_files,
)

_FIRST_PARENTS = ("--first-parent", "--diff-merges=first-parent", *RAW, "--no-color", "--format=%H")
_ALONE = ("--no-recurse-submodules",)
_OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FOUND = re.compile(rb"([0-9a-f]+) ([a-z]+) ([0-9]+)\n")
# The tree without files, by the length of object names (SHA-1, SHA-256).
_EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the release branch stands; `remote` is None in a repository that has none."""

    branch: str
    commit: str
    remote: str | None


@dataclass(frozen=True, slots=True)
class _Object:
    name: str
    kind: str
    data: bytes


class Clone:
    """One clone; use as a context manager, which ends the reading process.

    `branch` is the release branch, once it is known: what it tracks is the remote, else `origin`.
    """

    def __init__(self, directory: str, environment: Mapping[str, str]) -> None:
        self.process = Process(directory, environment)
        self._reader = self.process.start("cat-file", "--batch")
        self._deepened = False
        self.branch = ""
        self._remotes: dict[str, str] | None = None
        self._read: dict[str, _Object] = {}

    @property
    def is_shallow(self) -> bool:
        """Whether the history ends early, so that no question about ancestors can be answered."""
        return self.process.shallow_file is not None and not self._deepened

    @property
    def top(self) -> str:
        """The folder that the paths of the repository start at."""
        return self.process.top

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.communicate()

    # What is there

    def commit(self, revision: str) -> str | None:
        """Return the full name of a commit; None if the revision names none, or several."""
        found = self._object(f"{revision}^{{commit}}")
        return found.name if found else None

    def commit_of_prefix(self, prefix: str) -> str | None:
        """Return the only commit whose name starts with these digits, or None; a branch of that name is not it."""
        # As `git describe` writes it, a name is looked up among the commits, not among the branches and tags.
        found = self.commit(f"orbit-release-0-g{prefix}")
        return found if found and found.startswith(prefix) else None

    def file(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file at a commit, or None."""
        found = self._object(f"{commit}:{path}")
        return found.data if found and found.kind == "blob" else None

    def has_file(self, commit: str, path: str) -> bool:
        """Whether a commit has a file at a path; its bytes need not be here, in a clone without blobs."""
        folder, _, name = path.rpartition("/")
        found = self._object(f"{commit}:{folder}")
        return found is not None and found.kind == "tree" and name.encode() in file_names(found.data, len(commit) // 2)

    def tree_files(self, commit: str, folder: str) -> tuple[TreeFile, ...]:
        """Return the files below a folder at a commit, submodules left out."""
        where = () if folder == "." else ("--", folder)
        return tree_files(self.process.out("ls-tree", "-r", "-z", "--full-tree", commit, *where))

    def blob(self, name: str) -> bytes:
        """Return the bytes of a blob by its full name."""
        return self._require(name).data

    def changes(self, bases: Iterable[str | None], head: str) -> dict[str | None, tuple[ChangedFile, ...]]:
        """Return, by base commit, the files that differ between it and head; base None is the empty tree."""
        new = self._tree(head)
        old = {base: self._tree(base) if base else _EMPTY_TREES[len(head)] for base in bases}
        pairs = "".join(f"{tree} {new}\n" for tree in old.values())
        found = changes_by_trees(self.process.out("diff-tree", "--stdin", *RAW, stdin=pairs.encode()))
        return {base: found.get((tree, new), ()) for base, tree in old.items()}

    @contextmanager
    def first_parents(self, head: str) -> Iterator[Iterator[tuple[str, tuple[ChangedFile, ...]]]]:
        """Give each first-parent commit from head backwards, with what it changed against its first parent.

        In a shallow clone the oldest commit is left out: what it changed cannot be known. Git starts to read at
        once, and stops when the context ends.
        """
        with self._reading("log", *_FIRST_PARENTS, head, "--") as found:
            boundary = self._shallow_commits()
            yield takewhile(lambda one: one[0] not in boundary, commits(found))

    def history(self, commits: Collection[str]) -> History:
        """Return how these commits descend from each other, in two processes however many there are."""
        heads = sorted(set(commits))
        if len(heads) == 1:
            return History({})
        common = self.process.run("merge-base", "--octopus", *heads).stdout.decode().split()[:1]
        listing = self.process.out("rev-list", "--parents", *heads, *(f"^{commit}" for commit in common))
        lines = (line.split() for line in listing.decode().splitlines())
        return History({commit: parents for commit, *parents in lines})

    @contextmanager
    def log(self, commit: str, paths: Iterable[str]) -> Iterator[Iterator[tuple[Commit, tuple[Blobs, ...]]]]:
        """Give each first-parent commit that changed a file or a folder, newest first, with what it changed there.

        Git starts to read at once, and stops when the context ends.
        """
        options = ("--first-parent", "--diff-merges=first-parent", *RAW, "--no-color", LOGGED, commit, "--")
        with self._reading("log", *options, *(f":(top,literal){path}" for path in paths)) as found:
            yield logged(found)

    @contextmanager
    def all_commits(self, head: str) -> Iterator[Iterator[tuple[str, tuple[ChangedFile, ...]]]]:
        """Give each commit that head can reach, with what it changed; a merge changed nothing of its own."""
        with self._reading("log", *RAW, "--no-color", "--format=%H", head, "--") as found:
            yield commits(found)

    def graph(self, heads: Collection[str]) -> Graph:
        """Return all commits that some commits can reach, in one process."""
        with self._reading("log", "-z", "--topo-order", "--no-color", LOGGED, *heads, "--") as found:
            return Graph(commit for commit, _ in logged(found))

    def between(self, base: str, head: str, most: int) -> list[Commit]:
        """Return the newest commits that head has and base has not."""
        with self._reading("log", "-z", f"--max-count={most}", "--no-color", LOGGED, f"{base}..{head}", "--") as found:
            return [commit for commit, _ in logged(found)]

    def have(self, blobs: Iterable[str]) -> None:
        """Fetch the blobs that are about to be read at once, in a clone that was made without."""
        names = "".join(f"{name}\n" for name in sorted({*blobs} - self._read.keys()))
        remote = self._remote(self.branch)
        if remote and names and self._remotes and f"remote.{remote}.promisor" in self._remotes:
            options = ("--no-tags", "--no-write-fetch-head", "--filter=blob:none", *_ALONE, "--stdin", remote)
            self.process.run("fetch", *options, stdin=names.encode())  # what this does not get comes one by one

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the newest commit that both commits have; None if they have none."""
        return self.process.run("merge-base", one, other).stdout.decode().strip() or None

    def count(self, base: str, head: str) -> int:
        """Return how many commits head has that base has not."""
        return int(self.process.out("rev-list", "--count", f"{base}..{head}"))

    def work_files(self) -> dict[str, str | None]:
        """Return the files of the working tree that are tracked or to be: of a symbolic link its target, else None.

        What is deleted is left out; a submodule is one file, as it is to git. Paths start at the top, in order.
        """
        if self.process.is_bare:
            raise UsageError(f"{self.top} has no working tree", "run it in a clone that is not bare.")
        listing = self.process.out("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
        paths = (os.fsdecode(path) for path in listing.split(b"\0") if path)
        found = {path: os.path.join(self.top, path) for path in paths}
        # A folder is a submodule, but for one that is a repository of its own: that ends in a slash.
        there = {path: full for path, full in found.items() if os.path.lexists(full) and not path.endswith("/")}
        return {path: os.readlink(full) if os.path.islink(full) else None for path, full in there.items()}

    def work_file(self, path: str) -> bytes:
        """Return the bytes of a file of the working tree; a submodule has none."""
        if os.path.isdir(os.path.join(self.top, path)):
            return b""
        with open(os.path.join(self.top, path), "rb") as file:
            return file.read()

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Return those paths of the working tree that git is told to ignore, as a file or a folder, there or not."""
        names = {path: self._ignorable(path) for path in paths}
        stdin = os.fsencode("".join(f"{name}\0" for name in names.values()))
        done = self.process.run("check-ignore", "-z", "--stdin", "--no-index", stdin=stdin)
        if done.returncode > 1:  # 1: none of them is ignored
            message = f"git check-ignore failed: {complaint(done.stderr)}"
            raise UnavailableError(message, "see what `git status` says of this clone.")
        told = {os.fsdecode(name) for name in done.stdout.split(b"\0")}
        return {path for path, name in names.items() if name in told}

    def _ignorable(self, path: str) -> str:
        """Return a path up to the first link on it, behind which git knows nothing; what is not there is a folder."""
        folders = (path[:at] for at, character in enumerate(path) if character == "/")
        name = next((folder for folder in folders if os.path.islink(os.path.join(self.top, folder))), path)
        return name if os.path.lexists(os.path.join(self.top, name)) else f"{name}/"

    # What the other side has

    def remote_head(self) -> str | None:
        """Return the branch that the remote's HEAD pointed to when the clone was made; None if it is not known."""
        remote = self._remote("")
        if remote is None:
            return None
        found = self.process.run("symbolic-ref", "--quiet", _tracking(remote, "HEAD")).stdout
        name = found.decode("utf-8", "surrogateescape").strip()
        return name.removeprefix(_tracking(remote, "")) or None

    def tip(self, branch: str, *, fetch: bool) -> Tip:
        """Return where the release branch stands: at the remote if `fetch`, else as last seen there.

        A repository without a remote answers with its local branch; NotFoundError where there is no such branch.
        """
        remote = self._remote(branch)
        if remote is None:
            return self.local_tip(branch)
        if fetch:
            return Tip(branch, self._fetch_branch(remote, branch), remote)
        seen = self.commit(_tracking(remote, branch))
        return Tip(branch, seen or self._fetch_branch(remote, branch), remote)

    def last_seen(self, branch: str) -> Tip:
        """Return where the release branch was last seen at the remote; NotFoundError if that is not here.

        Nobody is asked; a repository without a remote answers with its local branch.
        """
        remote = self._remote(branch)
        if remote is None:
            return self.local_tip(branch)
        commit = self.commit(_tracking(remote, branch))
        if commit is None:
            hint = f"`git fetch {remote} {branch}:{_tracking(remote, branch)}` brings it"
            raise NotFoundError(f"this clone has no commit of {remote}'s {branch}", hint)
        return Tip(branch, commit, remote)

    def seen_tip(self, branch: str) -> Tip:
        """Return where the release branch was last seen, else what is checked out; nobody is asked."""
        remote = self._remote(branch)
        places = (*([_tracking(remote, branch)] if remote else []), f"refs/heads/{branch}", "HEAD")
        commit = next(filter(None, map(self.commit, places)), None)
        if commit is None:
            raise NotFoundError("this clone has no commit", "commit something first.")
        return Tip(branch, commit, remote)

    def local_tip(self, branch: str) -> Tip:
        """Return where the clone's own branch of that name stands."""
        return Tip(branch, self._branch_commit(f"refs/heads/{branch}", "this clone"), None)

    def remote_address(self) -> str:
        """Return the address of the remote as it is configured, or "" for a repository without one."""
        remote = self._remote(self.branch)
        return self._remotes[f"remote.{remote}.url"] if remote and self._remotes else ""

    def fetch_commit(self, name: str) -> str | None:
        """Return a commit by its full name, asking the remote for it if it is not here; None if nobody has it."""
        found = self.commit(name)
        remote = self._remote(self.branch)
        if found or remote is None or not _OBJECT_NAME.fullmatch(name):
            return found
        self.process.run(*self._fetch(remote), name)
        return self.commit(name)

    def deepen(self) -> None:
        """Complete the history if the clone is shallow, without file contents where the server can leave them out."""
        if not self.is_shallow:
            return
        remote = self._remote(self.branch)
        if remote is None:
            raise UnavailableError("this clone is shallow and has no remote", "clone it with its whole history.")
        if self.process.run("fetch", "--no-tags", "--unshallow", "--filter=blob:none", *_ALONE, remote).returncode:
            try:
                self.process.talk(remote, "fetch", "--no-tags", "--unshallow", *_ALONE, remote)
            except OrbitReleaseError as error:
                message = f"this clone is shallow, and the rest of its history cannot be had: {error.message}"
                raise type(error)(message, error.hint) from error
        self._deepened = True
        self.__exit__(None, None, None)  # the reader remembers where the history ended
        self._reader = self.process.start("cat-file", "--batch")

    def _fetch_branch(self, remote: str, branch: str) -> str:
        commit = remote_branch(self.process.talk(remote, "ls-remote", remote, f"refs/heads/{branch}"), branch)
        if commit is None:
            hint = f"create it with `git push {remote} HEAD:{branch}`, or set `branch:` in orbit-release.yaml."
            raise NotFoundError(f"{remote} has no branch {branch}", hint)
        # That the commit is here would not do: a fetch beside us may still be writing its trees.
        if self.commit(_tracking(remote, branch)) != commit:
            self.process.talk(remote, *self._fetch(remote), f"refs/heads/{branch}")
        return self._branch_commit(commit, remote)

    @staticmethod
    def _fetch(remote: str) -> tuple[str, ...]:
        # No reference of the clone moves: several of us may work in it side by side.
        return ("fetch", "--no-tags", "--no-write-fetch-head", *_ALONE, "--refmap=", remote)

    def _branch_commit(self, revision: str, where: str) -> str:
        commit = self.commit(revision)
        if commit is None:
            raise NotFoundError(f"{where} has no commit {revision}", "commit and push something first.")
        return commit

    def _remote(self, branch: str) -> str | None:
        if self._remotes is None:
            listing = self.process.run(
                "config", "-z", "--get-regexp", r"^(remote\..*\.(url|promisor)|branch\..*\.remote)$"
            ).stdout
            self._remotes = dict(
                line.partition("\n")[::2] for line in listing.decode("utf-8", "surrogateescape").split("\0") if line
            )
        tracked = self._remotes.get(f"branch.{branch}.remote")
        names = [key[7:-4] for key in self._remotes if key.startswith("remote.") and key.endswith(".url")]
        if tracked in names:
            return tracked
        return "origin" if "origin" in names else next(iter(names), None)

    @contextmanager
    def _reading(self, *arguments: str) -> Iterator[Iterator[bytes]]:
        process = self.process.start(*arguments)
        try:
            yield _all_tokens(process)
        finally:
            process.kill()
            process.communicate()

    def _shallow_commits(self) -> frozenset[str]:
        if not self.is_shallow or self.process.shallow_file is None:
            return frozenset()
        with open(self.process.shallow_file, encoding="ascii") as file:
            return frozenset(file.read().split())

    def _tree(self, commit: str) -> str:
        return self._require(f"{commit}^{{commit}}").data.split(b"\n", 1)[0].removeprefix(b"tree ").decode()

    def _require(self, name: str) -> _Object:
        found = self._object(name)
        if found is None:
            raise NotFoundError(f"{name} is not in this clone", "fetch it with `git fetch --all`.")
        return found

    def _object(self, name: str) -> _Object | None:
        """Return an object's full name and bytes; None if there is none, or the name is ambiguous."""
        if "\n" in name:
            raise UsageError(f"{name!r} is not a revision", "write a branch, a tag or a commit's name.")
        found = self._read.get(name) or self._ask(name)
        if found and _OBJECT_NAME.match(name):  # what begins with a full name never changes
            self._read[name] = found
        return found

    def _ask(self, name: str) -> _Object | None:
        reader = self._reader
        assert reader.stdin and reader.stdout  # noqa: S101, PT018  (both are pipes)
        with suppress(BrokenPipeError):  # then there is no answer either
            reader.stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            reader.stdin.flush()
        header = reader.stdout.readline()
        if not header:
            raise self._reader_died(name)
        found = _FOUND.fullmatch(header)
        if found is None:
            return None
        return _Object(found[1].decode(), found[2].decode(), reader.stdout.read(int(found[3]) + 1)[:-1])

    def _reader_died(self, name: str) -> OrbitReleaseError:
        _, told = self._reader.communicate()
        return remote_error(told, f"reading {name}")


def _tracking(remote: str, branch: str) -> str:
    """Return the reference that tells where a remote's branch was last seen."""
    return f"refs/remotes/{remote}/{branch}"


def _all_tokens(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    yield from tokens(process.stdout)
    if process.wait() and process.stderr:  # the end of what git could read is not the end of the history
        raise remote_error(process.stderr.read(), "the history")
