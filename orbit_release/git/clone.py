"""The person's clone: its commits and files, their history, and where the release branch stands.

Reading is plain `git` with NUL-separated output and full object names, a constant number of processes however
many files and services there are. Nothing here touches the working tree, the index or the hooks of the clone;
only completing a shallow clone changes more of it than its store of objects.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Self

from orbit_release.errors import NotFoundError, OrbitReleaseError, UnavailableError
from orbit_release.git import plumbing_output as listings
from orbit_release.git.graph import ChangedFile, Commit, History
from orbit_release.git.object_reader import OBJECT_NAME, GitObject, Objects
from orbit_release.git.plumbing_output import LOGGED, RAW, Blobs, TreeFile
from orbit_release.git.process import Process, remote_error
from orbit_release.git.remotes import Remotes, tracking

_FIRST_PARENTS = ("--first-parent", "--diff-merges=first-parent", *RAW)
_NAMES = ("--no-color", "--format=%H")
_ALONE_NAMED = ("--no-walk=unsorted", "--no-merges")
_ALONE = ("--no-recurse-submodules",)
# No reference of the clone moves: several of us may work in it side by side.
_FETCH = ("fetch", "--no-tags", "--no-write-fetch-head", *_ALONE)
_BLOCK = 65536  # bytes
_MANY_HEADS = 200  # to look for their common ancestor may take longer than to list all that they reach
_UNSHALLOW = ("fetch", "--no-tags", "--unshallow", *_ALONE)
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


class Clone:
    """One clone; use as a context manager, which ends the reading process.

    `branch` is the release branch, once it is known: what it tracks is the remote, else `origin`.
    """

    def __init__(self, directory: str, environment: Mapping[str, str]) -> None:
        self.process = Process(directory, environment)
        self._objects = Objects(self.process)
        self._remotes = Remotes(self.process)
        self._deepened = False
        self.branch = ""

    @property
    def is_shallow(self) -> bool:
        """Whether the history ends early, so that no question about ancestors can be answered."""
        return self.process.is_shallow and not self._deepened

    @property
    def top(self) -> str:
        return self.process.top

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()
        self.process.close()

    # Commits and files

    def commit(self, revision: str) -> str | None:
        """Return the full name of a commit; None if the revision names none, or several."""
        commit = self._objects.read(f"{revision}^{{commit}}")
        return commit.name if commit else None

    def commit_of_prefix(self, prefix: str) -> str | None:
        """Return the only commit whose name starts with these digits, or None; a branch of that name is not it."""
        # As `git describe` writes it, a name is looked up among the commits, not among the branches and tags.
        commit = self.commit(f"orbit-release-0-g{prefix}")
        return commit if commit and commit.startswith(prefix) else None

    def file(self, commit: str, path: str) -> bytes | None:
        file = self._objects.read(f"{commit}:{path}")
        return file.data if file and file.kind == "blob" else None

    def has_file(self, commit: str, path: str) -> bool:
        """Whether a commit has a file at a path; its bytes need not be here, in a clone without blobs."""
        folder, _, name = path.rpartition("/")
        tree = self._objects.read(f"{commit}:{folder}")
        names = listings.file_names(tree.data, len(commit) // 2) if tree and tree.kind == "tree" else ()
        return name.encode() in names

    def tree(self, name: str) -> dict[bytes, str | None]:
        """Return the names in a tree, by that of the tree or of a commit, and the trees of those that are folders."""
        tree = self._require(f"{name}^{{tree}}")
        entries = listings.tree_entries(tree.data, len(tree.name) // 2)
        return {entry.path: entry.blob if entry.is_folder else None for entry in entries}

    def tree_files(self, commit: str, folder: str) -> tuple[TreeFile, ...]:
        """Return the files below a folder at a commit, submodules left out."""
        where = () if folder == "." else ("--", folder)
        return listings.tree_files(self.process.out("ls-tree", "-r", "-z", "--full-tree", commit, *where))

    def plain_file(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes; None where there is none, or a symbolic link."""
        file = self._entry(commit, path)
        return self.blob(file.blob) if file and file.mode.startswith(listings.REGULAR) else None

    def _entry(self, commit: str, path: str) -> TreeFile | None:
        folder, _, name = path.rpartition("/")
        tree = self._objects.read(f"{commit}:{folder}")
        entries = listings.tree_entries(tree.data, len(commit) // 2) if tree and tree.kind == "tree" else ()
        return next((entry for entry in entries if entry.path == name.encode("utf-8", "surrogateescape")), None)

    def submodule_above(self, commit: str, path: str) -> str | None:
        """Return the submodule that a path lies in, or is."""
        parts = path.split("/")
        above = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        return next((way for way in above if (entry := self._entry(commit, way)) and entry.is_submodule), None)

    def kustomizations(self, commit: str) -> list[str]:
        """Return the kustomizations of a whole commit, by their names."""
        listing = self.process.out("ls-tree", "-r", "-z", "--full-tree", commit)
        ends = (b"/kustomization.yaml", b"/kustomization.yml", b"/Kustomization")
        paths = (line.partition(b"\t")[2] for line in listing.split(b"\0"))
        return [path.decode("utf-8", "surrogateescape") for path in paths if (b"/" + path).endswith(ends)]

    def files_with(self, commit: str, text: str, endings: Iterable[str]) -> list[str]:
        """Return the files of a commit with a name that ends so and a line that holds a text."""
        places = (f":(top,glob)**/*{ending}" for ending in endings)
        found = self.process.run("grep", "-l", "-z", "-I", "-F", "-e", text, commit, "--", *places).stdout
        names = (name.partition(b":")[2] for name in found.split(b"\0") if name)
        return [name.decode("utf-8", "surrogateescape") for name in names]

    def blob(self, name: str) -> bytes:
        return self._require(name).data

    def have(self, blobs: Iterable[str]) -> None:
        """Fetch the blobs that are about to be read at once, in a clone that was made without."""
        names = "".join(f"{name}\n" for name in sorted({*blobs}) if name not in self._objects)
        remote = self._remotes.of(self.branch)
        if remote and names and self._remotes.is_partial(remote):
            # What this does not get comes one by one.
            self.process.run(*_FETCH, "--filter=blob:none", "--stdin", remote, stdin=names.encode())

    def changes(self, bases: Iterable[str | None], head: str) -> dict[str | None, tuple[ChangedFile, ...]]:
        """Return, by base commit, the files that differ between it and head; base None is the empty tree."""
        new = self._tree(head)
        old = {base: self._tree(base) if base else _EMPTY_TREES[len(head)] for base in bases}
        pairs = "".join(f"{tree} {new}\n" for tree in old.values())
        changes = listings.changes_by_trees(self.process.out("diff-tree", "--stdin", *RAW, stdin=pairs.encode()))
        return {base: changes.get((tree, new), ()) for base, tree in old.items()}

    # History

    def history(self, heads: Collection[str]) -> History:
        """Return how these commits descend from each other, in two processes however many there are."""
        names = sorted({*heads})
        if len(names) < 2:  # noqa: PLR2004  (nothing is between one commit and itself)
            return History(names)
        common = self.process.run("merge-base", "--octopus", *names).stdout if len(names) < _MANY_HEADS else b""
        excluded = (f"^{commit}" for commit in common.decode().split()[:1])
        with self._reading("log", "-z", "--topo-order", "--no-color", LOGGED, *names, *excluded, "--") as output:
            return History(names, (commit for commit, _ in listings.logged(output)))

    @contextmanager
    def first_parents(self, head: str) -> Iterator[Iterator[tuple[str, tuple[ChangedFile, ...]]]]:
        """Give each first-parent commit from head backwards, with what it changed against its first parent.

        In a shallow clone the oldest commit is left out: what it changed cannot be known.
        """
        with self._reading("log", *_FIRST_PARENTS, *_NAMES, head, "--") as output:
            boundary = self.process.shallow_commits() if self.is_shallow else ()
            yield takewhile(lambda change: change[0] not in boundary, listings.commits(output))

    @contextmanager
    def changed_in(self, commits: Collection[str]) -> Iterator[Iterator[tuple[str, tuple[ChangedFile, ...]]]]:
        """Give those of some commits (by their full names) that changed files, with what each changed.

        A merge changed nothing of its own.
        """
        if not commits:  # git would tell of HEAD
            yield iter(())
            return
        stdin = "".join(f"{name}\n" for name in commits).encode()
        with self._reading("log", *_ALONE_NAMED, *RAW, *_NAMES, "--stdin", stdin=stdin) as output:
            yield listings.commits(output)

    def has_trailer(self, commit: str, name: str) -> bool:
        """Whether a line of a commit's message starts as a trailer of this name does."""
        return f"\n{name}: ".encode() in self._require(f"{commit}^{{commit}}").data

    @contextmanager
    def log(self, commit: str, paths: Iterable[str]) -> Iterator[Iterator[tuple[Commit, tuple[Blobs, ...]]]]:
        """Give each first-parent commit that changed a file or a folder, newest first, with what it changed there."""
        places = (":(top)" if path == "." else f":(top,literal){path}" for path in paths)
        with self._reading("log", *_FIRST_PARENTS, "--no-color", LOGGED, commit, "--", *places) as output:
            yield listings.logged(output)

    def merge_base(self, ours: str, theirs: str) -> str | None:
        """Return the newest commit that both commits have; None if they have none."""
        return self.process.run("merge-base", ours, theirs).stdout.decode().strip() or None

    def deepen(self) -> None:
        """Complete the history if the clone is shallow, without file contents where the server can leave them out."""
        if not self.is_shallow:
            return
        remote = self._remotes.of(self.branch)
        if remote is None:
            raise UnavailableError("this clone is shallow and has no remote", "clone it with its whole history.")
        if self.process.run(*_UNSHALLOW, "--filter=blob:none", remote).returncode:
            try:
                self.process.talk(remote, *_UNSHALLOW, remote)
            except OrbitReleaseError as error:
                message = f"this clone is shallow, and the rest of its history cannot be had: {error.message}"
                raise type(error)(message, error.hint) from error
        self._deepened = True
        self._objects.restart()

    # The remote, and where the release branch stands

    def remote_head(self) -> str | None:
        """Return the branch that the remote's HEAD pointed to when the clone was made; None if it is not known."""
        remote = self._remotes.of("")
        if remote is None:
            return None
        reference = self.process.run("symbolic-ref", "--quiet", tracking(remote, "HEAD")).stdout
        name = reference.decode("utf-8", "surrogateescape").strip()
        return name.removeprefix(tracking(remote, "")) or None

    def remote_address(self) -> str:
        """Return the address of the remote as it is configured, or "" for a repository without one."""
        remote = self._remotes.of(self.branch)
        return self._remotes.address(remote) if remote else ""

    def tip(self, branch: str, *, fetch: bool) -> Tip:
        """Return where the release branch stands: at the remote if `fetch`, else as last seen there.

        A repository without a remote answers with its local branch; NotFoundError where there is no such branch.
        """
        remote = self._remotes.of(branch)
        if remote is None:
            return self.local_tip(branch)
        seen = None if fetch else self.commit(tracking(remote, branch))
        return Tip(branch, seen or self._fetch_branch(remote, branch), remote)

    def last_seen(self, branch: str) -> Tip:
        """Return where the release branch was last seen at the remote; NotFoundError if that is not here.

        Nobody is asked; a repository without a remote answers with its local branch.
        """
        remote = self._remotes.of(branch)
        if remote is None:
            return self.local_tip(branch)
        commit = self.commit(tracking(remote, branch))
        if commit is None:
            hint = f"`git fetch {remote} {branch}:{tracking(remote, branch)}` brings it"
            raise NotFoundError(f"this clone has no commit of {remote}'s {branch}", hint)
        return Tip(branch, commit, remote)

    def seen_tip(self, branch: str) -> Tip:
        """Return where the release branch was last seen, else what is checked out; nobody is asked."""
        remote = self._remotes.of(branch)
        places = (*([tracking(remote, branch)] if remote else []), f"refs/heads/{branch}", "HEAD")
        commit = next(filter(None, map(self.commit, places)), None)
        if commit is None:
            raise NotFoundError("this clone has no commit", "commit something first.")
        return Tip(branch, commit, remote)

    def local_tip(self, branch: str) -> Tip:
        return Tip(branch, self._branch_commit(f"refs/heads/{branch}", "this clone"), None)

    def fetch_commit(self, name: str) -> str | None:
        """Return a commit by its full name, asking the remote for it if it is not here; None if nobody has it."""
        commit = self.commit(name)
        remote = self._remotes.of(self.branch)
        if commit or remote is None or not OBJECT_NAME.fullmatch(name):
            return commit
        self.process.run(*_FETCH, "--refmap=", remote, name)
        return self.commit(name)

    def _fetch_branch(self, remote: str, branch: str) -> str:
        commit = listings.remote_branch(self.process.talk(remote, "ls-remote", remote, f"refs/heads/{branch}"), branch)
        if commit is None:
            hint = f"create it with `git push {remote} HEAD:{branch}`, or set `branch:` in orbit-release.yaml."
            raise NotFoundError(f"{remote} has no branch {branch}", hint)
        # That the commit is here would not do: a fetch beside us may still be writing its trees.
        if self.commit(tracking(remote, branch)) != commit:
            self.process.talk(remote, *_FETCH, "--refmap=", remote, f"refs/heads/{branch}")
        return self._branch_commit(commit, remote)

    def _branch_commit(self, revision: str, where: str) -> str:
        commit = self.commit(revision)
        if commit is None:
            raise NotFoundError(f"{where} has no commit {revision}", "commit and push something first.")
        return commit

    @contextmanager
    def _reading(self, *arguments: str, stdin: bytes = b"") -> Iterator[Iterator[bytes]]:
        """Give what git prints between NULs, as it comes; git starts at once, and stops when the context ends.

        Git reads all of `stdin` before it prints anything.
        """
        program = self.process.start(*arguments)
        try:
            if stdin and program.stdin:
                with suppress(BrokenPipeError), program.stdin:  # what it complains of is read below
                    program.stdin.write(stdin)
                program.stdin = None
            yield _tokens(program)
        finally:
            program.kill()
            program.communicate()

    def _tree(self, commit: str) -> str:
        return self._require(f"{commit}^{{commit}}").data.split(b"\n", 1)[0].removeprefix(b"tree ").decode()

    def _require(self, name: str) -> GitObject:
        required = self._objects.read(name)
        if required is None:
            raise NotFoundError(f"{name} is not in this clone", "fetch it with `git fetch --all`.")
        return required


def _tokens(program: subprocess.Popen[bytes]) -> Iterator[bytes]:
    rest = b""
    while program.stdout and (block := program.stdout.read(_BLOCK)):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if program.wait() and program.stderr:  # the end of what git could read is not the end of the history
        raise remote_error(program.stderr.read(), "the history")
