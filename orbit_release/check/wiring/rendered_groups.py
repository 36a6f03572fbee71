"""What a folder of manifests renders to: its own objects as they are written where no program is needed.

A kustomization that neither renames nor changes what refers to something else is read here, with the lines of its
resources. Any other is rendered by the program that is passed in, and its objects are traced back by kind and name.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from orbit_release.check.finding import Finding, Group, Note
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.tree import folders_above
from orbit_release.check.wiring.cluster import Cluster
from orbit_release.check.wiring.kustomization import Kustomization, WrittenObjects
from orbit_release.check.written_objects import Object, read
from orbit_release.errors import InvalidError, OrbitReleaseError
from orbit_release.manifests.texts.yaml_nodes import MappingNode, keys, text
from orbit_release.text import listed

_REMOTE = re.compile(r"://|^git@|^(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)[/:]|[?&](?:ref|version)=|^git::")
_HELM = ("helmCharts", "helmChartInflationGenerator")
_FLUX = "kustomize.toolkit.fluxcd.io/"  # its objects are called Kustomization as well
_MOST_FOLDERS = 3  # in a note

# The objects of folders, relative to the root, as YAML; of one that cannot be rendered, why.
Render = Callable[[Sequence[str]], Mapping[str, bytes | OrbitReleaseError]]

REFUSED_KUSTOMIZATION = Group.WIRING.rule(
    "refused-kustomization", "What cannot be rendered is not applied, and neither is anything beside it."
)
REFUSED_FIX = "see what `kubectl kustomize` says of this folder."


class RefusedError(InvalidError):
    """The program that renders says that a kustomization is wrong."""


def rendered_groups(folder: ManifestFolder, render: Render) -> tuple[list[Cluster], list[Finding | Note]]:
    """Return what the folder deploys, each cluster applied at once, and what could not be rendered."""
    reader = _KustomizationReader(folder)
    roots = reader.roots()
    if not roots and not folder.kustomizations:
        return _groups_without_kustomization(folder), []
    groups: list[Cluster] = []
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    findings: list[Finding] = []
    for root, result in _rendered(reader, roots, render):
        if isinstance(result, RefusedError):
            findings.append(Finding(REFUSED_KUSTOMIZATION, root.path, 1, result.message, REFUSED_FIX))
        elif isinstance(result, OrbitReleaseError):
            reasons[result.message].append(root.folder)
        else:
            groups.append(Cluster(result))
    notes = (f"wiring of {listed(names, _MOST_FOLDERS)} was not checked: {why}" for why, names in reasons.items())
    return groups, [*findings, *(Note(Group.WIRING, note) for note in notes)]


def _groups_without_kustomization(folder: ManifestFolder) -> list[Cluster]:
    """Take the folder for one group; where it holds an object twice, each folder in it is a group."""
    files = (path for path in folder.files if not folder.is_chart(path))
    objects = [obj for path in files for obj in folder.source(path).objects]
    if len({(obj.group, obj.kind, obj.namespace, obj.name) for obj in objects}) == len(objects):
        return [Cluster(objects)]
    by_folder: defaultdict[str, list[Object]] = defaultdict(list)
    for obj in objects:
        by_folder[posixpath.dirname(obj.path)].append(obj)
    return [Cluster(own) for own in by_folder.values()]


class _KustomizationReader:
    """Reads the kustomizations of a folder, each once."""

    def __init__(self, folder: ManifestFolder) -> None:
        self.folder = folder
        self.at = cache(self._read)

    def _read(self, folder: str) -> Kustomization | None:
        """Return the kustomization of a folder, if it has one that is YAML."""
        path = self.folder.kustomization(folder)
        root = next(iter(self.folder.source(path).roots), None) if path else None
        is_own = isinstance(root, MappingNode) and not text(root, "apiVersion").startswith(_FLUX)
        return Kustomization(path, root) if path and root is not None and is_own else None

    def roots(self) -> list[Kustomization]:
        """Return the top-most kustomizations that no other one includes."""
        folders = [posixpath.dirname(path) or "." for path in self.folder.kustomizations]
        known = list(filter(None, map(self.at, folders)))
        included = {each.target(entry) for each in known for entry in each.entries}
        free = [each for each in known if each.folder not in included and not each.is_component]
        tops = {each.folder for each in free}
        return [each for each in free if tops.isdisjoint(folders_above(each.folder))]

    def reach(self, root: Kustomization) -> list[Kustomization]:
        """Return a kustomization and all that it includes; OrbitReleaseError where that cannot be rendered here."""
        reached: dict[str, Kustomization] = {}
        waiting = [root]
        while waiting:
            kustomization = waiting.pop()
            if kustomization.path not in reached:
                reached[kustomization.path] = kustomization
                waiting.extend(self._included(kustomization))
        return list(reached.values())

    def _included(self, kustomization: Kustomization) -> Iterator[Kustomization]:
        if any(key in keys(kustomization.root) for key in _HELM):
            raise OrbitReleaseError(f"{kustomization.path} needs Helm")
        for entry in kustomization.entries:
            target = kustomization.target(entry)
            if self.folder.is_file(target):
                if fault := self.folder.source(target).fault:
                    raise fault
            elif inner := self.at(target):
                yield inner
            else:
                is_outside = _REMOTE.search(entry) or target.startswith("..")
                what = "not in this repository" if is_outside else "not there"
                raise OrbitReleaseError(f"{kustomization.path} includes {entry}, which is {what}")

    def written_objects(self, reach: list[Kustomization]) -> WrittenObjects:
        targets = (each.target(entry) for each in reach for entry in each.entries)
        files = filter(self.folder.is_file, targets)
        return WrittenObjects([obj for file in files for obj in self.folder.source(file).objects], reach)

    def objects(self, plain: Kustomization, outer: frozenset[str] = frozenset()) -> Iterator[Object]:
        """Yield what a plain kustomization renders to; one that includes itself ends there."""
        namespace = text(plain.root, "namespace")
        for target in map(plain.target, plain.entries):
            if self.folder.is_file(target):
                included: Iterable[Object] = self.folder.source(target).objects
            else:
                inner = self.at(target) if target not in outer else None
                included = self.objects(inner, outer | {plain.folder}) if inner else ()
            for obj in included:
                yield replace(obj, namespace=namespace) if namespace else obj


_Result = Iterable[Object] | OrbitReleaseError


def _rendered(
    reader: _KustomizationReader, roots: list[Kustomization], render: Render
) -> Iterator[tuple[Kustomization, _Result]]:
    """Yield what each kustomization renders to, or why it does not; the program gets its work at once."""
    others: list[tuple[Kustomization, list[Kustomization]]] = []
    for root in roots:
        try:
            reach = reader.reach(root)
        except OrbitReleaseError as error:
            yield root, error
            continue
        if all(each.is_plain for each in reach):
            yield root, reader.objects(root)
        else:
            others.append((root, reach))
    results = render([root.folder for root, _ in others]) if others else {}
    for root, reach in others:
        result = results[root.folder]
        if isinstance(result, OrbitReleaseError):
            yield root, result
            continue
        rendered, written = read(result, root.path), reader.written_objects(reach)
        objects = [replace(obj, is_rendered=True, origin=written.find(obj)) for obj in rendered.objects]
        yield root, rendered.fault or objects
