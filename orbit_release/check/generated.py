"""Whether git is told to ignore a file: the sign that something makes it."""

from __future__ import annotations

import posixpath

from orbit_release.builders.ignore_file import IgnoreRule, ignore_rules, is_ignored
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError


def is_generated(tree: Tree, path: str) -> bool:
    """Whether the .gitignore of a folder above names a file or folder, or one above it (gitignore(5))."""
    folder = posixpath.dirname(path)
    while True:
        rules = _rules(tree, posixpath.join(folder, ".gitignore"))
        if is_ignored(rules, path[len(folder) + 1 :] if folder else path):
            return True
        if not folder:
            return False
        folder = posixpath.dirname(folder)


def _rules(tree: Tree, file: str) -> tuple[IgnoreRule, ...]:
    if tree.files.get(file, "") is not None:
        return ()
    lines = tree.read(file).decode("utf-8", "surrogateescape").splitlines()
    try:
        return ignore_rules("\n".join(map(_anywhere, lines)))
    except InvalidError:
        return ()


def _anywhere(line: str) -> str:
    """Write a line of a .gitignore as in an ignore file of Docker, where a name alone stands for one folder only."""
    keep, glob = ("!", line[1:]) if line.startswith("!") else ("", line)
    alone = "/" not in glob.strip().rstrip("/")
    return f"{keep}**/{glob}" if alone and glob.strip() and not line.startswith("#") else line
