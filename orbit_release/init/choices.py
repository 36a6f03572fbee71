"""What a repository does not tell, as a person reads it: the choice, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orbit_release.init.context import ChosenContext
from orbit_release.init.matches import Match, Matching

_FEW = 3  # names in a line
_MOST = 20  # lines about what is left over; more say less


def match_choices(one: Match) -> Iterator[str]:
    """Yield what is not sure about an image and its Dockerfile."""
    if one.is_guess:
        yield f"a guess, for their names are alike: {one.image.repository} is named by {_some(one.image.files)}"
    if one.rivals:
        yield f"{_some(one.rivals)} would match as well"
    for place in one.image.unwritable:
        yield f"{place} holds no plain tag: write `{one.image.repository}:latest` there"


def context_choices(chosen: ChosenContext) -> Iterator[str]:
    """Yield what is not sure about a build context."""
    if chosen.missing:
        lacks = f"{chosen.settings.context} lacks {_some(chosen.missing)}"
        yield f"the context, for no folder has all that the Dockerfile copies: {lacks}"
    for read in chosen.unknown:
        place = f"{chosen.settings.dockerfile}:{read.line}"
        yield f"the paths, for {place} copies {read.source}, whose variable has no value: add what that is"


def deselected(globs: Sequence[str]) -> Iterator[str]:
    """Yield what the Dockerfile copies by name, and a glob behind it deselects with the manifests."""
    for at, glob in enumerate(globs):
        left_out = [other[1:] for other in globs[at:] if other.startswith("!")]
        folders = tuple(other.removesuffix("**") for other in left_out if other.endswith("/**"))
        if (glob in left_out or glob.startswith(folders)) and glob not in globs[at + 1 :]:
            yield f"{glob} is copied and no input, for a release changes manifests: copy it from elsewhere, or leave it"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_FEW])
    return f"{shown} and {len(names) - _FEW} more" if len(names) > _FEW else shown


def image_choices(matching: Matching) -> Iterator[str]:
    """Yield what is not sure about where images are pushed to."""
    if not any(one.image.files for one in matching.matches):
        yield "the repository to push images to, for none that was found in manifests has a Dockerfile's name"
    elif not matching.prefix:
        yield "the manifests name images without a registry, which nobody can push: `ghcr.io/…` here and there"
    others = {other.prefix: other for one in matching.matches for other in one.others if other.prefix}
    for other in others.values():
        yield f"the manifests name images at {other.prefix} as well, {_some(other.files)} for one"


def branch_choices(*, is_guess: bool) -> tuple[str, ...]:
    """Return what is not sure about the release branch."""
    return ("the branch to release from, for the clone does not tell; the workflow names it, too",) if is_guess else ()


def manifest_choices(others: Sequence[str]) -> tuple[str, ...]:
    """Return what is not sure about the folder of the manifests, where `others` have some of the images."""
    if not others:
        return ()
    have = "have" if others[1:] else "has"
    return (f"{_some(others)} {have} manifests of these images as well, and a release changes only one folder",)


def left_over(matching: Matching) -> Iterator[str]:
    """Yield the images and the Dockerfiles that no service came of."""
    lines = [
        *(
            f"{one.repository} is named by {_some(one.files)}, no Dockerfile is left that matches it"
            for one in matching.images
        ),
        *(
            f"{one.path} {_told(one.path, matching)}: add a service for it, or leave it out"
            for one in matching.dockerfiles
        ),
    ]
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"{len(lines) - _MOST} more of these are left out here"


def _told(path: str, matching: Matching) -> str:
    """Return what is known of a Dockerfile that no service came of."""
    namesake = matching.namesakes.get(path)
    if namesake is None:
        return "matches no image of the manifests"
    taken = (one.dockerfile.path for one in matching.matches if one.image.repository == namesake.repository)
    why = next((f"{other} was taken for" for other in taken), "no service has")
    return f"has the name of {namesake.repository}, which {why}"
