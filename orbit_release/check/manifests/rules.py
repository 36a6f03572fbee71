"""The rules of the group `manifests`: every service is deployed, by references that the tool can read and write."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.configuration import ConfigurationFile
from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.check.folder import Folder
from orbit_release.check.manifests.unknown_image import UNKNOWN_IMAGE, repository_of, unknown_images
from orbit_release.check.wiring.cluster import workload
from orbit_release.errors import InvalidError
from orbit_release.image import LATEST, ImageReference, Repository, Tag
from orbit_release.manifests.image_fields import Container, KustomizeImage, Placeholder, Spot
from orbit_release.manifests.manifest import read_manifest
from orbit_release.manifests.mark import mark_of
from orbit_release.manifests.nodes import Scalar, is_plain, line, scalars, value_of
from orbit_release.manifests.objects import Object, ObjectFile
from orbit_release.manifests.rewrite import FoundImage, NewImage, rewrite
from orbit_release.service import Service

UNDEPLOYED_SERVICE = Rule(
    "undeployed-service", Group.MANIFESTS, "Its image is built, and a release of it changes nothing."
)
PINNED_TAG = Rule(
    "pinned-tag", Group.MANIFESTS, "Automation leaves a tag alone that somebody chose, and nobody sees why."
)
DIFFERENT_TAGS = Rule("different-tags", Group.MANIFESTS, "Two versions of a service run beside each other.")
UNEDITABLE_IMAGE = Rule(
    "uneditable-image", Group.MANIFESTS, "A release of the service stops here, or leaves this behind."
)
PLACEHOLDER_TAG = Rule(
    "placeholder-tag", Group.MANIFESTS, "What fills a placeholder in knows no release, and a release leaves it alone."
)
BROKEN_MANIFEST = Rule("broken-manifest", Group.MANIFESTS, "What is not YAML is not applied.")
RULES = (
    UNDEPLOYED_SERVICE,
    UNKNOWN_IMAGE,
    PINNED_TAG,
    DIFFERENT_TAGS,
    UNEDITABLE_IMAGE,
    PLACEHOLDER_TAG,
    BROKEN_MANIFEST,
)

_WHERE = re.compile(r"(.+?):([0-9]+): (.*)", re.DOTALL)
# Nothing in such a file is read differently by different readers; it is most of them, and trying takes long.
_SIMPLE = re.compile(rb"[\n \"#$'()+,./0-9:;<=>?A-Z\[\\\]^_a-z{|}~-]*")
_TRIAL = Tag("sha-0000000")


def unapplied(images: Sequence[FoundImage], services: Sequence[Service], applied: Collection[str]) -> Iterator[Finding]:
    """Yield the services that manifests name, none of which is `applied`: no kustomization includes them."""
    for service in services:
        own = [image for image in images if image.reference.repository == service.repository]
        if own and not any(image.path in applied for image in own):
            message = f"{service.name} is named here, and no kustomization includes this file"
            fix = "add it to the `resources` of a kustomization."
            yield Finding(UNDEPLOYED_SERVICE, own[0].path, own[0].line, message, fix)


@dataclass(frozen=True, slots=True)
class _Found:
    """A reference to a service's image, and whether somebody holds it."""

    reference: ImageReference
    path: str
    line: int
    is_held: bool
    is_override: bool

    @property
    def is_unset(self) -> bool:
        """Whether it says no version: it is what a kustomization's `images` is there to replace."""
        return self.reference.digest is None and self.reference.tag in (None, LATEST)


def check_manifests(
    folder: Folder, configuration: ConfigurationFile, services: Sequence[Service], template: str
) -> list[Finding]:
    """Return what is wrong with the references to images, in the order of the files.

    `template` is that of the services' images, with {service}.
    """
    repositories = {service.repository: service for service in services}
    found: defaultdict[Repository, list[_Found]] = defaultdict(list)
    findings: list[Finding] = []
    reads = _Reads(folder, repositories, found)
    for path in folder.files:
        findings += reads.file(path)
    findings += _undeployed(configuration, services, reads.named, folder)
    findings += _different(repositories, found)
    findings += unknown_images(folder, configuration, template, repositories)
    unique = {(one.path, one.line, one.rule.name, one.message): one for one in findings}
    return [unique[key] for key in sorted(unique)]


