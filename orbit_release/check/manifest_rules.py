"""The rules of the group `manifests`: every service is deployed, by references that the tool can read and write."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from orbit_release.check.configuration_file import ConfigurationFile
from orbit_release.check.finding import CheckRule, Finding, Group, unique_findings
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.wiring.cluster import pod_maker
from orbit_release.check.written_objects import ObjectFile
from orbit_release.config import Config
from orbit_release.errors import InvalidError
from orbit_release.image import LATEST, ImageReference, Repository, Tag
from orbit_release.manifests.image_fields import Container, KustomizeImage, Placeholder, Spot
from orbit_release.manifests.manifest import read_manifest
from orbit_release.manifests.mark import mark_of
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import NewImage, rewrite
from orbit_release.manifests.yaml_nodes import Scalar, is_plain, items, line, scalar, scalars, value_of
from orbit_release.service import Service
from orbit_release.tag_scheme import TagScheme

_rule = Group.MANIFESTS.rule
UNDEPLOYED = _rule("undeployed-service", "Its image is built, and a release of it changes nothing.")
UNKNOWN_IMAGE = _rule("unknown-image", "No release ever changes the tag of an image of no service.")
PINNED_TAG = _rule("pinned-tag", "Automation leaves a tag alone that somebody chose, and nobody sees why.")
DIFFERENT_TAGS = _rule("different-tags", "Two versions of a service run beside each other.")
UNEDITABLE = _rule("uneditable-image", "A release of the service stops here, or leaves this behind.")
PLACEHOLDER = _rule("placeholder-tag", "What fills a placeholder in knows no release, and a release leaves it alone.")
BROKEN_MANIFEST = _rule("broken-manifest", "What is not YAML is not applied.")
RULES = (UNDEPLOYED, UNKNOWN_IMAGE, PINNED_TAG, DIFFERENT_TAGS, UNEDITABLE, PLACEHOLDER, BROKEN_MANIFEST)

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
            yield Finding(UNDEPLOYED, own[0].path, own[0].line, message, fix)


def check_manifests(
    folder: ManifestFolder, configuration: ConfigurationFile, config: Config
) -> tuple[list[Finding], list[FoundImage]]:
    """Return what is wrong with the references to images, in the order of the files, and the references."""
    reader = _ReferenceReader(folder, config.services, config.tag_scheme)
    findings = [finding for path in folder.files for finding in reader.check_file(path)]
    for service in config.services:
        if service.repository not in reader.named:
            place = configuration.place("services", service.name)
            message = f"no manifest in {folder.path} deploys {service.name}"
            fix = f"write `image: {service.repository}:TAG` into its workload, with a tag that exists, or remove it."
            findings.append(Finding(UNDEPLOYED, *place, message, fix))
        own = [image for image in reader.images if image.reference.repository == service.repository]
        findings += _different_tags(service, own, reader.overrides)
    findings += _unknown_images(folder, configuration, config.image, reader.services)
    return unique_findings(findings), reader.images


class _ReferenceReader:
    """Reads one file after the other, and keeps the references and the repositories that are named."""

    def __init__(self, folder: ManifestFolder, services: Sequence[Service], scheme: TagScheme) -> None:
        self.services = {service.repository: service for service in services}
        self.named: set[Repository] = set()
        self.images: list[FoundImage] = []
        self.overrides: set[FoundImage] = set()  # those that stand in a kustomization's `images`
        self._folder = folder
        self._scheme = scheme
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
            yield _fault(UNEDITABLE, path, error)
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
            yield Finding(PLACEHOLDER, path, at, message, "write the tag that is deployed.")
            return
        image = FoundImage(spot.reference, path, at, mark_of(text, spot))
        self.images.append(image)
        if isinstance(spot, KustomizeImage):
            self.overrides.add(image)
        tag, scheme = spot.reference.tag, self._scheme
        if tag and tag != LATEST and scheme.commit_prefix(tag) is None and image.mark is None:
            message = f"{service.name} is at {tag}, which is no tag of the scheme {scheme}"
            fix = f"say why, with `# held: why` behind it, or let automation go on: orbit-release unhold {service.name}"
            yield Finding(PINNED_TAG, path, at, message, fix)

    def _check_others(self, source: ObjectFile, known: set[int]) -> Iterator[Finding]:
        """Yield the images of services in kinds of objects that are not read; `known` lines are told of already."""
        for obj in (each for each in source.objects if pod_maker(each) is None):
            for image in (value for path, value in scalars(obj.root) if path[-1:] == ("image",)):
                repository = _repository_of(image)
                if repository in self.services and line(image) not in known:
                    self.named.add(repository)
                    name = self.services[repository].name
                    message = f"{name} is deployed by a {obj.kind}, where no release looks for images"
                    fix = "deploy it by a kind that Kubernetes knows, or set its tag by hand."
                    yield Finding(UNEDITABLE, source.path, line(image), message, fix)


def _try_edit(data: bytes, path: str, spots: dict[Repository, Spot]) -> Iterator[Finding]:
    """Try what a release would do to a file."""
    editable = [spot for spot in spots.values() if not isinstance(spot, Placeholder)]
    if not spots or (_SIMPLE.fullmatch(data) and all(_is_on_one_line(data, spot) for spot in editable)):
        return
    images = [NewImage(spot.repository, _TRIAL, refresh=spot.reference.digest) for spot in editable]
    try:
        rewrite(data, path, images)
    except InvalidError as error:
        yield _fault(UNEDITABLE, path, error)


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
        unset = {image for image in free if image.reference.digest is None and image.reference.tag in (None, LATEST)}
        free = [image for image in free if image in overrides or image not in unset]
    for image in free[1:]:
        if image.reference.tag != free[0].reference.tag:
            first = f"{free[0].reference.version} in {free[0].path}:{free[0].line}"
            message = f"{service.name} is at {image.reference.version} here and at {first}"
            yield Finding(DIFFERENT_TAGS, image.path, image.line, message, "give both one tag.")


def _unknown_images(
    folder: ManifestFolder, configuration: ConfigurationFile, template: str, repositories: Collection[Repository]
) -> Iterator[Finding]:
    """Yield the images that look like a service's by the template of their images, and are none."""
    before, slot, after = template.partition("{service}")
    if not slot or "/" not in before:
        return
    for path in (file for file in folder.files if before.encode() in folder.data(file)):
        for image in _image_names(folder.source(path)):
            repository = _repository_of(image)
            if repository is None or repository in repositories:
                continue
            name = repository.name.removeprefix(before).removesuffix(after)
            if f"{before}{name}{after}" == repository.name and name and "/" not in name:
                message = f"{repository} is the image of no service"
                fix = f"add `{name}` to the services of {configuration.path}, or correct the image."
                yield Finding(UNKNOWN_IMAGE, path, line(image), message, fix)


def _image_names(source: ObjectFile) -> Iterator[Scalar]:
    """Yield what containers run, and what a kustomization gives a tag to."""
    makers = filter(None, map(pod_maker, source.objects))
    images = [scalar(container, "image") for maker in makers for container in maker.containers]
    entries = (entry for root in source.roots for entry in items(root, "images"))
    yield from filter(None, (*images, *(scalar(entry, "newName") or scalar(entry, "name") for entry in entries)))


def _repository_of(image: Scalar) -> Repository | None:
    try:
        return ImageReference.parse(value_of(image)).repository
    except InvalidError:
        return None
