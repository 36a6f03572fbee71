"""What a repository does not tell, as a person reads it: the choice, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orbit_release.init.build_context import ChosenContext
from orbit_release.init.image_matching import ImageMatch, ImageMatching
from orbit_release.text import listed

BRANCH = "the branch to release from, for the clone does not tell; the workflow names it, too"
_MOST_NAMES = 3  # in a line
_MOST_LINES = 20  # about what is left over; more say less


def match_choices(match: ImageMatch) -> Iterator[str]:
    if match.is_guess:
        yield f"a guess, for their names are alike: {match.image.repository} is named by {_some(match.image.files)}"
    if match.rivals:
        yield f"{_some(match.rivals)} would match as well"
    for place in match.image.unwritable:
        yield f"{place} holds no plain tag: write `{match.image.repository}:latest` there"


def context_choices(chosen: ChosenContext) -> Iterator[str]:
    if chosen.missing:
        lacks = f"{chosen.settings.context} lacks {_some(chosen.missing)}"
        yield f"the context, for no folder has all that the Dockerfile copies: {lacks}"
    for read in chosen.unknown:
        place = f"{chosen.settings.dockerfile}:{read.line}"
        yield f"the paths, for {place} copies {read.source}, whose variable has no value: add what that is"


def deselected_choices(globs: Sequence[str]) -> Iterator[str]:
    """Yield what the Dockerfile copies by name, and a glob behind it deselects with the manifests."""
    for at, glob in enumerate(globs):
        left_out = [later[1:] for later in globs[at:] if later.startswith("!")]
        folders = tuple(later.removesuffix("**") for later in left_out if later.endswith("/**"))
        if (glob in left_out or glob.startswith(folders)) and glob not in globs[at + 1 :]:
            yield f"{glob} is copied and no input, for a release changes manifests: copy it from elsewhere, or leave it"


def image_choices(matching: ImageMatching) -> Iterator[str]:
    if not any(match.image.files for match in matching.matches):
        yield "the repository to push images to, for none that was found in manifests has a Dockerfile's name"
    elif not matching.prefix:
        yield "the manifests name images without a registry, which nobody can push: `ghcr.io/…` here and there"
    others = {image.prefix: image for match in matching.matches for image in match.others if image.prefix}
    for image in others.values():
        yield f"the manifests name images at {image.prefix} as well, {_some(image.files)} for one"


def manifest_choices(others: Sequence[str]) -> tuple[str, ...]:
    """Return what is not sure about the folder of the manifests, where `others` have some of the images."""
    if not others:
        return ()
    have = "have" if others[1:] else "has"
    return (f"{_some(others)} {have} manifests of these images as well, and a release changes only one folder",)


def left_over(matching: ImageMatching) -> Iterator[str]:
    """Yield the images and the Dockerfiles that no service came of."""
    images = (
        f"{image.repository} is named by {_some(image.files)}, no Dockerfile is left that matches it"
        for image in matching.images
    )
    paths = (dockerfile.path for dockerfile in matching.dockerfiles)
    lines = [*images, *(f"{path} {_known_of(path, matching)}: add a service for it, or leave it out" for path in paths)]
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"{len(lines) - _MOST_LINES} more of these are left out here"


def _known_of(path: str, matching: ImageMatching) -> str:
    namesake = matching.namesakes.get(path)
    if namesake is None:
        return "matches no image of the manifests"
    taken = (match for match in matching.matches if match.image.repository == namesake.repository)
    why = next((f"{match.dockerfile.path} was taken for" for match in taken), "no service has")
    return f"has the name of {namesake.repository}, which {why}"


def _some(names: Sequence[str]) -> str:
    return listed(names, _MOST_NAMES)