class _Reads:
    """Reads the references of one file after the other."""

    def __init__(
        self, folder: Folder, repositories: dict[Repository, Service], found: defaultdict[Repository, list[_Found]]
    ) -> None:
        self._folder = folder
        self._repositories = repositories
        self._by_name = {one.name: one for one in repositories}
        longest_first = sorted(self._by_name, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._bytes = re.compile(self._names.pattern.encode())
        self._found = found
        self.named: set[Repository] = set()

    def file(self, path: str) -> Iterator[Finding]:
        """Yield the findings of a file on its own; a file that names no service may be anything."""
        data = self._folder.data(path)
        named, fault = self._named(data, path), self._folder.source(path).fault
        if named:
            yield from self._references(data, path, named)
        elif fault and self._folder.is_manifest(path):
            yield _fault(BROKEN_MANIFEST, path, fault)

    def _named(self, data: bytes, path: str) -> list[Repository]:
        """Return the repositories that a file names, in whichever bytes."""
        found = {name.decode() for name in self._bytes.findall(data)}
        if b"\0" in data or b"\\" in data:
            values = (value.value for root in self._folder.source(path).roots for _, value in scalars(root))
            found |= {name for value in values for name in self._names.findall(value)}
        return [self._by_name[name] for name in sorted(found)]

    def _references(self, data: bytes, path: str, named: list[Repository]) -> Iterator[Finding]:
        try:
            manifest = read_manifest(data, path, named)
        except InvalidError as error:
            self.named.update(named)
            yield _fault(UNEDITABLE_IMAGE, path, error)
            return
        for spot in manifest.spots:
            self.named.add(spot.repository)
            yield from self._spot(manifest.text, path, manifest.line(spot), spot)
        if manifest.spots:
            yield from self._edit(data, path, {one.repository: one for one in manifest.spots})
        yield from self._elsewhere(self._folder.source(path), {manifest.line(spot) for spot in manifest.spots})

    def _spot(self, text: str, path: str, at: int, spot: Spot) -> Iterator[Finding]:
        service = self._repositories[spot.repository].name
        if isinstance(spot, Placeholder):
            message = f"the image of {service}, {value_of(spot.image)}, holds no plain tag"
            yield Finding(PLACEHOLDER_TAG, path, at, message, "write `latest`, or the tag that is deployed.")
            return
        is_held = mark_of(text, spot) is not None
        found = _Found(spot.reference, path, at, is_held, isinstance(spot, KustomizeImage))
        self._found[spot.repository].append(found)
        tag = spot.reference.tag
        if tag and tag != LATEST and not tag.commit_prefix and not is_held:
            message = f"{service} is at {tag}, which is neither `latest` nor a `sha-…` tag"
            yield Finding(PINNED_TAG, path, at, message, "say why, with `# held: why` behind it, or write `latest`.")

    def _edit(self, data: bytes, path: str, spots: dict[Repository, Spot]) -> Iterator[Finding]:
        """Try what a release would do to the file."""
        editable = [one for one in spots.values() if not isinstance(one, Placeholder)]
        if _SIMPLE.fullmatch(data) and all(_is_on_one_line(data, one) for one in editable):
            return
        images = [NewImage(one.repository, _TRIAL, refresh=one.reference.digest) for one in editable]
        try:
            rewrite(data, path, images)
        except InvalidError as error:
            yield _fault(UNEDITABLE_IMAGE, path, error)

    def _elsewhere(self, source: ObjectFile, known: set[int]) -> Iterator[Finding]:
        """Find the images of services in kinds of objects that are not read."""
        for one in (found for found in source.objects if workload(found) is None):
            for image in _images(one):
                repository = repository_of(value_of(image))
                if repository in self._repositories and line(image) not in known:
                    self.named.add(repository)
                    name = self._repositories[repository].name
                    message = f"{name} is deployed by a {one.kind}, where no release looks for images"
                    fix = "deploy it by a kind that Kubernetes knows, or set its tag by hand."
                    yield Finding(UNEDITABLE_IMAGE, source.path, line(image), message, fix)


def _is_on_one_line(data: bytes, spot: Container | KustomizeImage) -> bool:
    """Whether a container's image stands on a line of its own, as text without quotes."""
    if not isinstance(spot, Container) or not is_plain(spot.image):
        return False
    whole = rf"^ *(?:- )?image: {re.escape(value_of(spot.image))}(?: +#.*)?$".encode()
    return re.search(whole, data, re.MULTILINE) is not None


def _images(one: Object) -> Iterator[Scalar]:
    yield from (value for path, value in scalars(one.root) if path[-1:] == ("image",))


def _fault(rule: Rule, path: str, error: InvalidError) -> Finding:
    """Turn `path:line: why` into a finding."""
    where = _WHERE.fullmatch(error.message)
    if where is None:
        return Finding(rule, path, 1, error.message, error.hint)
    return Finding(rule, path, int(where[2]), where[3], error.hint)


def _undeployed(
    configuration: ConfigurationFile, services: Sequence[Service], named: set[Repository], folder: Folder
) -> Iterator[Finding]:
    for service in services:
        if service.repository not in named:
            message = f"no manifest in {folder.path} deploys {service.name}"
            fix = f"write `image: {service.repository}:latest` into its workload, or remove the service."
            yield Finding(
                UNDEPLOYED_SERVICE, configuration.path, configuration.line("services", service.name), message, fix
            )


def _different(repositories: dict[Repository, Service], found: dict[Repository, list[_Found]]) -> Iterator[Finding]:
    for repository, all_ in found.items():
        is_overridden = any(one.is_override for one in all_)
        free = [one for one in all_ if not one.is_held and not (is_overridden and not one.is_override and one.is_unset)]
        for one in free[1:]:
            if one.reference.tag != free[0].reference.tag:
                first = f"{free[0].reference.version} in {free[0].path}:{free[0].line}"
                message = f"{repositories[repository].name} is at {one.reference.version} here and at {first}"
                yield Finding(DIFFERENT_TAGS, one.path, one.line, message, "give both one tag.")
