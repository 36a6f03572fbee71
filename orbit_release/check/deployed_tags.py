"""Rules about the deployed tags, and the commits that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.manifests.rewrite import FoundImage

UNKNOWN = Rule(
    "tag-without-commit",
    Group.HISTORY,
    "What changed since it was deployed cannot be told, so the service is built again at every plan.",
)
UNMERGED = Rule(
    "tag-not-merged",
    Group.HISTORY,
    "Nobody has reviewed what runs there, and the next release takes it away without a word.",
)


RULES = (UNKNOWN, UNMERGED)


def deployed_findings(
    images: Iterable[FoundImage], commits: Callable[[str], str | None], is_merged: Callable[[str], bool], branch: str
) -> Iterator[Finding]:
    """Yield the `sha-` tags that name no commit (`commits` looks one up by its digits), or none of the branch."""
    for image in images:
        prefix = image.reference.tag.commit_prefix if image.reference.tag else None
        commit = commits(prefix) if prefix else None
        if prefix and commit is None:
            fix = f"run `git fetch`, or bump to a tag of {branch}."
            yield Finding(UNKNOWN, image.path, image.line, f"{image.reference} names no commit that is here", fix)
        elif commit and not is_merged(commit):
            fix = "merge it, or bump to a tag of the branch."
            yield Finding(UNMERGED, image.path, image.line, f"the commit of {image.reference} is not on {branch}", fix)
