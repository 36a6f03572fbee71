"""What was deployed when, replayed from the manifests' own history: it holds whoever changed them, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orbit_release.core.graph import Commit, Graph
from orbit_release.core.image import LATEST, ImageReference, Repository
from orbit_release.core.manifest import FoundImage


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stretch of time in which a service was deployed with one reference.

    `since` is the commit of the release branch that deployed it, `until` the one that replaced it (None: it is
    deployed now), `before` what it replaced. `base` and `head` are the commits that the two references name, as far
    as they are known; `commits`, newest first, lie between them: they came in with it, or went out if `is_rollback`.
    """

    reference: ImageReference
    since: Commit
    before: ImageReference | None = None
    until: Commit | None = None
    is_rollback: bool = False
    base: str | None = None
    head: str | None = None
    commits: tuple[Commit, ...] = ()
    place: int = 0  # of `since` in the manifests' log, the oldest first: clocks may disagree


@dataclass(frozen=True, slots=True)
class Change:
    """What a first-parent commit did to the manifests that it changed: the references in them, before and after."""

    commit: Commit
    before: Mapping[str, Sequence[FoundImage]]
    after: Mapping[str, Sequence[FoundImage]]

    def touches(self, repository: Repository) -> bool:
        """Whether the references of a repository, or the marks beside them, are other ones afterwards."""
        return _images(self.before, repository) != _images(self.after, repository)

    def found_before(self, repository: Repository) -> bool:
        """Whether a repository had a reference before."""
        return bool(_images(self.before, repository))

    def unmarked_steps(self, repository: Repository) -> list[tuple[ImageReference, ImageReference]]:
        """Return the steps, old and new, that a repository's references made while no mark beside them changed."""
        before, after = (_images(side, repository) for side in (self.before, self.after))
        if {mark for _, mark in before} != {mark for _, mark in after}:
            return []
        gone, new = ({one for one, _ in a} - {one for one, _ in b} for a, b in ((before, after), (after, before)))
        return [(old, one) for old in gone for one in new]


def replay(changes: Iterable[Change]) -> dict[Repository, tuple[Deployed, ...]]:
    """Return, by repository, what was deployed one after the other; the changes come oldest first."""
    files: dict[str, Sequence[FoundImage]] = {}
    found: dict[Repository, list[Deployed]] = {}
    for place, change in enumerate(changes):
        files.update(change.after)
        images = [image for side in (change.before, change.after) for found_ in side.values() for image in found_]
        for repository in dict.fromkeys(image.reference.repository for image in images):
            now = _deployed_by(change, repository, files)
            _append(found.setdefault(repository, []), now, change.commit, place)
    return {repository: tuple(stretches) for repository, stretches in found.items()}


def _deployed_by(
    change: Change, repository: Repository, files: Mapping[str, Sequence[FoundImage]]
) -> ImageReference | None:
    """Return what a service is deployed with after a change; where its manifests differ, the change decides."""
    before, after = (_references(side, repository) for side in (change.before, change.after))
    new = [one for one in after if one not in before]
    return next(iter((*new, *after, *_references(files, repository))), None)


def _references(files: Mapping[str, Sequence[FoundImage]], repository: Repository) -> tuple[ImageReference, ...]:
    images = (image for found in files.values() for image in found)
    return tuple(dict.fromkeys(one.reference for one in images if one.reference.repository == repository))


def _append(stretches: list[Deployed], now: ImageReference | None, commit: Commit, place: int) -> None:
    last = stretches[-1] if stretches and stretches[-1].until is None else None
    if last and last.reference == now:
        return
    if last:
        stretches[-1] = replace(last, until=commit)
    if now:
        stretches.append(Deployed(now, commit, last.reference if last else None, place=place))


def explain(
    stretches: Sequence[Deployed], commits: Mapping[ImageReference, str | None], graph: Graph
) -> tuple[Deployed, ...]:
    """Tell for each what it brought, and whether it went back; `commits` are those that the references name."""
    explained, seen = [], set[ImageReference]()
    for one in stretches:
        base, head = commits.get(one.before) if one.before else None, commits.get(one.reference)
        if base and head and base in graph and head in graph:
            back = base != head and graph.is_ancestor(head, base)
            between = tuple(graph.between(*((head, base) if back else (base, head))))
        else:
            back, between = one.before is not None and one.reference in seen, ()
        explained.append(replace(one, is_rollback=back, base=base, head=head, commits=between))
        seen.add(one.reference)
    return tuple(explained)


def deployed_at(stretches: Sequence[Deployed], time: int) -> Deployed | None:
    """Return what was deployed at a time, in seconds since 1970."""
    last = next((one for one in reversed(stretches) if one.since.time <= time), None)
    return last if last and (last.until is None or last.until.time > time) else None


def rollback_targets(stretches: Sequence[Deployed]) -> list[Deployed]:
    """Return what can be rolled back to, newest first: what ran before, without what was rolled back from since."""
    stack: list[Deployed] = []
    for one in stretches:
        known = [kept.reference for kept in stack]
        if one.is_rollback and one.reference in known:
            del stack[known.index(one.reference) + 1 :]
        elif one.is_rollback:
            stack[-1:] = [one]
        else:
            stack.append(one)
    return [one for one in stack[-2::-1] if is_fixed(one.reference)]


def has_failed(one: Deployed, after: Deployed | None) -> bool:
    """Whether a release was rolled back from; `after` is the stretch that follows it."""
    if one.is_rollback or after is None or not after.is_rollback:
        return False
    return one.until is not None and one.until.name == after.since.name


def is_fixed(reference: ImageReference) -> bool:
    """Whether a reference names the same image forever, as far as its tag tells."""
    return reference.tag not in (None, LATEST)


def _images(
    files: Mapping[str, Sequence[FoundImage]], repository: Repository
) -> set[tuple[ImageReference, str | None]]:
    images = (image for found in files.values() for image in found)
    return {(one.reference, one.mark) for one in images if one.reference.repository == repository}
