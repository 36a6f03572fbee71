"""The files of the working tree, committed or not."""

from __future__ import annotations

import os
from collections.abc import Iterable

from orbit_release.check.tree import Tree
from orbit_release.errors import UnavailableError, UsageError
from orbit_release.git.clone import Clone
from orbit_release.git.process import complaint


def working_tree(clone: Clone) -> Tree:
    """Return the files that are tracked or to be.

    What is deleted is left out; a submodule is one file without bytes, as it is to git. Paths start at the top.
    """
    if clone.process.is_bare:
        raise UsageError(f"{clone.top} has no working tree", "run it in a clone that is not bare.")
    listing = clone.process.out("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    paths = (os.fsdecode(path) for path in listing.split(b"\0") if path)
    places = {path: os.path.join(clone.top, path) for path in paths}
    # A folder is a submodule, but for one that is a repository of its own: that ends in a slash.
    there = {path: place for path, place in places.items() if os.path.lexists(place) and not path.endswith("/")}
    files = {path: os.readlink(place) if os.path.islink(place) else None for path, place in there.items()}
    return Tree(files, lambda path: _bytes(os.path.join(clone.top, path)))


def _bytes(place: str) -> bytes:
    if os.path.isdir(place):
        return b""
    with open(place, "rb") as file:
        return file.read()


def ignored(clone: Clone, paths: Iterable[str]) -> set[str]:
    """Return those paths that a .gitignore of the repository names, as a file or a folder, there or not.

    What a person ignores on this machine alone (core.excludesFile, .git/info/exclude) says nothing of the repository.
    """
    names = {path: _ignorable(clone.top, path) for path in paths}
    stdin = os.fsencode("".join(f"{name}\0" for name in names.values()))
    own_files = ("-c", f"core.excludesFile={os.devnull}")  # a person's file, which may be called .gitignore as well
    done = clone.process.run(*own_files, "check-ignore", "--verbose", "-z", "--stdin", "--no-index", stdin=stdin)
    if done.returncode > 1:  # 1: none of them is ignored
        message = f"git check-ignore failed: {complaint(done.stderr)}"
        raise UnavailableError(message, "see what `git status` says of this clone.")
    fields = [os.fsdecode(field) for field in done.stdout.split(b"\0")]
    matches = zip(fields[::4], fields[2::4], fields[3::4], strict=False)  # source, line, pattern, path
    told = {name for file, glob, name in matches if file.endswith(".gitignore") and not glob.startswith("!")}
    return {path for path, name in names.items() if name in told}


def _ignorable(top: str, path: str) -> str:
    """Return a path up to the first link on it, behind which git knows nothing; what is not there is a folder."""
    folders = (path[:at] for at, character in enumerate(path) if character == "/")
    name = next((folder for folder in folders if os.path.islink(os.path.join(top, folder))), path)
    return name if os.path.lexists(os.path.join(top, name)) else f"{name}/"
