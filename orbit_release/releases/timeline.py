"""What was deployed when, replayed from the manifests' own log: whoever changed them, and however."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orbit_release.git.graph import Commit, History
from orbit_release.image import LATEST, ImageReference, Repository
from orbit_release.manifests.mark import is_hold
from orbit_release.manifests.places import FoundImage


@dataclass(frozen=True, slots=True)
class Stretch:
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


Images = tuple[FoundImage, ...]


@dataclass(frozen=True, slots=True)
class LoggedImages:
    """The images in the manifests that a first-parent commit changed, before and after.

    None stands for a manifest that cannot be read: nobody can sync it, so what was deployed stays deployed.
    """

    commit: Commit
    before: Mapping[str, Images | None]
    after: Mapping[str, Images | None]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the versions that a service is deployed with, and the marks beside them before and after."""

    commit: Commit
    gone: Images
    new: Images
    marks_before: frozenset[str | None]
    marks_after: frozenset[str | None]

    def is_held(self, marks_now: Collection[str | None]) -> bool:
        """Whether a move back counts as a hold.

        It does not if the same commit set the mark of a hold: that mark then counts alone. Nor does it if somebody
        has let go since.
        """
        own = any(is_hold(mark) for mark in self.marks_after - self.marks_before)
        return not own and not self.is_let_go(marks_now)

    def is_let_go(self, marks_now: Collection[str | None]) -> bool:
        """Whether somebody has let go of what moved, by a mark that was not there before the move.

        A bare `no` must be newer than the move: the release that takes a pin over takes it away, and whoever reverts
        that release brings it back.
        """
        since = {*marks_now} - self.marks_before
        let_go = {mark for mark in since if mark is not None and not is_hold(mark)}
        return bool(let_go - {mark for mark in self.marks_after if is_bare(mark)})


def is_bare(mark: str | None) -> bool:
    """Whether a mark lets go without saying after which commit: it may be the mark of another time."""
    return mark is not None and mark.lower() == "no"


class _Standing:
    """The images of one repository, by manifest, at some point of the history."""

    def __init__(self, images: Images = ()) -> None:
        self.files: dict[str, Images] = {}
        for image in images:
            self.files[image.path] = (*self.files.get(image.path, ()), image)

    def step(self, side: Mapping[str, Images]) -> bool:
        """Go to the other side of a change; False if that is the same."""
        differs = any(self.files.get(path, ()) != images for path, images in side.items())
        self.files.update(side)
        return differs

    def news(self, side: Mapping[str, Images]) -> list[ImageReference]:
        """Return the references that the other side brings; a manifest that is added brings none, it follows."""
        known, own = (images for path, images in side.items() if self.files.get(path)), self.references
        return [image.reference for images in known for image in images if image.reference not in own]

    @property
    def images(self) -> Images:
        return tuple(image for images in self.files.values() for image in images)

    @property
    def references(self) -> tuple[ImageReference, ...]:
        return tuple(dict.fromkeys(image.reference for image in self.images))


def _images_of(side: Mapping[str, Images | None], repository: Repository) -> dict[str, Images]:
    """Return a repository's images of one side of a change, without the manifests that cannot be read."""
    return {
        path: tuple(image for image in images if image.reference.repository == repository)
        for path, images in side.items()
        if images is not None
    }


def _touched(change: LoggedImages) -> set[Repository]:
    sides = (*change.before.values(), *change.after.values())
    return {image.reference.repository for images in sides for image in images or ()}


def newest_moves(changes: Iterable[LoggedImages], now: Mapping[Repository, Images]) -> dict[Repository, Move]:
    """Return the newest move of each service; the changes come newest first, and no more of them are read than needed.

    What only adds a manifest, takes one away, or pins the digest of the same tag, is no move.
    """
    left = {repository: _Standing(images) for repository, images in now.items()}
    moves: dict[Repository, Move] = {}
    for change in changes if left else ():
        for repository in _touched(change) & left.keys():
            standing = left[repository]
            after = standing.images
            if standing.step(_images_of(change.before, repository)) and (move := _move(change, standing.images, after)):
                moves[repository] = move
                del left[repository]
        if not left:
            break
    return moves


