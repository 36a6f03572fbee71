"""Which tracked files the sources of a Dockerfile bring from the build context."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orbit_release.builders.ignore_file import IgnoreRule, compiled_pattern, ignore_rules, is_ignored
from orbit_release.check.inputs.context_reads import ContextRead
from orbit_release.check.tree import Tree
from orbit_release.service import BuildSettings

_MOST_LINKS = 40  # as many as a kernel follows, path_resolution(7)
_STATIC = re.compile(r"(?:[^*?\[\\/]+/)*")


def join(folder: str, path: str) -> str:
    """Join two paths; each may be `.`, and `..` may lead out of the repository."""
    return posixpath.normpath(posixpath.join(folder, path))


def is_within(path: str, folder: str) -> bool:
    return folder in {".", path} or path.startswith(f"{folder}/")


def static_folder(glob: str) -> str:
    """Return the folder that all files are in that a glob selects."""
    static = _STATIC.match(glob)
    return (static[0].rstrip("/") if static else "") or "."


@dataclass(frozen=True, slots=True)
class ContextFiles:
    """The files of a build context by their paths in it: the tracked ones, and those the ignore file lets through."""

    folder: str
    ignore_file: str  # "" where there is none
    rules: tuple[IgnoreRule, ...]
    tracked: Tree
    sent: Tree
    _known: dict[ContextRead, list[str]] = field(default_factory=dict, repr=False, compare=False)

    def brought(self, read: ContextRead) -> list[str]:
        """Return the files that a source brings, relative to the repository's root, in order."""
        key = replace(read, line=0, source="")  # many services copy the same
        if key not in self._known:
            names = self._matching(read) if read.is_pattern else self._named(read.path)
            rules = ignore_rules("\n".join(read.excludes))
            depth = 0 if read.path == "." else read.path.count("/") + 1
            brought = {join(self.folder, name) for name in names if not _is_excluded(rules, name, depth)}
            self._known[key] = sorted(brought)
        return self._known[key]

    def lacks(self, read: ContextRead) -> bool:
        """Whether the build fails for want of a source; wildcards may match nothing, and a folder may be empty."""
        if read.is_pattern:
            return False
        path = self._follow(read.path)[1]
        is_sent = path == "." or any(self._named(path))
        return not is_sent and (not self.is_tracked(path) or self.keeps_out(path))

    def keeps_out(self, path: str) -> bool:
        """Whether there is such a file or folder, and the ignore file names it."""
        return self.is_tracked(path) and is_ignored(self.rules, path)

    def is_tracked(self, path: str) -> bool:
        """Whether git knows this file, or one in this folder."""
        return path in self.tracked.files or bool(self.tracked.below(path))

    def sends(self, path: str) -> bool:
        """Whether a build may see this file; `path` is relative to the repository's root."""
        start = 0 if self.folder == "." else len(self.folder) + 1
        return path[start:] in self.sent.files and join(self.folder, path[start:]) == path

    def real_path(self, path: str) -> str:
        """Return where a path leads over links, relative to the repository's root."""
        return join(self.folder, self._follow(path)[1])

    def _follow(self, path: str) -> tuple[list[str], str]:
        """Return the links on the way and the path behind them; the context's root is the root of links, too."""
        links: list[str] = []
        while (link := self._link_on(path)) and len(links) < _MOST_LINKS:
            links.append(link)
            target = posixpath.join("/", posixpath.dirname(link), self.sent.files[link] or "", path[len(link) + 1 :])
            path = posixpath.normpath(target).lstrip("/") or "."
        return links, path

    def _link_on(self, path: str) -> str:
        return next((name for name in _prefixes(path) if self.sent.files.get(name) is not None), "")

    def _named(self, path: str) -> Iterator[str]:
        links, path = self._follow(path)
        yield from links
        files = (name for name in _prefixes(path) if name in self.sent.files)  # a submodule is a file to git
        yield from self.sent.below(path) or files

    def _matching(self, read: ContextRead) -> Iterator[str]:
        pattern = read.path if read.parents else re.sub(r"\*\*+", "*", read.path)
        whole, below = (compiled_pattern(glob, f"line {read.line}") for glob in (pattern, f"{pattern}/**"))
        names = self.sent.below(static_folder(pattern))
        return (name for name in names if whole.fullmatch(name) or below.fullmatch(name))


def _prefixes(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _is_excluded(rules: tuple[IgnoreRule, ...], name: str, depth: int) -> bool:
    """Whether `--exclude` names a file, as seen from the context or from the folder that is copied."""
    parts = name.split("/")
    inner = "/".join(parts[depth:]) or parts[-1]
    return any(is_ignored(rules, path) for path in (name, inner))


def whole_tree(tree: Tree) -> ContextFiles:
    """Return all files of a repository, as if they were a context without an ignore file."""
    return ContextFiles(".", "", (), tree, tree)


class Contexts:
    """The build contexts of a repository, each looked at once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._known: dict[tuple[str, str], ContextFiles] = {}

    def files(self, settings: BuildSettings) -> ContextFiles:
        """Return what a build sees; InvalidError if its ignore file is not valid."""
        names = (settings.own_ignore_file, settings.context_ignore_file)
        folder, ignore_file = key = settings.context, next(filter(self.tree.is_file, names), "")
        if key not in self._known:
            start, read = 0 if folder == "." else len(folder) + 1, self.tree.read
            tracked = Tree({path[start:]: self.tree.files[path] for path in self.tree.below(folder)}, read)
            rules = ignore_rules(read(ignore_file).decode("utf-8", "surrogateescape")) if ignore_file else ()
            sent = {path: target for path, target in tracked.files.items() if not is_ignored(rules, path)}
            self._known[key] = ContextFiles(folder, ignore_file, rules, tracked, Tree(sent, read) if rules else tracked)
        return self._known[key]

    def dockerfile(self, settings: BuildSettings) -> str | None:
        """Return a Dockerfile's text, over links too; None if it is not there."""
        real = whole_tree(self.tree).real_path(settings.dockerfile)
        return self.tree.read(real).decode("utf-8", "replace") if self.tree.is_file(real) else None
