"""The workflow of this repository, as another one takes it over."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from orbit_release.errors import MANUAL, InvalidError
from orbit_release.image import DOCKER_HUB
from orbit_release.init.configuration_text import CHOOSE

PATH = ".github/workflows/build-and-push.yml"
_OWN_ACTION = re.compile(r"\$/(\.github/actions/orbit-release) +#.*")
_ACTION = r"OWNER/orbit-release/\1@main"
_PIN = f" # {CHOOSE} who holds orbit-release, and a commit of it that you trust instead of main, in all jobs"
_LOGIN = re.compile(r"(?m)^( *)registry: ghcr\.io$")
_MAIN = re.compile(r"\[main\]|\bmain\b")
_PLAIN_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")  # in YAML, in an expression and in a script alike


def adopted_workflow(text: str, branch: str, hosts: AbstractSet[str]) -> str:
    """Return the workflow for a release branch and the registries' hosts; InvalidError for a name it cannot carry."""
    if not _PLAIN_BRANCH.fullmatch(branch):
        hint = f"release from a branch with a plain name, or write both files by hand ({MANUAL}/adopting.md shows how)."
        raise InvalidError(f"the branch {branch!r} cannot be written into a workflow", hint)
    if branch != "main":  # in one go: the branch's own name may hold the word
        text = _MAIN.sub(lambda place: f'["{branch}"]' if place[0] == "[main]" else branch, text)
    if others := ", ".join(sorted("Docker Hub" if host == DOCKER_HUB else host for host in hosts - {"ghcr.io"})):
        line = rf"\1# {CHOOSE} the images live at {others}: log in there, with credentials of its own\n\g<0>"
        text = _LOGIN.sub(line, text)
    return _OWN_ACTION.sub(_ACTION, _OWN_ACTION.sub(_ACTION + _PIN, text, count=1))
