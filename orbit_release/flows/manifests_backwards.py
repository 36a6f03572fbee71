"""The manifests of a branch, commit by commit from its tip backwards: only what a commit changed is read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set as AbstractSet
from functools import cache, partial
from itertools import chain

from orbit_release.flows.source import Source, path_text
from orbit_release.git.clone import Tip
from orbit_release.git.plumbing_output import Blobs
from orbit_release.image import Repository
from orbit_release.manifests.entries.applied_files import Entries, entries_at, is_structural
from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.contents import contents_of
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.names import Names
from orbit_release.manifests.objects import is_below
from orbit_release.manifests.places import RenderedImage, service_places
from orbit_release.releases.timeline import Images

Side = Mapping[str, Images | None]  # by the file of an object; None: it cannot be read


class ManifestsBackwards:
    """Begins with the manifests of the tip; each step goes back over one commit."""

    def __init__(self, source: Source, tip: Tip, repositories: AbstractSet[Repository]) -> None:
        self._fields = source.config.fields
        self._paths = source.manifest_folders(tip)
        self._blobs = source.blobs(tip.commit, (*self._paths, *source.bases(tip)))
        self._files = Files(self._blobs.keys(), self._read)
        self._git, self._tip = source.git, tip.commit
        self._gone: set[str] = set()
        self._names = Names(repositories)
        self._images = cache(partial(_images, self._names))
        self._entries: list[Entries] = []
        self._look()

    def go_back(self, files: Iterable[Blobs]) -> tuple[Side, Side]:
        """Go back over a commit that changed files; return the images where it did, before it and after it."""
        blobs = {path_text(file.path): file for file in files}
        is_shaped = any(is_structural(path) for path in blobs)
        after = self._side(blobs, everything=is_shaped)
        self._put_back(blobs)
        if is_shaped or any(None in (file.before, file.after) for file in blobs.values()):
            self._look()
        before = self._side(blobs, everything=is_shaped)
        paths = [path for path in {**before, **after} if before.get(path, ()) != after.get(path, ())]
        return {path: before.get(path, ()) for path in paths}, {path: after.get(path, ()) for path in paths}

    def _read(self, path: str) -> bytes | None:
        if path in self._blobs:
            return self._git.blob(self._blobs[path])
        # What lies elsewhere, and was no part of an entry at the tip, is taken as it is there.
        is_gone = path in self._gone or any(is_below(path, above) for above in self._paths)
        return None if is_gone else self._git.plain_file(self._tip, path)

    def _put_back(self, blobs: Mapping[str, Blobs]) -> None:
        for path, file in blobs.items():
            if file.before is None:
                self._blobs.pop(path, None)
                self._gone.add(path)
            else:
                self._gone.discard(path)
                self._blobs[path] = file.before
        self._files.forget(blobs)

    def _look(self) -> None:
        """Look which entries there are."""
        self._entries = [entries_at(path, self._files) for path in self._paths]

    def _side(self, paths: Collection[str], *, everything: bool) -> Side:
        side: dict[str, Images | None] = {}
        among = None if everything else paths
        for content in chain.from_iterable(self._contents(among)):
            side |= {path: self._images(images) for path, images in content.by_file.items()}
            side |= dict.fromkeys(content.faults)
        return side

    def _contents(self, among: Collection[str] | None) -> Iterator[Iterator[Content]]:
        for entries in self._entries:
            yield contents_of(entries, self._files, self._names, self._fields, among, apart=True, unread=False)


def _images(names: Names, images: tuple[RenderedImage, ...]) -> Images:
    services = service_places(images, names)
    found = [image for service in services.values() for image in service.images]
    return tuple(sorted(found, key=lambda image: (image.path, image.line)))
