"""The rules of the group `history`: the deployed tags name commits of the release branch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orbit_release.check.finding import Finding, Group
from orbit_release.check.manifest_rules import PINNED_FIX, PINNED_TAG
from orbit_release.manifests.places import FoundImage
from orbit_release.tag_scheme import TagScheme

TAG_WITHOUT_COMMIT = Group.HISTORY.rule(
    "tag-without-commit",
    "What changed since it was deployed cannot be told, so the service is built again at every plan.",
)
TAG_NOT_MERGED = Group.HISTORY.rule(
    "tag-not-merged", "Nobody has reviewed what runs there, and the next release takes it away without a word."
)
RULES = (TAG_WITHOUT_COMMIT, TAG_NOT_MERGED)


def check_deployed_tags(
    images: Iterable[FoundImage],
    commit_of: Callable[[str], str | None],
    is_merged: Callable[[str], bool],
    branch: str,
    scheme: TagScheme,
) -> Iterator[Finding]:
    """Yield the scheme's tags that name no commit (`commit_of` takes its digits), or none of the branch."""
    for image in images:
        prefix = scheme.commit_prefix(image.reference.tag)
        commit = commit_of(prefix) if prefix else None
        if prefix and commit is None:
            message = f"{image.reference} names no commit that is here"
            fix = f"run `git fetch`, or bump to a tag of {branch}."
            is_pin = scheme.is_pin(image.reference.tag, commit)
            if not is_pin or image.mark is None:
                rule, fix = (PINNED_TAG, PINNED_FIX) if is_pin else (TAG_WITHOUT_COMMIT, fix)
                yield Finding(rule, image.path, image.line, message, fix)
        elif commit and not is_merged(commit):
            message = f"the commit of {image.reference} is not on {branch}"
            yield Finding(TAG_NOT_MERGED, image.path, image.line, message, "merge it, or bump to a tag of the branch.")
