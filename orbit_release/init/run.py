"""init: write the configuration and the workflow of a monorepo that has none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from orbit_release import config
from orbit_release.check.tree import Tree
from orbit_release.errors import UsageError
from orbit_release.git.clone import Clone
from orbit_release.git.worktree import work_file, work_files
from orbit_release.init import workflow
from orbit_release.init.new_files import refuse_existing, write_new
from orbit_release.init.proposal import Origin, propose
from orbit_release.init.written import CHOOSE, written
from orbit_release.remote import web_address

PATHS = (config.FILE_NAME, workflow.PATH)
_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class NewFiles:
    """The text of each file by its path; `services` are the names that are configured."""

    texts: Mapping[str, str]
    services: tuple[str, ...]

    def choices(self, path: str) -> int:
        """How many comments in a file leave something to choose."""
        return sum(f"# {CHOOSE} " in line for line in self.texts[path].splitlines())


def new_files(git: Clone, template: str) -> NewFiles:
    """Return what to write; `template` is the workflow of this tool's own repository."""
    if git.process.is_bare:
        raise UsageError("init writes into a working tree, and this repository is bare", "run it in a clone.")
    address = urlsplit(web_address(git.remote_address())).path.strip("/")
    branch = git.remote_head()
    origin = Origin(address or os.path.basename(git.top), branch or _BRANCH, is_guess=branch is None)
    text = written(propose(Tree(work_files(git), partial(work_file, git)), origin))
    services = config.load(text.encode(), config.FILE_NAME).services  # which proves that it is one
    adopted = workflow.adopted(template, origin.branch, {one.repository.host for one in services})
    return NewFiles(dict(zip(PATHS, (text, adopted), strict=True)), tuple(one.name for one in services))


def refuse_overwriting(git: Clone) -> None:
    """Raise ConflictError if one of the files is there."""
    refuse_existing(git.top, PATHS)


def write(git: Clone, files: NewFiles) -> None:
    """Write both files, or neither."""
    write_new(git.top, {path: text.encode() for path, text in files.texts.items()})
