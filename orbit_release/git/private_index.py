"""What git does with an index of ours: the clone's own, and its working tree, stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from orbit_release.git.process import Process


def check_out(git: Process, commit: str, folder: str) -> None:
    """Write a commit's files into an empty folder, with the filters and line ends of a real checkout."""
    with private_index() as index:
        everything = ("-c", "core.sparseCheckout=false", f"--work-tree={folder}")
        git.out(*everything, "read-tree", "--reset", "-u", commit, environment=index)


@contextmanager
def private_index() -> Iterator[Mapping[str, str]]:
    """Give the environment of a git that uses it."""
    with TemporaryDirectory(prefix="orbit-release-") as folder:
        yield {"GIT_INDEX_FILE": f"{folder}/index"}
