"""Services go back: images that the registry still has are put into the manifests, with the marks of holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from orbit_release.errors import NotFoundError, UnavailableError
from orbit_release.flows.hold import unmarked
from orbit_release.flows.publish_until_landed import Published, Publishing, publish, release_on
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import LATEST, Digest, ImageReference
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import NewImage
from orbit_release.registry.client import Registry
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service

TAGS_IN_HINT = 5
_ASKED = 20  # tags that the registry is asked about for such a hint


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """What a rollback did: the release (None: nothing to do), and why it left services as they are, by name.

    `instead` says why no service was to be rolled back at all. `loose` are the services where no mark could be placed,
    and whether they went back, which holds them as well.
    """

    published: Published | None
    left: Mapping[str, str] = field(default_factory=dict)
    loose: Mapping[str, bool] = field(default_factory=dict)
    instead: str = ""


@dataclass(frozen=True, slots=True)
class RollbackHold:
    """Whether what is rolled back is held, and why; without a reason, for what it ran before."""

    wanted: bool
    reason: str = ""

    def mark(self, images: Sequence[FoundImage], tip: Tip, *, back: bool) -> tuple[str | None, ...]:
        """Return the mark for a service's images at a tip, or nothing where it stays as it is."""
        if self.wanted:
            way = "rolled back from" if back else "put back by hand, from"
            return (self.reason or f"{way} {images[0].reference.version}",)
        if back:
            return (f"no, after {tip.commit[:7]}",)  # which tells it from the mark of another time
        return (None,) if any(image.hold is not None for image in images) else ()


def put_back(
    source: Source, tip: Tip, images: Mapping[Service, NewImage], publishing: Publishing, hold: RollbackHold
) -> RollbackOutcome:
    deployed = source.deployed(tip)
    now = {service: deployed[service.repository] for service in images}
    moving = [s for s, wanted in images.items() if not all(_is_at(image.reference, wanted) for image in now[s])]
    back = {service.name: _goes_back(source, now[service], images[service]) for service in moving}
    marks = {
        service.repository: mark for service in moving for mark in hold.mark(now[service], tip, back=back[service.name])
    }
    release = release_on(source, tip, [images[service] for service in moving], marks)
    published = publish(source, tip, release, publishing, "rollback")
    loose = unmarked(moving, release) if published else []
    return RollbackOutcome(published, loose={name: back[name] for name in loose})


def _goes_back(source: Source, images: Sequence[FoundImage], wanted: NewImage) -> bool:
    """Whether a service goes to an older commit, as far as that is known."""
    then = source.commit_of(ImageReference(wanted.repository, wanted.tag, wanted.digest))
    now = [commit for image in images if (commit := source.commit_of(image.reference))]
    if then is None or len(now) < len(images):
        return True
    history = source.git.history([then, *now])
    return any(history.is_ancestor(then, commit) for commit in now)


def _is_at(now: ImageReference, wanted: NewImage) -> bool:
    digest = wanted.digest or (wanted.refresh if now.digest else None)
    return now.tag == wanted.tag and digest in (None, now.digest)


def restored_image(
    registry: Registry | None, service: Service, wanted: ImageReference, others: Iterable[Stretch]
) -> NewImage:
    """Return the image to write, which the registry must have: by its digest, where it was deployed by that."""
    there = _digest(registry, wanted) if registry else None
    if registry and there is None:
        left = [stretch.reference for stretch in others if stretch.reference != wanted][:_ASKED]
        tags = list(islice((reference.version for reference in left if _digest(registry, reference)), TAGS_IN_HINT))
        hint = f"of what was deployed before, it has {', '.join(tags)}" if tags else "build it again from its commit"
        raise NotFoundError(f"{wanted} is not in the registry any more", f"{hint}; orbit-release history shows all.")
    if wanted.tag is None:
        return NewImage(service.repository, None, digest=wanted.digest)
    return NewImage(service.repository, wanted.tag, refresh=wanted.digest or there)


def _digest(registry: Registry, reference: ImageReference) -> Digest | None:
    try:
        image = registry.image(reference.repository, reference.digest or reference.tag or LATEST)
    except UnavailableError as error:
        raise UnavailableError(error.message, f"--no-verify rolls back without asking. {error.hint}") from error
    return image.digest if image else None


def why_left(then: ImageReference | None) -> str:
    """Return why a service cannot go back to what it was deployed with (None: it was not)."""
    return f"was deployed with {then.version}, which may be any image" if then else "was not deployed then"
