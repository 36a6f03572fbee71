"""Images under the common prefix that belong to no service."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from orbit_release.check.finding import ConfigurationFile, Finding, Group
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.wiring.cluster import pod_maker
from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.nodes import Scalar, items, line, scalar, value_of
from orbit_release.manifests.objects import ObjectFile

UNKNOWN_IMAGE = Group.MANIFESTS.rule("unknown-image", "No release ever changes the tag of an image of no service.")

_SLOT = "{service}"


def unknown_images(
    folder: ManifestFolder, configuration: ConfigurationFile, template: str, repositories: Collection[Repository]
) -> Iterator[Finding]:
    """Yield the images that look like a service's by the template of their images, and are none."""
    before, slot, after = template.partition(_SLOT)
    if not slot or "/" not in before:
        return
    for path in (file for file in folder.files if before.encode() in folder.data(file)):
        for image in _image_names(folder.source(path)):
            repository = repository_of(value_of(image))
            if repository is None or repository in repositories:
                continue
            name = repository.name.removeprefix(before).removesuffix(after)
            if f"{before}{name}{after}" == repository.name and name and "/" not in name:
                message = f"{repository} is the image of no service"
                fix = f"add `{name}` to the services of {configuration.path}, or correct the image."
                yield Finding(UNKNOWN_IMAGE, path, line(image), message, fix)


def repository_of(text: str) -> Repository | None:
    """Return the repository of an image; None where it is no image."""
    try:
        return ImageReference.parse(text).repository
    except InvalidError:
        return None


def _image_names(source: ObjectFile) -> Iterator[Scalar]:
    """Yield what containers run, and what a kustomization gives a tag to."""
    makers = filter(None, map(pod_maker, source.objects))
    images = [scalar(container, "image") for maker in makers for container in maker.containers]
    entries = (entry for root in source.roots for entry in items(root, "images"))
    yield from filter(None, (*images, *(scalar(entry, "newName") or scalar(entry, "name") for entry in entries)))
