"""Releases that are tried, and never published: which services no release can edit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orbit_release.errors import InvalidError
from orbit_release.image import Tag
from orbit_release.manifests.deployed import Manifests
from orbit_release.manifests.places import Place
from orbit_release.manifests.rewrite import NewImage
from orbit_release.manifests.yaml_nodes import is_plain
from orbit_release.releases.release import plan_release
from orbit_release.service import Service

# Nothing in such a file is read differently by different readers; it is most of them, and trying takes long.
_SIMPLE = re.compile(rb"[\n \"#$'()+,./0-9:;<=>?A-Z\[\\\]^_a-z{|}~-]*")


def trial_faults(manifests: Manifests, services: Sequence[Service]) -> Iterator[InvalidError]:
    """Yield why services that can be read cannot be released, each on its own."""
    tried = [service for service in services if _is_worth_it(manifests, service)]
    images = [_trial(manifests, service, number) for number, service in enumerate(tried)]
    if _fault(manifests, images):  # one trial for all of them is the rule
        for image in images:
            if fault := _fault(manifests, [image]):
                yield fault


def _is_worth_it(manifests: Manifests, service: Service) -> bool:
    places = manifests.deployed.services.get(service.repository)
    return places is not None and not places.faults and not all(_is_simple(manifests, place) for place in places.places)


def _is_simple(manifests: Manifests, place: Place) -> bool:
    """Whether a place is one value without quotes, in a file without a surprise."""
    plain = [value for value in place.value.deciders if is_plain(value.scalar) and value.text.inside is None]
    data = manifests.files.read(place.image.path) or b""
    return len(plain) == 1 == len(place.value.deciders) and not place.others and bool(_SIMPLE.fullmatch(data))


def _trial(manifests: Manifests, service: Service, number: int) -> NewImage:
    """Return a new image; each service's has a tag of its own, so that a value that two share is seen."""
    digests = (image.reference.digest for image in manifests.deployed[service.repository])
    return NewImage(service.repository, Tag(f"sha-{number:07x}"), refresh=next(filter(None, digests), None))


def _fault(manifests: Manifests, images: Sequence[NewImage]) -> InvalidError | None:
    try:
        plan_release(manifests, images)
    except InvalidError as error:
        return error
    return None