def _move(change: LoggedImages, before: Images, after: Images) -> Move | None:
    old, new = ({image.reference.version for image in images} for images in (before, after))
    gone = tuple(image for image in before if image.reference.version not in new)
    came = tuple(image for image in after if image.reference.version not in old)
    marks = (frozenset(image.mark for image in images) for images in (before, after))
    return Move(change.commit, gone, came, *marks) if gone and came else None


def replay(changes: Iterable[LoggedImages]) -> dict[Repository, tuple[Stretch, ...]]:
    """Return, by repository, what was deployed one after the other; the changes come oldest first."""
    standings: dict[Repository, _Standing] = {}
    replayed: dict[Repository, list[Stretch]] = {}
    for place, change in enumerate(changes):
        for repository in _touched(change):
            standing, side = standings.setdefault(repository, _Standing()), _images_of(change.after, repository)
            new = standing.news(side)
            if standing.step(side):
                _append(replayed.setdefault(repository, []), new, standing.references, change.commit, place)
    return {repository: tuple(stretches) for repository, stretches in replayed.items()}


def _append(
    stretches: list[Stretch], new: Sequence[ImageReference], after: Sequence[ImageReference], commit: Commit, place: int
) -> None:
    """Go on with what is deployed after a change; where manifests differ, what came last counts."""
    last = stretches[-1] if stretches and stretches[-1].until is None else None
    stays = [last.reference] if last and last.reference in after else []
    now = next(iter((*new, *stays, *after)), None)
    if last and now and _is_same(last.reference, now):
        stretches[-1] = replace(last, reference=now)
        return
    if last:
        stretches[-1] = replace(last, until=commit)
    if now:
        stretches.append(Stretch(now, commit, last.reference if last else None, place=place))


def _is_same(before: ImageReference, after: ImageReference) -> bool:
    """Whether two references name one image, of which a digest may have been pinned in between."""
    is_pinned = before.tag is not None and None in (before.digest, after.digest)
    return before.tag == after.tag and (before.digest == after.digest or is_pinned)


def explain(
    stretches: Sequence[Stretch], commits: Mapping[ImageReference, str | None], history: History
) -> tuple[Stretch, ...]:
    """Tell for each what it brought, and whether it went back.

    `commits` are those that the references name, as far as they are known: all are heads of the history.
    """
    explained: list[Stretch] = []
    standing: list[Stretch] = []
    for stretch in stretches:
        base, head = commits.get(stretch.before) if stretch.before else None, commits.get(stretch.reference)
        if base and head:
            back = base != head and history.is_ancestor(head, base)
            between = tuple(history.between(*((head, base) if back else (base, head))))
        else:  # a tag that comes again, though it was not rolled back from
            back, between = stretch.before is not None and _place(standing[:-1], stretch) is not None, ()
        explained.append(replace(stretch, is_rollback=back, base=base, head=head, commits=between))
        _stand(standing, explained[-1])
    return tuple(explained)


def _stand(standing: list[Stretch], new: Stretch) -> None:
    """Put what was deployed upon what stood before; what it goes back over falls."""
    place = _place(standing, new)
    if new.is_rollback:
        del standing[place if place is not None else -1 :]
    elif place is not None and place == len(standing) - 1:  # it was away for a while
        del standing[place:]
    standing.append(new)


def _place(standing: Sequence[Stretch], new: Stretch) -> int | None:
    return next((place for place, kept in enumerate(standing) if _is_same(kept.reference, new.reference)), None)


def deployed_at(stretches: Sequence[Stretch], time: int) -> Stretch | None:
    """Return what was deployed at a time, in seconds since 1970."""
    last = next((stretch for stretch in reversed(stretches) if stretch.since.time <= time), None)
    return last if last and (last.until is None or last.until.time > time) else None


def rollback_targets(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return what can be rolled back to, newest first: what ran before, without what was rolled back from since."""
    standing: list[Stretch] = []
    for stretch in stretches:
        _stand(standing, stretch)
    return [stretch for stretch in standing[-2::-1] if is_fixed(stretch.reference)]


def is_fixed(reference: ImageReference) -> bool:
    """Whether a reference names the same image forever, as far as its tag tells."""
    return reference.digest is not None or reference.tag not in (None, LATEST)


def has_failed(release: Stretch, after: Stretch | None) -> bool:
    """Whether a release was rolled back from; `after` is the stretch that follows it."""
    if release.is_rollback or after is None or not after.is_rollback:
        return False
    return release.until is not None and release.until.name == after.since.name
