"""The rules of the group `manifests`: every service is deployed, by places that a release can read and write."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from orbit_release.check.configuration_file import ConfigurationFile
from orbit_release.check.finding import CheckRule, Finding, Group, unique_findings
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.named_elsewhere import Elsewhere, named_elsewhere
from orbit_release.check.tree import Tree
from orbit_release.check.trial_releases import trial_faults
from orbit_release.check.wiring.rendered_groups import REFUSED_FIX, REFUSED_KUSTOMIZATION
from orbit_release.config import Config
from orbit_release.errors import InvalidError, OrbitReleaseError
from orbit_release.image import LATEST, ImageReference, Repository
from orbit_release.manifests.deployed import Deployed, Manifests, Search
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.files import CHART
from orbit_release.manifests.objects import is_kustomization
from orbit_release.manifests.places import FoundImage
from orbit_release.service import Service
from orbit_release.tag_scheme import TagScheme

_rule = Group.MANIFESTS.rule
MANIFESTS_PATH = _rule("manifests-path", "Every command that asks what is deployed ends here.")
TWO_ENVIRONMENTS = _rule("two-environments", "A release for one environment would change the other as well.")
UNDEPLOYED = _rule("undeployed-service", "Its image is built, and a release of it changes nothing.")
UNKNOWN_IMAGE = _rule("unknown-image", "No release ever changes the tag of an image of no service.")
PINNED_TAG = _rule("pinned-tag", "Automation leaves a tag alone that somebody chose, and nobody sees why.")
UNEDITABLE = _rule("uneditable-image", "No release of the service is possible.")
PLACEHOLDER = _rule("placeholder-tag", "What fills a placeholder in knows no release, and a release leaves it alone.")
LEFT_BEHIND = _rule("left-behind", "A release changes the image and leaves the old tag here.")
UNSEEN = _rule("unseen-image", "Where not all that is applied can be seen, a release may change less than it says.")
BROKEN_MANIFEST = _rule("broken-manifest", "What is not YAML is not applied, and no service that it names is released.")
RULES = (
    *(MANIFESTS_PATH, TWO_ENVIRONMENTS, UNDEPLOYED, UNKNOWN_IMAGE, PINNED_TAG, UNEDITABLE, PLACEHOLDER),
    *(LEFT_BEHIND, UNSEEN, BROKEN_MANIFEST),
)

_WHERE = re.compile(r"(.+?):([0-9]+)(?::[0-9]+)?: (.*)", re.DOTALL)
_NO_TAG = "holds no plain tag"  # as manifests/places.py says it
PINNED_FIX = (
    "`orbit-release unhold SERVICE` lets automation go on; `# held: why` behind the tag says why not;"
    " where all tags look so, name the scheme in `tag:`."
)
_CHARTS = "write images into the values, as `image: {repository: …, tag: …}`: no release changes what Helm fills in."
_MISPLACED = "correct `manifests:`, or write what is missing there."


def read_manifests(tree: Tree, config: Config) -> Manifests:
    """Read what the files of a working tree deploy."""
    return Manifests.read(_files(tree, config), _search(config, (service.repository for service in config.services)))


def _files(tree: Tree, config: Config) -> Files:
    names = (name for path in config.manifests for name in tree.at(path))
    return Files(
        dict.fromkeys(names), lambda path: tree.read(path) if tree.is_file(path) else None, tree.kustomizations
    )


def _search(config: Config, repositories: Iterable[Repository]) -> Search:
    return Search(config.manifests, tuple(repositories), config.fields)


def check_manifests(
    manifests: Manifests, folders: Sequence[ManifestFolder], tree: Tree, file: ConfigurationFile, config: Config
) -> list[Finding]:
    """Return what is wrong with what is deployed, by place."""
    deployed = manifests.deployed
    findings = [*_check_paths(deployed, tree, file, config), *_broken(deployed, folders)]
    findings += (_finding(REFUSED_KUSTOMIZATION, InvalidError(why, REFUSED_FIX)) for why in deployed.refused)
    missing = _missing(deployed, config.services)
    elsewhere = named_elsewhere([service.repository for service in missing], manifests, folders, tree, file.path)
    is_path_wrong = {*deployed.absent, *deployed.unnamed}.issuperset(config.manifests)
    told = [service for service in missing if service.repository in elsewhere or not is_path_wrong]
    findings += (_undeployed(service, elsewhere.get(service.repository), file, config) for service in told)
    for service in (service for service in config.services if service not in missing):
        findings += _check_service(service, deployed, config.tag_scheme)
    findings += _check_mentions(manifests)
    findings += (_finding(UNEDITABLE, fault) for fault in trial_faults(manifests, config.services))
    findings += _unknown_images(folders, tree, file, config)
    return unique_findings(findings)


def _missing(deployed: Deployed, services: Sequence[Service]) -> list[Service]:
    """Return the services that no entry names; nobody knows while a kustomization cannot be rendered."""
    if deployed.refused or any(map(is_kustomization, deployed.broken)):
        return []
    return [service for service in services if service.is_deployed and service.repository not in deployed.services]


def _check_paths(deployed: Deployed, tree: Tree, file: ConfigurationFile, config: Config) -> Iterator[Finding]:
    for path in deployed.absent:
        message = f"there is no manifest at {path}"
        yield Finding(MANIFESTS_PATH, *file.place("manifests", path), message, _MISPLACED)
    is_known = not deployed.refused and any(service.is_deployed for service in config.services)
    for path in deployed.unnamed if is_known else ():
        what, fix = f"nothing at {path} deploys a service", _MISPLACED
        if any(posixpath.basename(name) == CHART for name in tree.at(path)):
            what, fix = f"no values of the charts at {path} name a service", _CHARTS
        yield Finding(MANIFESTS_PATH, *file.place("manifests", path), what, fix)
    if deployed.overlays:
        yield _finding(TWO_ENVIRONMENTS, deployed.overlays, *file.place("manifests"))


def _broken(deployed: Deployed, folders: Sequence[ManifestFolder]) -> Iterator[Finding]:
    """Yield what cannot be read of what is applied, also where it names no service."""
    for path, fault in deployed.broken.items():
        yield _finding(BROKEN_MANIFEST, fault, path)
    others = deployed.files - deployed.broken.keys()
    for folder in folders:
        for path in others.intersection(folder.files):
            other = folder.source(path).fault
            if other and folder.is_manifest(path):
                yield _finding(BROKEN_MANIFEST, other, path)


def _undeployed(service: Service, other: Elsewhere | None, file: ConfigurationFile, config: Config) -> Finding:
    """Say that no entry names a service, and where it stands instead."""
    if other:
        return Finding(UNDEPLOYED, other.path, other.line, f"{service.name} is named here, {other.why}", other.fix)
    message = f"{service.name} is deployed by nothing at {config.where}"
    fix = "write its image into a workload there, with a tag that exists; or `deploy: false` if it is only built."
    return Finding(UNDEPLOYED, *file.place("services", service.name), message, fix)


def _check_service(service: Service, deployed: Deployed, scheme: TagScheme) -> Iterator[Finding]:
    told = {fault.message for fault in deployed.broken.values()}
    for fault in deployed.faults(service.repository):
        if fault.message not in told:
            yield _finding(PLACEHOLDER if _NO_TAG in fault.message else UNEDITABLE, fault)
    for image in deployed[service.repository]:
        if _is_pinned(image, scheme):
            message = f"{service.name} is at {image.reference.tag}, which is no tag of the scheme {scheme}"
            yield Finding(PINNED_TAG, image.path, image.line, message, PINNED_FIX)


def _check_mentions(manifests: Manifests) -> Iterator[Finding]:
    deployed = manifests.deployed
    for mention in manifests.mentions():
        if deployed[mention.repository]:
            message = f"{mention.where}: {mention.text} stands here, where no release changes it"
            yield _finding(LEFT_BEHIND, InvalidError(message, "name the field in `fields:`, or leave the tag out."))
    for warning in (place.warning for place in deployed.places if place.warning):
        yield _finding(UNSEEN, InvalidError(warning, "see what `kubectl kustomize` gives, after a release too."))


def _is_pinned(image: FoundImage, scheme: TagScheme) -> bool:
    tag = image.reference.tag
    return image.mark is None and tag not in (None, LATEST) and scheme.commit_prefix(tag) is None


def _finding(rule: CheckRule, error: OrbitReleaseError, path: str = "", line: int = 1) -> Finding:
    """Turn `path:line: why` into a finding; the path and the line count where there are none."""
    where = _WHERE.fullmatch(error.message)
    if where:
        return Finding(rule, where[1], int(where[2]), where[3], error.hint)
    return Finding(rule, path, line, error.message.removeprefix(f"{path}: "), error.hint)


def _unknown_images(
    folders: Iterable[ManifestFolder], tree: Tree, file: ConfigurationFile, config: Config
) -> Iterator[Finding]:
    """Yield the images that look like a service's by the template of their images, and are none."""
    before, slot, after = config.image.partition("{service}")
    if not slot or "/" not in before:
        return
    shape = re.compile(rf"{re.escape(before)}([a-z0-9][a-z0-9._-]*){re.escape(after)}".encode())
    data = (folder.data(path) for folder in folders for path in (*folder.files, *folder.kustomizations))
    names = {name.decode().rstrip("._-") for text in data for name in shape.findall(text)}
    references = (ImageReference.read(f"{before}{name}{after}") for name in sorted(names))
    own = {service.repository for service in config.services}
    unknown = [reference.repository for reference in references if reference and reference.repository not in own]
    deployed = Manifests.read(_files(tree, config), _search(config, unknown)).deployed if unknown else Deployed()
    for repository, places in deployed.services.items():
        for place in places.places:
            message = f"{repository} is the image of no service"
            fix = f"add it to the services of {file.path}, or correct the image."
            yield Finding(UNKNOWN_IMAGE, place.image.path, place.image.line, message, fix)
