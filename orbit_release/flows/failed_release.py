"""A release that is to be taken back: what it replaced, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError, NotFoundError
from orbit_release.flows.restore_images import restored_image, why_left
from orbit_release.flows.source import Source, path_text
from orbit_release.git.clone import Tip
from orbit_release.image import Digest, ImageReference, Tag, not_among
from orbit_release.manifests.entries.files import same_values
from orbit_release.manifests.objects import is_below, is_manifest
from orbit_release.manifests.rewrite import Edit, NewImage, rewrite
from orbit_release.releases.release import Release
from orbit_release.releases.timeline import is_fixed
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry

_ANY_TAG, _ANY_DIGEST = Tag("any"), Digest(f"sha256:{'0' * 64}")


@dataclass(frozen=True, slots=True)
class Undo:
    """A release that is to be taken back, and its commit."""

    source: Source
    release: Release
    commit: str

    @property
    def services(self) -> Mapping[str, Service]:
        """The services that it released, by name."""
        return {service.name: service for service in self.source.config.services if self._edits(service)}

    def before(self, service: Service, running: Iterable[ImageReference], registry: Registry | None) -> NewImage | str:
        """Return what a service goes back to, or why it does not; `running` are the images in the cluster."""
        edits = self._edits(service)
        if not_among((edit.after for edit in edits), running):
            return f"does not run {edits[0].after.version} yet"
        before = list(dict.fromkeys(edit.before for edit in edits))
        if len(before) > 1:
            return f"ran {' and '.join(reference.version for reference in before)} before"
        if not is_fixed(before[0]):
            return why_left(before[0])
        try:
            return restored_image(registry, service, before[0], others=())
        except NotFoundError as error:
            return f"cannot: {error.message}"

    def changed_since(self, service: Service, tip: Tip) -> str:
        """Return what somebody did to a service after the release, "" where they did nothing."""
        tags = {edit.after.tag for edit in self._edits(service)}
        for image in self.source.deployed(tip)[service.repository]:
            if image.reference.tag not in tags:
                return f"went on to {image.reference.version}"
            if image.hold is not None:
                return f"is held: {image.hold}"
        return ""

    def _edits(self, service: Service) -> list[Edit]:
        return [edit for edit in self.release.edits if edit.after.repository == service.repository]

    def changed_besides(self, older: str, seen: str) -> str:
        """Return a path that changed between two commits by more than the services' images, "" for none.

        Where the older commit is not known, it is the one before the release.
        """
        git, source = self.source.git, self.source
        base = git.commit(older) if older else git.commit(f"{self.commit}^")
        paths = source.manifest_paths(Tip("", seen, None))
        for file in git.changes([base], seen)[base]:
            path = path_text(file.path)
            # Beside the sources only manifests count; in a folder of their own whatever they may be made from.
            counts = is_manifest(file.path) if "." in paths else any(is_below(path, folder) for folder in paths)
            if counts and not (is_manifest(file.path) and self._same_but_for_images(path, base, seen)):
                return path
        return ""

    def _same_but_for_images(self, path: str, base: str | None, seen: str) -> bool:
        before, after = (self._without_images(path, commit) if commit else None for commit in (base, seen))
        return same_values(before, after)

    def _without_images(self, path: str, commit: str) -> bytes | None:
        """Return a file with one tag and one digest for all images of our services, also where none stands."""
        manifests = self.source.manifests(Tip("", commit, None))
        same = [NewImage(name, _ANY_TAG, _ANY_DIGEST) for name in manifests.deployed.services]
        places = (place for place in manifests.deployed.places if path in {value.path for value in place.value.scalars})
        try:
            return rewrite(places, same).files.get(path, manifests.files.read(path))
        except InvalidError:
            return manifests.files.read(path)
