"""The person's clone and the repository it was cloned from.

Reading is plain `git` with NUL-separated output and full object names, a constant number of processes however
many files and services there are; revisions that a person typed go through `cat-file --batch`'s standard input,
where none of them can be an option. Nothing here touches the working tree, the index or the hooks of the clone.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from orbit_release.core.plan import ChangedFile, History
from orbit_release.errors import (
    AccessError,
    ConflictError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UsageError,
)

_PLUMBING = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.quotePath=false"),
    *("-c", "diff.ignoreSubmodules=none"),
    *("-c", "log.showRoot=true"),
    *("-c", "log.showSignature=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
_RAW = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--ignore-submodules=none")
_LOCAL_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_PAIR = re.compile(rb"([0-9a-f]{40,64}) ([0-9a-f]{40,64})\n")
_OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FOUND = re.compile(rb"([0-9a-f]+) ([a-z]+) ([0-9]+)\n")
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_CREDENTIALS = re.compile(r"(\w+://)[^/@\s]+@")
_LOST_RACE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to update ref|incorrect old value"
)
_LOW_SPEED = ("http.lowSpeedLimit=1000", "http.lowSpeedTime=60")
_LOW_SPEED_OPTIONS = tuple(word for setting in _LOW_SPEED for word in ("-c", setting))
SYMLINK = "120000"
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a commit: its mode as git writes it, and the object that holds its bytes."""

    path: bytes
    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the release branch stands; `remote` is None in a repository that has none."""

    branch: str
    commit: str
    remote: str | None


class Git:
    """One clone; use as a context manager, which ends the reading process."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._environment = {k: v for k, v in environment.items() if k not in _LOCAL_VARIABLES}
        self._environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
        self._directory = directory
        self._remotes: dict[str, str] | None = None
        self.top, self._bare, self.shallow = self._discover()
        self._reader: subprocess.Popen[bytes] | None = None
        self._read: dict[str, tuple[str, bytes] | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            self._reader.communicate()

    # What is there

    def commit(self, revision: str) -> str | None:
        """Return the full name of a commit; None if the revision names none, or several."""
        found = self._object(f"{revision}^{{commit}}")
        return found[0] if found else None

    def commit_of_prefix(self, prefix: str) -> str | None:
        """Return the only commit whose name starts with these digits, or None; a branch of that name is not it."""
        found = self.commit(prefix)
        return found if found and found.startswith(prefix) else None

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message."""
        _, _, message = self._require(commit)[1].partition(b"\n\n")
        return message.partition(b"\n")[0].decode("utf-8", "replace")

    def file(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file at a commit, or None."""
        found = self._object(f"{commit}:{path}")
        return found[1] if found else None

    def tree_files(self, commit: str, folder: str) -> tuple[TreeFile, ...]:
        """Return the files below a folder at a commit, submodules left out."""
        where = () if folder == "." else ("--", folder)
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", commit, *where)
        entries = (line.partition(b"\t") for line in listing.split(b"\0") if line)
        found = (TreeFile(path, *_mode_and_blob(meta)) for meta, _, path in entries)
        return tuple(file for file in found if file.mode != _SUBMODULE)

    def blob(self, name: str) -> bytes:
        """Return the bytes of a blob by its full name."""
        return self._require(name)[1]

    def changes(self, pairs: Iterable[tuple[str | None, str]]) -> dict[str | None, tuple[ChangedFile, ...]]:
        """Return, by base commit, the files that differ between it and its head; base None is the empty tree."""
        trees = {base: (self._tree(base), self._tree(head)) for base, head in pairs}
        lines = "".join(f"{base} {head}\n" for base, head in trees.values())
        output = self._git("diff-tree", "--stdin", *_RAW, stdin=lines.encode())
        found = _changes_by_trees(output)
        return {base: found.get(pair, ()) for base, pair in trees.items()}

    def first_parents(self, head: str) -> Iterator[tuple[str, tuple[ChangedFile, ...]]]:
        """Yield each first-parent commit from head backwards, with what it changed against its first parent.

        In a shallow clone the oldest commit is left out: what it changed cannot be known.
        """
        boundary = self._shallow_commits()
        arguments = (
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            *_RAW,
            "--no-color",
            "--format=%H",
        )
        with subprocess.Popen(
            ["git", *_PLUMBING, *arguments, head, "--"],
            cwd=self.top,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout  # noqa: S101  (asked for above)
            try:
                for commit, files in _commits(_tokens(process.stdout)):
                    if commit in boundary:
                        return
                    yield commit, files
            finally:
                process.kill()

    def history(self, commits: Collection[str]) -> History:
        """Return how these commits descend from each other, in two processes however many there are."""
        heads = sorted(set(commits))
        if len(heads) == 1:
            return History({})
        common = self._run("merge-base", "--octopus", *heads).stdout.decode().split()[:1]
        listing = self._git("rev-list", "--parents", *heads, *(f"^{commit}" for commit in common))
        lines = (line.split() for line in listing.decode().splitlines())
        return History({commit: parents for commit, *parents in lines})

    def count(self, base: str, head: str) -> int:
        """Return how many commits head has that base has not."""
        return int(self._git("rev-list", "--count", f"{base}..{head}"))

    # What the other side has

    def tip(self, branch: str, *, fetch: bool) -> Tip:
        """Return where the release branch stands: at the remote if `fetch`, else as last seen there.

        A repository without a remote answers with its local branch; NotFoundError where there is no such branch.
        """
        remote = self._remote(branch)
        if remote is None:
            return self.local_tip(branch)
        if fetch:
            return Tip(branch, self._fetch_branch(remote, branch), remote)
        seen = self.commit(f"refs/remotes/{remote}/{branch}")
        return Tip(branch, seen or self._fetch_branch(remote, branch), remote)

    def local_tip(self, branch: str) -> Tip:
        """Return where the clone's own branch of that name stands."""
        return Tip(branch, self._branch_commit(f"refs/heads/{branch}", "this clone"), None)

    def remote_address(self) -> str:
        """Return the address of the remote as it is configured, or "" for a repository without one."""
        remote = self._remote("")
        return self._remotes[f"remote.{remote}.url"] if remote and self._remotes else ""

    def fetch_commit(self, name: str) -> str | None:
        """Return a commit by its full name, asking the remote for it if it is not here; None if nobody has it."""
        found = self.commit(name)
        remote = self._remote("")
        if found or remote is None or not _OBJECT_NAME.fullmatch(name):
            return found
        self._run(*self._fetch(remote), name)
        self._read.clear()
        return self.commit(name)

    def deepen(self) -> None:
        """Complete the history of a shallow clone, without file contents where the server can leave them out."""
        remote = self._remote("")
        if remote is None:
            raise UnavailableError("this clone is shallow and has no remote", "clone it with its whole history.")
        if self._run("fetch", "--no-tags", "--unshallow", "--filter=blob:none", remote).returncode:
            self._network("fetch", "--no-tags", "--unshallow", remote)
        self.shallow = False
        self._read.clear()

    def _fetch_branch(self, remote: str, branch: str) -> str:
        listing = self._network("ls-remote", remote, f"refs/heads/{branch}").decode()
        if not listing:
            hint = f"create it with `git push {remote} HEAD:{branch}`, or set `branch:` in orbit-release.yaml."
            raise NotFoundError(f"{remote} has no branch {branch}", hint)
        commit = listing.split()[0]
        # That the commit is here would not do: a fetch beside us may still be writing its trees.
        if self.commit(f"refs/remotes/{remote}/{branch}") != commit:
            self._network(*self._fetch(remote), f"refs/heads/{branch}")
            self._read.clear()
        return self._branch_commit(commit, remote)

    @staticmethod
    def _fetch(remote: str) -> tuple[str, ...]:
        # No reference of the clone moves: several of us may work in it side by side.
        return ("fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=", remote)

    def _branch_commit(self, revision: str, where: str) -> str:
        commit = self.commit(revision)
        if commit is None:
            raise NotFoundError(f"{where} has no commit {revision}", "commit and push something first.")
        return commit

    def _remote(self, branch: str) -> str | None:
        if self._remotes is None:
            listing = self._run("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$").stdout
            self._remotes = dict(
                line.partition("\n")[::2] for line in listing.decode("utf-8", "surrogateescape").split("\0") if line
            )
        tracked = self._remotes.get(f"branch.{branch}.remote")
        names = [key[7:-4] for key in self._remotes if key.startswith("remote.")]
        if tracked in names:
            return tracked
        return "origin" if "origin" in names else next(iter(names), None)

    # Publishing

    def publish(self, tip: Tip, files: Mapping[str, bytes], message: str) -> str | None:
        """Put one commit that changes `files` on the release branch; None if the branch has moved on from `tip`.

        The commit is built on the tip in a private index, so that the push can only succeed as the fast-forward
        of exactly the state it was computed from. Nothing of the clone but its object store changes.
        """
        commit = self._commit_files(tip.commit, files, message)
        if tip.remote is None:
            return commit if self._move_branch(tip, commit, files) else None
        return commit if self._push(tip, commit) else None

    def check_out(self, commit: str, folder: Path) -> None:
        """Write a commit's files into an empty folder, with the filters and line ends of a real checkout."""
        with self._private_index() as index:
            everything = ("-c", "core.sparseCheckout=false", f"--work-tree={folder}")
            self._network(*everything, "read-tree", "--reset", "-u", commit, environment=index)

    def _commit_files(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        with self._private_index() as index:
            self._git("read-tree", parent, environment=index)
            lines = (f"{self._mode(parent, path)} {self._store(data)}\t{path}\0" for path, data in files.items())
            listing = "".join(lines).encode("utf-8", "surrogateescape")
            self._git("update-index", "-z", "--index-info", stdin=listing, environment=index)
            # A clone without blobs lacks the objects of the files it never looked at: that is no fault here.
            tree = self._git("write-tree", "--missing-ok", environment=index).decode().strip()
        sign = ("-S",) if self._setting("commit.gpgsign") == "true" else ()
        return self._commit_tree(*sign, "-p", parent, tree, message=message)

    def _commit_tree(self, *arguments: str, message: str) -> str:
        result = self._run("commit-tree", *arguments, stdin=message.encode("utf-8", "surrogateescape"))
        if result.returncode:
            told = _message(result.stderr)
            identity = b"tell me who you are" in result.stderr or b"ident" in result.stderr
            hint = 'git config user.name "…" and git config user.email "…"' if identity else "see the message of git."
            raise UnavailableError(f"git cannot make the release commit: {told}", hint)
        return result.stdout.decode().strip()

    def _mode(self, commit: str, path: str) -> str:
        listing = self._git("ls-tree", "--full-tree", commit, "--", path)
        return listing.partition(b" ")[0].decode() or "100644"

    def _store(self, data: bytes) -> str:
        return self._git("hash-object", "-w", "--stdin", stdin=data).decode().strip()

    def _move_branch(self, tip: Tip, commit: str, files: Collection[str]) -> bool:
        branch = f"refs/heads/{tip.branch}"
        current = self._run("symbolic-ref", "--quiet", "HEAD").stdout.decode().strip()
        checked_out = current == branch and not self._bare
        if checked_out and self._run("diff-index", "--quiet", tip.commit, "--", *files).returncode:
            hint = "commit or stash your changes to the manifests first."
            raise ConflictError(f"{tip.branch} is checked out with changes to {', '.join(files)}", hint)
        if self._run("update-ref", "-m", "orbit-release", branch, commit, tip.commit).returncode:
            return False
        if checked_out:  # otherwise the clone would look as if the person had undone the release
            self._git("read-tree", "-m", "-u", tip.commit, commit)
        return True

    def _push(self, tip: Tip, commit: str) -> bool:
        """Push with a lease on the tip: with the tip as its parent the update is always a fast-forward.

        The lease only adds that the branch must not have moved *at all*: a plain push would also succeed after
        the branch was reset to an older commit, and bring back what was removed there.
        """
        import git  # noqa: PLC0415  (85 ms that only publishing pays for)

        branch = f"refs/heads/{tip.branch}"
        with git.Repo(self.top) as repository:
            repository.git.update_environment(**self._environment)
            repository.git.set_persistent_git_options(c=["core.hooksPath=/dev/null", *_LOW_SPEED])
            status, told, complaint = repository.git.push(
                *("--porcelain", "--no-verify", f"--force-with-lease={branch}:{tip.commit}"),
                *(tip.remote, f"{commit}:{branch}"),
                with_extended_output=True,
                with_exceptions=False,
            )
        if status == 0 or self._arrived(tip, commit):  # the answer can get lost on the way, and the push not
            return True
        rejected = re.search(r"(?m)^!\t[^\t]*\t(.*)$", told)
        if rejected is None:
            raise _remote_error(complaint.encode("utf-8", "surrogateescape"), tip.remote or "")
        if _LOST_RACE.search(rejected[1]):
            return False
        said = _message(complaint.encode("utf-8", "surrogateescape"))
        hint = "publish with a token that may push there, or ask for the rule to allow it."
        raise AccessError(f"{tip.remote} refuses the push to {tip.branch}: {rejected[1]}: {said}", hint)

    def _arrived(self, tip: Tip, commit: str) -> bool:
        result = self._run("ls-remote", tip.remote or "", f"refs/heads/{tip.branch}")
        return result.stdout.startswith(commit.encode())

    # Running git

    def _discover(self) -> tuple[Path, bool, bool]:
        questions = ("--is-bare-repository", "--is-shallow-repository", "--git-common-dir", "--show-toplevel")
        result = self._run("rev-parse", "--path-format=absolute", *questions, directory=self._directory)
        answers = result.stdout.decode("utf-8", "surrogateescape").splitlines()
        bare = answers[:1] == ["true"]  # then git has no top level to tell
        if result.returncode and not bare:
            hint = "run it in the monorepo's clone, or name it with -C DIR."
            raise NotFoundError(f"{self._directory}: {_message(result.stderr)}", hint)
        self._git_directory = Path(answers[2])
        return Path(answers[2 if bare else 3]), bare, answers[1] == "true"

    def _run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *_PLUMBING, *arguments],
                cwd=directory or self.top,
                env={**self._environment, **(environment or {})},
                input=stdin,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            if directory is not None and not directory.is_dir():
                raise UsageError(f"there is no folder {directory}", "check the path behind -C.") from error
            raise UnavailableError("git is not installed", "install git 2.34 or newer.") from error

    def _git(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        result = self._run(*arguments, stdin=stdin, environment=environment)
        if result.returncode:
            verb = next((word for word in arguments if not word.startswith("-")), "")
            message = f"git {verb} failed: {_message(result.stderr)}"
            raise UnavailableError(message, "see what `git fsck` says of this clone.")
        return result.stdout

    def _network(self, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
        result = self._run(*_LOW_SPEED_OPTIONS, *arguments, environment=environment)
        if result.returncode:
            raise _remote_error(result.stderr, self._remote("") or "the remote")
        return result.stdout

    def _setting(self, name: str) -> str:
        return self._run("config", "--type=bool", "--get", name).stdout.decode().strip()

    def _shallow_commits(self) -> frozenset[str]:
        file = self._git_directory / "shallow"
        return frozenset(file.read_text().split()) if self.shallow and file.exists() else frozenset()

    @contextmanager
    def _private_index(self) -> Iterator[Mapping[str, str]]:
        from tempfile import TemporaryDirectory  # noqa: PLC0415  (only publishing needs it)

        with TemporaryDirectory(prefix="orbit-release-") as folder:
            yield {"GIT_INDEX_FILE": f"{folder}/index"}

    def _tree(self, commit: str | None) -> str:
        if commit is None:
            return _EMPTY_TREE
        return self._require(f"{commit}^{{commit}}")[1].split(b"\n", 1)[0].removeprefix(b"tree ").decode()

    def _require(self, name: str) -> tuple[str, bytes]:
        found = self._object(name)
        if found is None:
            raise NotFoundError(f"{name} is not in this clone", "fetch it with `git fetch --all`.")
        return found

    def _object(self, name: str) -> tuple[str, bytes] | None:
        """Return an object's full name and bytes; None if there is none, or the name is ambiguous."""
        if "\n" in name:
            raise UsageError(f"{name!r} is not a revision", "write a branch, a tag or a commit's name.")
        if name not in self._read:
            self._read[name] = self._ask(name)
        return self._read[name]

    def _ask(self, name: str) -> tuple[str, bytes] | None:
        questions, answers = self._reading()
        questions.write(name.encode("utf-8", "surrogateescape") + b"\n")
        questions.flush()
        header = answers.readline()
        if not header:
            raise self._reader_died(name)
        found = _FOUND.fullmatch(header)
        return (found[1].decode(), answers.read(int(found[3]) + 1)[:-1]) if found else None

    def _reading(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._reader is None:
            self._reader = subprocess.Popen(
                ["git", *_PLUMBING, "cat-file", "--batch"],
                cwd=self.top,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        return self._reader.stdin, self._reader.stdout  # type: ignore[return-value]  # both are pipes

    def _reader_died(self, name: str) -> OrbitReleaseError:
        reader, self._reader = self._reader, None
        _, told = reader.communicate() if reader else (b"", b"")
        return _remote_error(told, f"reading {name}")


def _mode_and_blob(meta: bytes) -> tuple[str, str]:
    mode, _, blob = meta.decode().split(" ")
    return mode, blob


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(65536):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole


def _status(token: bytes) -> str:
    return token[token.rindex(b" ") + 1 :].decode()


def _changes_by_trees(output: bytes) -> dict[tuple[str, str], tuple[ChangedFile, ...]]:
    found: dict[tuple[str, str], list[ChangedFile]] = {}
    files: list[ChangedFile] = []
    tokens = iter(output.split(b"\0"))
    for token in tokens:
        start = 0
        while pair := _PAIR.match(token, start):
            files = found.setdefault((pair[1].decode(), pair[2].decode()), [])
            start = pair.end()
        if token[start:]:
            files.append(ChangedFile(next(tokens), _status(token)))
    return {pair: tuple(files) for pair, files in found.items()}


def _commits(tokens: Iterator[bytes]) -> Iterator[tuple[str, tuple[ChangedFile, ...]]]:
    commit, files = "", []
    for token in tokens:
        text = token.strip(b"\n")
        if text.startswith(b":"):
            files.append(ChangedFile(next(tokens), _status(text)))
        elif text:
            if commit:
                yield commit, tuple(files)
            commit, files = text.decode(), []
    if commit:
        yield commit, tuple(files)


def _message(stderr: bytes) -> str:
    """Return what git complained of, without credentials and control characters."""
    text = _CREDENTIALS.sub(r"\1***@", stderr.decode("utf-8", "replace"))
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or [s for s in lines if s]
    return "; ".join(told[:3]) or "git gave no reason"


def _remote_error(stderr: bytes, remote: str) -> OrbitReleaseError:
    """Return what a failed conversation with a remote means for the reader."""
    told = _message(stderr)
    if re.search(r"denied|could not read (Username|Password)|Authentication failed|error: 40[13]|publickey", told):
        return AccessError(f"{remote} refuses access: {told}", "check the token or key, and what it may do.")
    if re.search(r"not found|does not appear to be a git repository|does not exist|No such file", told):
        return NotFoundError(f"{remote} is not there: {told}", "check the address with `git remote -v`.")
    return UnavailableError(f"{remote} cannot be reached: {told}", "check the network and try again; nothing is lost.")
