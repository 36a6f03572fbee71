"""init: write the configuration and the workflow of a monorepo that has none, both files or neither."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from orbit_release import config
from orbit_release.check.working_tree import ignored, working_tree
from orbit_release.errors import ConflictError, UsageError
from orbit_release.git.clone import Clone
from orbit_release.init import adopted_workflow
from orbit_release.init.configuration_text import CHOOSE, configuration_text
from orbit_release.init.proposed_configuration import CloneNames, propose
from orbit_release.remote_address import web_address

PATHS = (config.FILE_NAME, adopted_workflow.PATH)
_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class NewFiles:
    """The text of each file by its path; `services` are the names that are configured."""

    texts: Mapping[str, str]
    services: tuple[str, ...]

    def choices(self, path: str) -> int:
        return sum(f"# {CHOOSE} " in line for line in self.texts[path].splitlines())


def new_files(git: Clone, template: str) -> NewFiles:
    """Return what to write; `template` is the workflow of this tool's own repository."""
    if git.process.is_bare:
        raise UsageError("init writes into a working tree, and this repository is bare", "run it in a clone.")
    address = urlsplit(web_address(git.remote_address())).path.strip("/")
    branch = git.remote_head()
    names = CloneNames(address or os.path.basename(git.top), branch or _BRANCH, is_guess=branch is None)
    text = configuration_text(propose(working_tree(git), names, partial(ignored, git)))
    services = config.load(text.encode(), config.FILE_NAME).services  # which proves that it is one
    hosts = {service.repository.registry for service in services}
    workflow = adopted_workflow.adopted_workflow(template, names.branch, hosts)
    return NewFiles(dict(zip(PATHS, (text, workflow), strict=True)), tuple(service.name for service in services))


def refuse_existing(git: Clone) -> None:
    """Raise ConflictError if something has one of the names already, a link that leads nowhere included."""
    if there := [path for path in PATHS if os.path.lexists(os.path.join(git.top, path))]:
        hint = "it is never overwritten: move it away first; --dry-run shows what would be written."
        raise ConflictError(f"{' and '.join(there)} {'are' if there[1:] else 'is'} there already", hint)


def write_new_files(git: Clone, files: NewFiles) -> None:
    """Write all files; ConflictError, OSError: nothing was written."""
    refuse_existing(git)
    targets = {path: os.path.join(git.top, path) for path in files.texts}
    _refuse_outside(git.top, targets)
    written: list[str] = []
    try:
        for path, text in files.texts.items():
            os.makedirs(os.path.dirname(targets[path]), exist_ok=True)
            with open(targets[path], "xb") as file:  # somebody may have been faster
                written.append(targets[path])
                file.write(text.encode())
    except BaseException:
        for target in written:
            with suppress(OSError):
                os.unlink(target)
        raise


def _refuse_outside(folder: str, targets: Mapping[str, str]) -> None:
    top = os.path.realpath(folder)
    for path, target in targets.items():
        if os.path.commonpath([top, os.path.realpath(os.path.dirname(target))]) != top:
            raise ConflictError(f"{path} would lie outside of the repository", "a folder on the way is a link.")
