"""What a folder of manifests renders to: its own objects as they are written where no program is needed.

A kustomization that neither renames nor changes what refers to something else is read here, with the lines of its
resources. Any other is rendered by the program that is passed in, and its objects are traced back by kind and name.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orbit_release.check.finding import Finding, Group, Note, Rule
from orbit_release.check.folder import Folder
from orbit_release.check.wiring.overlay import Added, Kustomization, Origins
from orbit_release.errors import InvalidError, OrbitReleaseError
from orbit_release.manifests.nodes import MappingNode, Node, keys, text
from orbit_release.manifests.objects import Object, read

_REMOTE = re.compile(r"://|^git@|^(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)[/:]|[?&](?:ref|version)=|^git::")
_HELM = ("helmCharts", "helmChartInflationGenerator")
_FOREIGN_KUSTOMIZATION = "kustomize.toolkit.fluxcd.io/"
_FEW = 3

# The objects of folders, relative to the root, as YAML; of one that cannot be rendered, why.
Render = Callable[[Sequence[str]], Mapping[str, bytes | OrbitReleaseError]]


@dataclass(frozen=True, slots=True)
class Application:
    """What is applied together; `path` is the kustomization, or the folder where there is none."""

    path: str
    objects: tuple[Object, ...]


MISSING_RESOURCE = Rule(
    "missing-resource", Group.WIRING, "The kustomization cannot be rendered, so that nothing of it is applied any more."
)


REFUSED_KUSTOMIZATION = Rule(
    "refused-kustomization", Group.WIRING, "What cannot be rendered is not applied, and neither is anything beside it."
)


class _MissingError(OrbitReleaseError):
    """A kustomization includes a file or folder of this repository that is not there."""

    def __init__(self, one: Kustomization, entry: str) -> None:
        super().__init__(f"{one.path} includes {entry}, which does not exist in git or has no kustomization")
        self.one, self.entry = one, entry

    def finding(self, folder: Folder) -> Finding:
        """Return it as a finding, at the line of the entry."""
        lines = folder.data(self.one.path).decode("utf-8", "replace").split("\n")
        line = next((number for number, text in enumerate(lines, 1) if self.entry in text), 1)
        return Finding(MISSING_RESOURCE, self.one.path, line, f"{self.entry} is not there", "add it, or leave it out.")


def applications(folder: Folder, render: Render) -> tuple[list[Application], list[Finding | Note]]:
    """Return what the folder deploys, and what could not be rendered."""
    reader = _Reader(folder)
    roots = reader.roots()
    if not roots and not folder.kustomizations:
        return _plain(folder), []
    found: list[Application] = []
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    missing: dict[tuple[str, int], Finding] = {}
    for root, result in _rendered(reader, roots, render):
        if isinstance(result, _MissingError):
            finding = result.finding(folder)
            missing[finding.path, finding.line] = finding
        elif isinstance(result, InvalidError) and "refuses it" in result.message:
            fix = "see what `kubectl kustomize` says of this folder."
            missing[root.path, 0] = Finding(REFUSED_KUSTOMIZATION, root.path, 1, result.message, fix)
        elif isinstance(result, OrbitReleaseError):
            reasons[result.message].append(root.folder)
        else:
            found.append(Application(root.path, tuple(result)))
    notes = (f"wiring of {_few(names)} was not checked: {why}" for why, names in reasons.items())
    return found, [*missing.values(), *(Note(Group.WIRING, note) for note in notes)]


def _plain(folder: Folder) -> list[Application]:
    """Read a folder without kustomization; where it holds an object twice, each folder in it is a deployment."""
    files = (path for path in folder.files if not folder.is_chart(path))
    all_ = [one for path in files for one in folder.source(path).objects]
    if len({(one.group, one.kind, one.namespace, one.name) for one in all_}) == len(all_):
        return [Application(folder.path, tuple(all_))]
    folders: defaultdict[str, list[Object]] = defaultdict(list)
    for one in all_:
        folders[posixpath.dirname(one.path)].append(one)
    return [Application(path or ".", tuple(objects)) for path, objects in folders.items()]


class _Reader:
    """Reads the kustomizations of a folder, each once."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._known: dict[str, Kustomization | None] = {}

    def at(self, folder: str) -> Kustomization | None:
        """Return the kustomization of a folder, if it has one that is YAML."""
        if folder not in self._known:
            path = self.folder.kustomization(folder)
            documents = self.folder.source(path).roots if path else ()
            is_one = path and documents and isinstance(documents[0], MappingNode) and not _is_foreign(documents[0])
            self._known[folder] = Kustomization(path, documents[0]) if is_one and path else None
        return self._known[folder]

    def roots(self) -> list[Kustomization]:
        """Return the top-most kustomizations that no other one includes."""
        folders = [posixpath.dirname(path) or "." for path in self.folder.kustomizations]
        known = [one for one in map(self.at, folders) if one]
        included = {one.target(entry) for one in known for entry in one.entries}
        free = [one for one in known if one.folder not in included and text(one.root, "kind") != "Component"]
        tops = {one.folder for one in free}
        return [one for one in free if not any(parent in tops for parent in _above(one.folder))]

    def reach(self, root: Kustomization) -> list[Kustomization]:
        """Return a kustomization and all that it includes; OrbitReleaseError where that cannot be rendered here."""
        found: dict[str, Kustomization] = {}
        open_ = [root]
        while open_:
            one = open_.pop()
            if one.path not in found:
                found[one.path] = one
                open_.extend(self._included(one))
        return list(found.values())

    def _included(self, one: Kustomization) -> Iterator[Kustomization]:
        if any(key in keys(one.root) for key in _HELM):
            raise OrbitReleaseError(f"{one.path} needs Helm")
        for entry in one.entries:
            target = one.target(entry)
            if self.folder.is_file(target):
                if fault := self.folder.source(target).fault:
                    raise fault
            elif inner := self.at(target):
                yield inner
            else:
                raise _lack(one, entry)

    def written(self, reach: list[Kustomization]) -> Iterator[Object]:
        """Yield the objects that some kustomizations include, as they are written."""
        for target in (target for one in reach for target in map(one.target, one.entries)):
            yield from self.folder.source(target).objects if self.folder.is_file(target) else ()

    def objects(self, one: Kustomization, outer: frozenset[str] = frozenset()) -> Iterator[Object]:
        """Yield what a plain kustomization renders to; one that includes itself ends there."""
        added = Added.read(one.root)
        for target in map(one.target, one.entries):
            if self.folder.is_file(target):
                inner: Iterable[Object] = self.folder.source(target).objects
            else:
                below = self.at(target) if target not in outer else None
                inner = self.objects(below, outer | {one.folder}) if below else ()
            yield from map(added.to, inner)


