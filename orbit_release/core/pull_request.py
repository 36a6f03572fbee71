"""What a pull request for a release is called, and what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orbit_release.core.release import Notes, Step
from orbit_release.core.text import code, markdown_table

_PREFIX = "orbit-release"
_LONGEST = 100  # characters of names in a branch's name
_FOOTER = """
Merging this makes Argo CD (or Flux) sync these images. Until then `orbit-release` keeps it up to date: it replaces
whatever is pushed to this branch, and closes the pull request once it would change nothing.
"""


def branch_name(services: Sequence[str]) -> str:
    """Return the branch that belongs to a set of services; no services stand for all of them."""
    if not services:
        return f"{_PREFIX}/all"
    names = "+".join(sorted(services))
    if len(names) > _LONGEST or names.endswith(".lock"):  # git-check-ref-format(1)
        names = f"{len(services)}-{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    return f"{_PREFIX}/only/{names}"


def body(notes: Notes) -> str:
    """Return the description in Markdown: the services with their tags, a compare link and the image."""
    return f"{steps_table(notes)}{_FOOTER}"


def steps_table(notes: Notes) -> str:
    """Return the steps of a release as a Markdown table."""
    rows = [
        (code(step.service), code(step.before), code(step.after), _changes(notes, step), code(step.image))
        for step in notes.steps
    ]
    return markdown_table(("Service", "Before", "After", "Changes", "Image"), rows)


def _changes(notes: Notes, step: Step) -> str:
    link = notes.compare_link(step)
    return f"[{step.distance}]({link})" if link else step.distance
