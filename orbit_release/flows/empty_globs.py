"""Globs that select nothing: misspelled, or left over from a folder that has moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from orbit_release.config import FILE_NAME
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.globs import Globs, literal_start
from orbit_release.planning.actions import Action, Plan

_ANY_DEPTH = 4096  # git's paths have fewer slashes than bytes


def with_empty_globs(source: Source, plan: Plan) -> Plan:
    """Add a warning for each glob of the planned services that selects no file at head."""
    if plan.head is None:
        return plan
    services: dict[str, list[str]] = {}
    for decided in plan.services:
        for glob in dict.fromkeys(decided.service.paths.globs) if decided.action is not Action.ABSENT else ():
            if not glob.startswith("!"):
                services.setdefault(glob, []).append(decided.service.name)
    files, name, head = _FilesAtHead(source.git, plan.head), source.config_name or FILE_NAME, plan.head[:7]
    warnings = [
        f"{name}: paths of {', '.join(names)}: {glob} selects no file at {head}{files.hint(glob)}"
        for glob, names in services.items()
        if not files.has_any(glob)
    ]
    return replace(plan, warnings=(*plan.warnings, *warnings))


class _FilesAtHead:
    """The files of a commit, looked up folder by folder: no more of them are read than the globs need."""

    def __init__(self, git: Clone, commit: str) -> None:
        self._tree = cache(git.tree)
        self._root = commit

    def has_any(self, glob: str) -> bool:
        """Whether a glob selects a file or a submodule."""
        start = literal_start(glob)
        if self._is_there(_encoded(glob).rstrip(b"/")):  # git takes a glob for a name as well
            return True
        if _encoded(glob) == start + b"/**":  # a folder is never empty
            return self._is_there(start)
        tree = self._tree_of(start)
        deepest = _ANY_DEPTH if "**" in glob else glob.count("/")
        return tree is not None and any(map(Globs((glob,)).match, self._below(tree, start, deepest)))

    def _is_there(self, path: bytes) -> bool:
        folder, _, name = path.rpartition(b"/")
        tree = self._tree_of(folder)
        return tree is not None and name in self._tree(tree)

    def _tree_of(self, folder: bytes) -> str | None:
        tree: str | None = self._root
        for name in folder.split(b"/") if folder else ():
            tree = self._tree(tree).get(name) if tree else None
        return tree

    def _below(self, tree: str, folder: bytes, deepest: int) -> Iterator[bytes]:
        """Yield the files below a folder that have no more than so many slashes in their paths."""
        for name, below in self._tree(tree).items():
            path = folder + b"/" + name if folder else name
            if below is None:
                yield path
            elif path.count(b"/") < deepest:
                yield from self._below(below, path, deepest)

    def hint(self, glob: str) -> str:
        """Name the glob that was meant, as far as its literal folders tell."""
        import difflib  # noqa: PLC0415  (1 ms that only a misspelled glob pays for)

        start = literal_start(glob).decode("utf-8", "surrogateescape")
        tree: str | None = self._root
        names = start.split("/")
        for place, name in enumerate(names):
            entries = self._tree(tree) if tree else {}
            if _encoded(name) not in entries:
                there = [entry.decode("utf-8", "surrogateescape") for entry in entries]
                close = difflib.get_close_matches(name, there, n=1)
                meant = "/".join((*names[:place], *close, *names[place + 1 :]))
                return f"; did you mean {meant}{glob[len(start) :]}?" if close else ""
            tree = entries[_encoded(name)]
        return ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
