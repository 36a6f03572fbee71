"""What git's plumbing prints: NUL-separated listings of trees, changes and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.git.graph import ChangedFile, Commit

# git-diff-tree(1), "Raw output format"; never renames: they fail where blobs are missing, and both sides count.
RAW = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--ignore-submodules=none")
# Fields end with a unit separator, which no name and no subject holds; a commit begins with a record separator.
LOGGED = "--format=%x1e%H%x1f%P%x1f%ct%x1f%aN%x1f%s"
_PAIR = re.compile(rb"([0-9a-f]{40,64}) ([0-9a-f]{40,64})\n")
_FOLDER = "40000"
_NO_FILES = (_FOLDER, "160000")  # and submodules
_SYMLINK = "120000"
_SUBMODULE = "160000"
REGULAR = "100"
_LATEST = 253_402_300_799  # the end of the year 9999, in seconds since 1970


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a commit: its mode as git writes it, and the object that holds its bytes."""

    path: bytes
    mode: str
    blob: str

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link: its bytes are a path, not a text."""
        return self.mode == _SYMLINK

    @property
    def is_folder(self) -> bool:
        return self.mode == _FOLDER

    @property
    def is_submodule(self) -> bool:
        return self.mode == _SUBMODULE


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs of a file before and after a commit; None where there was no file, or only a link or a submodule."""

    path: bytes
    before: str | None
    after: str | None


def tree_files(listing: bytes) -> tuple[TreeFile, ...]:
    """Read what `ls-tree -r -z` prints; submodules are no files."""
    entries = (line.partition(b"\t") for line in listing.split(b"\0") if line)
    files = (TreeFile(path, *meta.decode().split(" ")[::2]) for meta, _, path in entries)
    return tuple(file for file in files if file.mode != _SUBMODULE)


def _status(token: bytes) -> str:
    return token[token.rindex(b" ") + 1 :].decode()


def changes_by_trees(output: bytes) -> dict[tuple[str, str], tuple[ChangedFile, ...]]:
    """Read what `diff-tree --stdin -z --raw` prints: the pair of trees, then what differs between them."""
    changes: dict[tuple[str, str], list[ChangedFile]] = {}
    files: list[ChangedFile] = []
    tokens = iter(output.split(b"\0"))
    for token in tokens:
        start = 0
        while pair := _PAIR.match(token, start):
            files = changes.setdefault((pair[1].decode(), pair[2].decode()), [])
            start = pair.end()
        if token[start:]:
            files.append(ChangedFile(next(tokens), _status(token)))
    return {pair: tuple(files) for pair, files in changes.items()}


def _records(tokens: Iterator[bytes]) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    """Yield what `git log -z --raw` prints of each commit, and the line and the path of each file that it changed."""
    record, files = b"", list[tuple[bytes, bytes]]()
    for token in tokens:
        text = token.strip(b"\n")
        if text.startswith(b":"):
            files.append((text, next(tokens)))
        elif text:
            if record:
                yield record, files
            record, files = text, []
    if record:
        yield record, files


def commits(tokens: Iterator[bytes]) -> Iterator[tuple[str, tuple[ChangedFile, ...]]]:
    """Read what `git log -z --raw --format=%H` prints."""
    for name, files in _records(tokens):
        yield name.decode(), tuple(ChangedFile(path, _status(line)) for line, path in files)


def logged(tokens: Iterator[bytes]) -> Iterator[tuple[Commit, tuple[Blobs, ...]]]:
    """Read what `git log -z` prints in the format LOGGED, with --raw also what each commit changed."""
    for record, files in _records(tokens):
        yield _commit(record), tuple(_blobs(line, path) for line, path in files)


def _commit(record: bytes) -> Commit:
    name, parents, time, author, subject = record[1:].decode("utf-8", "replace").split("\x1f", 4)
    # Git keeps whatever somebody wrote into a commit, also a time that no calendar has.
    seconds = min(int(time), _LATEST) if time.isdigit() else 0
    return Commit(name, tuple(parents.split()), seconds, author, subject)


def _blobs(line: bytes, path: bytes) -> Blobs:
    mode_before, mode_after, before, after, _ = line[1:].decode().split(" ")
    is_before, is_after = mode_before.startswith(REGULAR), mode_after.startswith(REGULAR)
    return Blobs(path, before if is_before else None, after if is_after else None)


def file_names(tree: bytes, digest_size: int) -> set[bytes]:
    """Read the names of the files in a tree object."""
    return {entry.path for entry in tree_entries(tree, digest_size) if entry.mode not in _NO_FILES}


def tree_entries(tree: bytes, digest_size: int) -> list[TreeFile]:
    """Read a tree object: `mode name NUL digest`, over and over; folders and submodules are among the entries."""
    entries, position = [], 0
    while position < len(tree):
        end = tree.index(b"\0", position)
        mode, _, name = tree[position:end].partition(b" ")
        position = end + 1 + digest_size
        entries.append(TreeFile(name, mode.decode(), tree[end + 1 : position].hex()))
    return entries


def remote_branch(listing: bytes, branch: str) -> str | None:
    """Return a branch's commit out of what `ls-remote` prints; it lists longer names that end alike as well."""
    lines = (line.split("\t") for line in listing.decode("utf-8", "surrogateescape").splitlines())
    return next((commit for commit, name in lines if name == f"refs/heads/{branch}"), None)
