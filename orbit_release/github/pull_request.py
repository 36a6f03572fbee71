"""What a pull request for a release is called, and what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from orbit_release.releases.messages import Notes, summary

PREFIX = "orbit-release"
_LONGEST = 100  # characters of names in a branch's name
_SYNCS = "Merging this makes Argo CD (or Flux) sync these images."
_FOOTERS = {
    "release": f"""
{_SYNCS} Until then `orbit-release` keeps it up to date: it replaces
whatever is pushed to this branch, and closes the pull request once it would change nothing.
""",
    "rollback": f"\n{_SYNCS}\n",
}


def branch_name(services: Iterable[str], everything: Iterable[str], verb: str = "") -> str:
    """Return the branch that belongs to what is done to a set of services out of all that there are."""
    wanted = sorted(set(services))
    prefix = f"{PREFIX}/{verb}" if verb else PREFIX
    if wanted == sorted(everything):
        return f"{prefix}/all"
    names = "+".join(wanted)
    if len(names) > _LONGEST or names.endswith(".lock"):  # git-check-ref-format(1)
        names = f"{len(wanted)}-{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    return f"{prefix}/only/{names}"


def body(notes: Notes) -> str:
    """Return the description in Markdown: the services with their tags, a compare link and the image."""
    return f"{summary(notes)}{_FOOTERS.get(notes.verb, '')}"
