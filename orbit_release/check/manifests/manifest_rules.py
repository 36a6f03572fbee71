"""The rules of the group `manifests`: every service is deployed, by references that the tool can read and write."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from orbit_release.check.finding import CheckRule, ConfigurationFile, Finding, Group, unique_findings
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.manifests.unknown_images import UNKNOWN_IMAGE, repository_of, unknown_images
from orbit_release.check.wiring.cluster import pod_maker
from orbit_release.errors import InvalidError
from orbit_release.image import LATEST, ImageReference, Repository, Tag
from orbit_release.manifests.image_fields import Container, KustomizeImage, Placeholder, Spot
from orbit_release.manifests.manifest import read_manifest
from orbit_release.manifests.mark import mark_of
from orbit_release.manifests.nodes import is_plain, line, scalars, value_of
from orbit_release.manifests.objects import ObjectFile
from orbit_release.manifests.rewrite import FoundImage, NewImage, rewrite
from orbit_release.service import Service

UNDEPLOYED_SERVICE = Group.MANIFESTS.rule(
    "undeployed-service", "Its image is built, and a release of it changes nothing."
)
PINNED_TAG = Group.MANIFESTS.rule(
    "pinned-tag", "Automation leaves a tag alone that somebody chose, and nobody sees why."
)
DIFFERENT_TAGS = Group.MANIFESTS.rule("different-tags", "Two versions of a service run beside each other.")
UNEDITABLE_IMAGE = Group.MANIFESTS.rule(
    "uneditable-image", "A release of the service stops here, or leaves this behind."
)
PLACEHOLDER_TAG = Group.MANIFESTS.rule(
    "placeholder-tag", "What fills a placeholder in knows no release, and a release leaves it alone."
)
BROKEN_MANIFEST = Group.MANIFESTS.rule("broken-manifest", "What is not YAML is not applied.")
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


def check_applied(
    images: Sequence[FoundImage], services: Sequence[Service], applied: Collection[str]
) -> Iterator[Finding]:
    """Yield the services that manifests name, none of which is `applied`: no kustomization includes them."""
    for service in services:
        own = [image for image in images if image.reference.repository == service.repository]
        if own and not any(image.path in applied for image in own):
            message = f"{service.name} is named here, and no kustomization includes this file"
            fix = "add it to the `resources` of a kustomization."
            yield Finding(UNDEPLOYED_SERVICE, own[0].path, own[0].line, message, fix)


def check_manifests(
    folder: ManifestFolder, configuration: ConfigurationFile, services: Sequence[Service], template: str
) -> tuple[list[Finding], list[FoundImage]]:
    """Return what is wrong with the references to images, in the order of the files, and the references.

    `template` is that of the services' images, with {service}.
    """
    reader = _ReferenceReader(folder, services)
    findings = [finding for path in folder.files for finding in reader.check_file(path)]
    for service in services:
        if service.repository not in reader.named:
            place = configuration.place("services", service.name)
            message = f"no manifest in {folder.path} deploys {service.name}"
            fix = f"write `image: {service.repository}:latest` into its workload, or remove the service."
            findings.append(Finding(UNDEPLOYED_SERVICE, *place, message, fix))
        own = [image for image in reader.images if image.reference.repository == service.repository]
        findings += _different_tags(service, own, reader.overrides)
    findings += unknown_images(folder, configuration, template, reader.services)
    return unique_findings(findings), reader.images


class _ReferenceReader:
    """Reads one file after the other, and keeps the references and the repositories that are named.

    `overrides` are those references that stand in a kustomization's `images`.
    """

    def __init__(self, folder: ManifestFolder, services: Sequence[Service]) -> None:
        self.services = {service.repository: service for service in services}
        self.named: set[Repository] = set()
        self.images: list[FoundImage] = []
        self.overrides: set[FoundImage] = set()
        self._folder = folder
        self._by_name = {repository.name: repository for repository in self.services}
        longest_first = sorted(self._by_name, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._bytes = re.compile(self._names.pattern.encode())

    def check_file(self, path: str) -> Iterator[Finding]:
        """Yield the findings of a file on its own; a file that names no service may be anything."""
        data = self._folder.data(path)
        named, fault = self._named_in(data, path), self._folder.source(path).fault
        if named:
            yield from self._check_references(data, path, named)
        elif fault and self._folder.is_manifest(path):
            yield _fault(BROKEN_MANIFEST, path, fault)

    def _named_in(self, data: bytes, path: str) -> list[Repository]:
        """Return the repositories that a file names, in whichever bytes."""
        names = {name.decode() for name in self._bytes.findall(data)}
        if b"\0" in data or b"\\" in data:
            values = (value.value for root in self._folder.source(path).roots for _, value in scalars(root))
            names |= {name for value in values for name in self._names.findall(value)}
        return [self._by_name[name] for name in sorted(names)]

    def _check_references(self, data: bytes, path: str, named: list[Repository]) -> Iterator[Finding]:
        try:
            manifest = read_manifest(data, path, named)
        except InvalidError as error:
            self.named.update(named)
            yield _fault(UNEDITABLE_IMAGE, path, error)
            return
        for spot in manifest.spots:
            self.named.add(spot.repository)
            yield from self._check_spot(manifest.text, path, manifest.line(spot), spot)
        yield from _try_edit(data, path, {spot.repository: spot for spot in manifest.spots})
        yield from self._check_others(self._folder.source(path), {manifest.line(spot) for spot in manifest.spots})

    def _check_spot(self, text: str, path: str, at: int, spot: Spot) -> Iterator[Finding]:
        service = self.services[spot.repository]
        if isinstance(spot, Placeholder):
            message = f"the image of {service.name}, {value_of(spot.image)}, holds no plain tag"
            yield Finding(PLACEHOLDER_TAG, path, at, message, "write `latest`, or the tag that is deployed.")
            return
        image = FoundImage(spot.reference, path, at, mark_of(text, spot))
        self.images.append(image)
        if isinstance(spot, KustomizeImage):
            self.overrides.add(image)
        tag = spot.reference.tag
        if tag and tag != LATEST and not tag.commit_prefix and image.mark is None:
            message = f"{service.name} is at {tag}, which is neither `latest` nor a `sha-…` tag"
            yield Finding(PINNED_TAG, path, at, message, "say why, with `# held: why` behind it, or write `latest`.")

    def _check_others(self, source: ObjectFile, known: set[int]) -> Iterator[Finding]:
        """Yield the images of services in kinds of objects that are not read; `known` lines are told of already."""
        for obj in (each for each in source.objects if pod_maker(each) is None):
            for image in (value for path, value in scalars(obj.root) if path[-1:] == ("image",)):
                repository = repository_of(value_of(image))
                if repository in self.services and line(image) not in known:
                    self.named.add(repository)
                    name = self.services[repository].name
                    message = f"{name} is deployed by a {obj.kind}, where no release looks for images"
                    fix = "deploy it by a kind that Kubernetes knows, or set its tag by hand."
                    yield Finding(UNEDITABLE_IMAGE, source.path, line(image), message, fix)


def _try_edit(data: bytes, path: str, spots: dict[Repository, Spot]) -> Iterator[Finding]:
    """Try what a release would do to a file."""
    editable = [spot for spot in spots.values() if not isinstance(spot, Placeholder)]
    if not spots or (_SIMPLE.fullmatch(data) and all(_is_on_one_line(data, spot) for spot in editable)):
        return
    images = [NewImage(spot.repository, _TRIAL, refresh=spot.reference.digest) for spot in editable]
    try:
        rewrite(data, path, images)
    except InvalidError as error:
        yield _fault(UNEDITABLE_IMAGE, path, error)


def _is_on_one_line(data: bytes, spot: Container | KustomizeImage) -> bool:
    """Whether a container's image stands on a line of its own, as text without quotes."""
    if not isinstance(spot, Container) or not is_plain(spot.image):
        return False
    whole = rf"^ *(?:- )?image: {re.escape(value_of(spot.image))}(?: +#.*)?$".encode()
    return re.search(whole, data, re.MULTILINE) is not None


def _fault(rule: CheckRule, path: str, error: InvalidError) -> Finding:
    """Turn `path:line: why` into a finding."""
    where = _WHERE.fullmatch(error.message)
    at, why = (int(where[2]), where[3]) if where else (1, error.message)
    return Finding(rule, path, at, why, error.hint)


def _different_tags(
    service: Service, images: Sequence[FoundImage], overrides: Collection[FoundImage]
) -> Iterator[Finding]:
    free = [image for image in images if image.mark is None]
    if any(image in overrides for image in images):  # what says no version is there to be replaced
        free = [image for image in free if image in overrides or not _is_unset(image.reference)]
    for image in free[1:]:
        if image.reference.tag != free[0].reference.tag:
            first = f"{free[0].reference.version} in {free[0].path}:{free[0].line}"
            message = f"{service.name} is at {image.reference.version} here and at {first}"
            yield Finding(DIFFERENT_TAGS, image.path, image.line, message, "give both one tag.")


def _is_unset(reference: ImageReference) -> bool:
    return reference.digest is None and reference.tag in (None, LATEST)