_Result = Iterable[Object] | OrbitReleaseError


def _rendered(reader: _Reader, roots: list[Kustomization], render: Render) -> Iterator[tuple[Kustomization, _Result]]:
    """Yield what each kustomization renders to, or why it does not; the program gets its work at once."""
    others: list[tuple[Kustomization, list[Kustomization]]] = []
    for root in roots:
        try:
            reach = reader.reach(root)
        except OrbitReleaseError as error:
            yield root, error
            continue
        if all(one.is_plain for one in reach):
            yield root, reader.objects(root)
        else:
            others.append((root, reach))
    results = render([root.folder for root, _ in others]) if others else {}
    for root, reach in others:
        yield root, _traced(reader, root, reach, results[root.folder])


def _traced(
    reader: _Reader, root: Kustomization, reach: list[Kustomization], result: bytes | OrbitReleaseError
) -> _Result:
    """Read what a program rendered, and find where each object is written."""
    if isinstance(result, OrbitReleaseError):
        return result
    rendered, origins = read(result, root.path), Origins.of(reader.written(reach), reach)
    return rendered.fault or [replace(one, is_rendered=True, origin=origins.find(one)) for one in rendered.objects]


def _is_foreign(root: Node) -> bool:
    return text(root, "apiVersion").startswith(_FOREIGN_KUSTOMIZATION)


def _lack(one: Kustomization, entry: str) -> OrbitReleaseError:
    if _REMOTE.search(entry) or one.target(entry).startswith(".."):
        return OrbitReleaseError(f"{one.path} includes {entry}, which is not in this repository")
    return _MissingError(one, entry)


def _above(folder: str) -> Iterator[str]:
    while folder not in {"", "."}:
        folder = posixpath.dirname(folder) or "."
        yield folder


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
