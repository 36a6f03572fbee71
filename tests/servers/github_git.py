"""What GitHub does to a repository, done with git's plumbing to a bare one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

NOTHING = "0" * 40
FILE = "100644"
TREE = "040000"


@dataclass(frozen=True, slots=True)
class Person:
    """Who made a commit, and when in seconds; without a time it is now."""

    name: str
    email: str
    time: int | None = None

    @classmethod
    def parse(cls, line: str) -> Person:
        name, _, rest = line.partition(" <")
        email, _, when = rest.partition("> ")
        return cls(name, email, int(when.split()[0]))


BOT = Person("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")
GITHUB = Person("GitHub", "noreply@github.com")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it is stored; `message` is without the line feed at its end."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree gets at a path; without a `sha` the path is removed."""

    path: str
    sha: str | None
    mode: str = FILE


class RefusedError(Exception):
    """Git cannot do what was asked for."""


class MissingError(RefusedError):
    """What should be removed is not there."""


class Repository:
    """A bare repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments: str, given: bytes = b"", **extra: str) -> bytes:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment = {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **extra}
        command = ["git", "--git-dir", str(self.folder), "-c", "gc.auto=0", *arguments]
        done = subprocess.run(command, input=given, env=environment, capture_output=True, check=False)
        if done.returncode:
            raise RefusedError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def line(self, *arguments: str, given: bytes = b"", **extra: str) -> str:
        return self.git(*arguments, given=given, **extra).decode().strip()

    def found(self, name: str, kind: str = "commit") -> str:
        """Return the object that a name stands for, or nothing."""
        try:
            return self.line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{{kind}}}")
        except RefusedError:
            return ""

    def ref(self, name: str) -> str:
        """Return what a reference points to, or nothing; a name that git does not allow is not there."""
        try:
            return self.line("show-ref", "--verify", "--hash", name)
        except RefusedError:
            return ""

    def branch(self, name: str) -> str:
        return self.ref(f"refs/heads/{name}")

    def move(self, ref: str, new: str, old: str) -> None:
        """Move a reference if it is still at `old`; NOTHING stands for one that is not there."""
        arguments = ["-d", ref, old] if new == NOTHING else [ref, new, old]
        self.git("update-ref", *arguments)

    def contains(self, commit: str, ancestor: str) -> bool:
        return self.line("rev-list", "--count", f"{commit}..{ancestor}") == "0"

    def ahead(self, base: str, head: str) -> list[str]:
        """Return the commits of `head` that `base` lacks, the oldest first."""
        return self.line("rev-list", "--reverse", "--topo-order", f"{base}..{head}").split()

    def log(self, commit: str, path: str, skip: int, count: int) -> list[Commit]:
        """Return commits, the newest first."""
        limits = [f"--skip={skip}", f"--max-count={count}"]
        return [self.read(name) for name in self.line("rev-list", *limits, commit, "--", *filter(None, [path])).split()]

    def read(self, commit: str) -> Commit:
        head, _, message = self.git("cat-file", "commit", commit).decode(errors="replace").partition("\n\n")
        fields = [line.partition(" ")[::2] for line in head.split("\n")]
        headers = dict(fields)
        parents = tuple(value for name, value in fields if name == "parent")
        author, committer = Person.parse(headers["author"]), Person.parse(headers["committer"])
        return Commit(commit, headers["tree"], parents, author, committer, message.removesuffix("\n"))

    def blob(self, content: bytes) -> str:
        return self.line("hash-object", "-w", "--stdin", given=content)

    @contextmanager
    def index(self, tree: str | None) -> Iterator[str]:
        """Yield the path of an index of its own that holds a tree."""
        with TemporaryDirectory() as folder:
            path = str(Path(folder) / "index")
            self.git("read-tree", tree or "--empty", GIT_INDEX_FILE=path)
            yield path

    def tree(self, base: str | None, entries: Iterable[Entry]) -> str:
        """Return the tree that `base` is with the entries; each replaces whatever was at its path."""
        with self.index(base) as index:
            for entry in entries:
                self._put(entry, index)
            return self.line("write-tree", GIT_INDEX_FILE=index)

    def _put(self, entry: Entry, index: str) -> None:
        if entry.mode == TREE or not entry.sha:
            below = self.git("ls-files", "-z", "--", f":(literal,top){entry.path}", GIT_INDEX_FILE=index)
            if not entry.sha and not below:
                raise MissingError(f"there is no {entry.path} to remove")
            self._add([b"0 %s\t%s" % (NOTHING.encode(), name) for name in below.split(b"\0") if name], index)
        if entry.sha and entry.mode == TREE:
            listed = self.git("ls-tree", "-r", "-z", entry.sha).split(b"\0")
            self._add([line.replace(b"\t", b"\t%s/" % entry.path.encode(), 1) for line in listed if line], index)
        elif entry.sha:
            self._add([f"{entry.mode} {entry.sha}\t{entry.path}".encode()], index)

    def _add(self, lines: Iterable[bytes], index: str) -> None:
        given = b"".join(line + b"\0" for line in lines)
        self.git("update-index", "--replace", "-z", "--index-info", given=given, GIT_INDEX_FILE=index)

    def commit(
        self, tree: str, parents: Iterable[str], message: str, author: Person = BOT, committer: Person = GITHUB
    ) -> str:
        """Store a commit; its message is kept byte for byte."""
        options = [part for parent in parents for part in ("-p", parent)]
        people = {"AUTHOR": author, "COMMITTER": committer}
        names = {f"GIT_{role}_NAME": person.name for role, person in people.items()}
        emails = {f"GIT_{role}_EMAIL": person.email for role, person in people.items()}
        dates = {f"GIT_{role}_DATE": f"@{p.time} +0000" for role, p in people.items() if p.time is not None}
        return self.line("commit-tree", tree, *options, given=message.encode(), **names, **emails, **dates, TZ="UTC")

    def merged(self, base: str, head: str) -> str:
        """Return the tree of a merge, or nothing where it conflicts."""
        try:
            return self.line("merge-tree", "--write-tree", base, head).split("\n")[0]
        except RefusedError:
            return ""

    def rebased(self, base: str, head: str) -> str:
        """Put the commits of `head` onto `base` and return the last; RefusedError where one does not apply."""
        tip = base
        for name in self.ahead(base, head):
            old = self.read(name)
            if len(old.parents) == 1:
                change = self.git("diff-tree", "-p", "--binary", "--full-index", old.parents[0], name)
                tip = self.commit(self._applied(tip, change), [tip], old.message, old.author)
        return tip

    def _applied(self, commit: str, change: bytes) -> str:
        with self.index(commit) as index:
            if change:
                self.git("apply", "--cached", "--whitespace=nowarn", given=change, GIT_INDEX_FILE=index)
            return self.line("write-tree", GIT_INDEX_FILE=index)
