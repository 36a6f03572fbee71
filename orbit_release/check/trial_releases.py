"""Releases that are tried, and never published: which services no release can edit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from orbit_release.errors import InvalidError
from orbit_release.image import Tag
from orbit_release.manifests.deployed import Manifests
from orbit_release.manifests.objects import is_kustomization
from orbit_release.manifests.places import Place
from orbit_release.manifests.rewrite import NewImage
from orbit_release.manifests.texts.yaml_nodes import is_plain
from orbit_release.releases.release import plan_release
from orbit_release.service import Service

# Nothing in such a file is read differently by different readers; it is most of them, and trying takes long.
_SIMPLE = re.compile(rb"[\n \"#$'()+,./0-9:;<=>?A-Z\[\\\]^_a-z{|}~-]*")
_PATCHES = re.compile(rb"patch|transformers|validators")  # a patch may ask for the image as it is
_MOST = 10  # faults of one kind tend to be everywhere, and each takes several trials


def trial_faults(manifests: Manifests, services: Sequence[Service]) -> Iterator[InvalidError]:
    """Yield why services that can be read cannot be released, the first few."""
    patched = _patched(manifests)
    tried = [service for service in services if _is_worth_it(manifests, service, patched)]
    images = [_trial(manifests, service, number) for number, service in enumerate(tried)]
    yield from islice(_faults(manifests, images), _MOST)


def _patched(manifests: Manifests) -> frozenset[str]:
    """Return the files of the entries that have patches."""
    read = manifests.files.read
    return frozenset().union(
        *(
            files
            for files in manifests.deployed.entries
            if any(_PATCHES.search(read(path) or b"") for path in files if is_kustomization(path))
        )
    )


def _is_worth_it(manifests: Manifests, service: Service, patched: Collection[str]) -> bool:
    own = manifests.deployed.services.get(service.repository)
    if own is None or own.faults:
        return False
    return any(place.image.path in patched or not _is_simple(manifests, place) for place in own.places)


def _is_simple(manifests: Manifests, place: Place) -> bool:
    """Whether a place is one value without quotes, in a file without a surprise."""
    plain = [value for value in place.value.deciders if is_plain(value.scalar) and value.text.inside is None]
    data = manifests.files.read(place.image.path) or b""
    return len(plain) == 1 == len(place.value.deciders) and bool(_SIMPLE.fullmatch(data))


def _trial(manifests: Manifests, service: Service, number: int) -> NewImage:
    """Return a new image; each service's has a tag of its own, so that none can be taken for another's."""
    digests = (image.reference.digest for image in manifests.deployed[service.repository])
    return NewImage(service.repository, Tag(f"sha-{number:07x}"), refresh=next(filter(None, digests), None))


def _faults(manifests: Manifests, images: Sequence[NewImage]) -> Iterator[InvalidError]:
    """Try all at once, as is the rule, and then halves of them: two that only contradict each other are no fault."""
    fault = _fault(manifests, images) if images else None
    if fault and len(images) == 1:
        yield fault
    elif fault:
        middle = len(images) // 2
        yield from _faults(manifests, images[:middle])
        yield from _faults(manifests, images[middle:])


def _fault(manifests: Manifests, images: Sequence[NewImage]) -> InvalidError | None:
    try:
        plan_release(manifests, images)
    except InvalidError as error:
        return error
    return None
