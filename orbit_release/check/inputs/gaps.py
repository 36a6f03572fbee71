"""What goes into a service's image and is not among its inputs: by COPY, by a Go module's `replace`, by a link.

A file that a glob with `!` deselects was left out on purpose: it is no gap.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.finding import Group, Rule
from orbit_release.check.inputs.context_files import ContextFiles, join, whole_tree
from orbit_release.check.inputs.context_reads import Read
from orbit_release.check.inputs.gomod import local_modules
from orbit_release.check.tree import Tree
from orbit_release.globs import Globs, quoted
from orbit_release.service import Service

_MANY = 6  # globs; more of them say less than the folder that they are in

COPIED = Rule(
    "inputs-copied", Group.INPUTS, "The image is not built anew when a file changes that is in it and not in `paths`."
)
CONTEXT_COPIED = Rule(
    "inputs-context-copied",
    Group.INPUTS,
    "The whole context is in the image, which is not built anew when a file of it changes that is not in `paths`.",
)
REPLACED = Rule(
    "inputs-replaced",
    Group.INPUTS,
    "Go builds a module from the folder that replaces it: what changes there must build the image anew.",
)
LINKED = Rule(
    "inputs-linked", Group.INPUTS, "A link changes only with its target's name: what it leads to must be an input, too."
)
RULES = (COPIED, CONTEXT_COPIED, REPLACED, LINKED)


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing at a line (from 1); `globs` close the gap, and none do where nothing can."""

    rule: Rule
    path: str
    line: int
    message: str
    globs: tuple[str, ...]
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A service whose Dockerfile was read."""

    service: Service
    tree: Tree
    files: ContextFiles
    reads: tuple[Read, ...]

    def is_gap(self, path: str) -> bool:
        """Whether a file is no input, and not by a glob that says so."""
        name = path.encode("utf-8", "surrogateescape")
        own = self.service.settings.own_ignore_file in self.tree.files
        return not self.service.is_input(name, own_ignore_file=own) and self.service.paths.verdict(name) is None

    def is_decided(self, path: str) -> bool:
        """Whether a glob says of a file that it is, or is not, an input."""
        return self.service.paths.verdict(path.encode("utf-8", "surrogateescape")) is not None

    def is_deselected(self, path: str) -> bool:
        return self.service.paths.verdict(path.encode("utf-8", "surrogateescape")) is False

    def brought(self) -> list[str]:
        """Return every file that the Dockerfile brings, in order."""
        return sorted({path for read in self.reads for path in self.files.brought(read)})


def gaps(inspection: Inspection) -> Iterator[Gap]:
    """Yield every gap; the files that a statement of the Dockerfile brings are not told of again."""
    told: set[str] = set()
    for gap in _copied(inspection):
        told |= gap.files
        yield gap
    brought = inspection.brought()
    links = [path for path, target in inspection.tree.files.items() if target is not None]
    links = [path for path in links if inspection.is_decided(path) and inspection.files.sends(path)]
    read = dict.fromkeys((inspection.service.settings.dockerfile, *brought, *links))
    for gap in (*_replaced(inspection, brought), *_linked(inspection, read)):
        if not gap.files or not gap.files <= told:
            told |= gap.files
            yield gap


def _copied(inspection: Inspection) -> Iterator[Gap]:
    for line in dict.fromkeys(read.line for read in inspection.reads):
        reads = [read for read in inspection.reads if read.line == line]
        missing = {read: [f for f in inspection.files.brought(read) if inspection.is_gap(f)] for read in reads}
        short = [read for read in reads if missing[read]]
        if short:
            globs = dict.fromkeys(glob for read in short for glob in _globs(inspection, read, missing[read]))
            files = frozenset(path for read in short for path in missing[read])
            rule = CONTEXT_COPIED if any(_is_whole(inspection, read) for read in short) else COPIED
            message = f"{', '.join(read.source for read in short)} brings {_told(files)}"
            yield Gap(rule, inspection.service.settings.dockerfile, line, message, tuple(globs), files)


def _is_whole(inspection: Inspection, read: Read) -> bool:
    return not read.is_pattern and inspection.files.real(read.path) == inspection.files.folder


def _told(files: Iterable[str]) -> str:
    first, *others = sorted(files)
    more = f" and {len(others)} more" if others else ""
    return f"{first}{more}"


def _globs(inspection: Inspection, read: Read, missing: list[str]) -> list[str]:
    folder = inspection.files.folder
    if not read.is_pattern:
        return _smallest(inspection, inspection.files.real(read.path), missing)
    pattern = read.path if folder == "." else f"{quoted(folder)}/{read.path}"
    for glob in (pattern, f"{pattern}/**"):
        if not glob.startswith("!") and _covers(glob, missing):
            return [glob]
    return _smallest(inspection, "", missing)


def _covers(glob: str, files: Iterable[str]) -> bool:
    globs = Globs((glob,))
    return all(globs.match(path.encode("utf-8", "surrogateescape")) for path in files)


def _smallest(inspection: Inspection, root: str, missing: Sequence[str]) -> list[str]:
    """Return globs for the files: whole folders up to `root` where no glob decided anything yet, else file by file."""
    below = inspection.tree.below(root) if root else []
    decided = {folder for path in below if inspection.is_decided(path) for folder in _folders(path, root)}
    found: dict[str, None] = {}
    for path in missing:
        free = [folder for folder in _folders(path, root) if root and folder not in decided]
        found[_everything(free[-1]) if free else quoted(path)] = None
    if len(found) <= _MANY or not root or any(map(inspection.is_deselected, below)):
        return list(found)
    links = [quoted(path) for path in missing if not _is_within(path, root)]  # they lead to the folder
    return [*links, _everything(root)]


def _folders(path: str, root: str) -> Iterator[str]:
    """Yield the folders around a file, the largest last, up to `root`."""
    folder = posixpath.dirname(path) or "."
    while _is_within(folder, root):
        yield folder
        if folder == root:
            break
        folder = posixpath.dirname(folder) or "."


def _is_within(path: str, folder: str) -> bool:
    return folder in {".", path} or path.startswith(f"{folder}/")


def _everything(folder: str) -> str:
    return "**" if folder == "." else f"{quoted(folder)}/**"


def _replaced(inspection: Inspection, brought: Sequence[str]) -> Iterator[Gap]:
    modules = list(_modules(inspection.tree, brought))
    dependencies = {target for path, _, _, target in modules if path.endswith("go.mod")}
    for path, line, module, target in modules:
        below = inspection.tree.below(target)
        missing = [file for file in below if inspection.files.sends(file) and inspection.is_gap(file)]
        if missing and posixpath.dirname(path) not in dependencies:  # Go heeds `replace` in the main module only
            message = f"the module in {module} has {_told(missing)}"
            yield Gap(REPLACED, path, line, message, tuple(_smallest(inspection, target, missing)), frozenset(missing))


def _modules(tree: Tree, brought: Iterable[str]) -> Iterator[tuple[str, int, str, str]]:
    """Yield a go.mod or go.work, the line, and the folder of a local module, as it is written and in the repository."""
    for path in brought:
        folder, name = posixpath.split(path)
        vendored = join(folder, "vendor/modules.txt") in tree.files  # then Go builds from the copies there
        if name in {"go.mod", "go.work"} and tree.files[path] is None and not vendored:
            for line, module in local_modules(tree.read(path).decode("utf-8", "replace")):
                yield path, line, module, join(folder, module)


def _linked(inspection: Inspection, brought: Iterable[str]) -> Iterator[Gap]:
    tree = inspection.tree
    for path, target in _links(tree, brought):
        if _is_within(target, ".."):
            yield Gap(LINKED, path, 1, f"the link {path} leads out of the repository, to {target}", ())
            continue
        there = [target] if target in tree.files else tree.below(target)
        missing = [file for file in there if inspection.is_gap(file)]
        if missing:
            message = f"the link {path} leads to {_told(missing)}"
            yield Gap(LINKED, path, 1, message, tuple(_smallest(inspection, target, missing)), frozenset(missing))


def _links(tree: Tree, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each link and where it leads, as a path from the root; absolute targets are meant for the image."""
    whole = whole_tree(tree)
    for path in paths:
        target = tree.files.get(path)
        if target is not None and not target.startswith("/"):
            plain = join(posixpath.dirname(path), target)
            yield path, plain if _is_within(plain, "..") else whole.real(plain)


def dangling(inspection: Inspection) -> list[str]:
    """Return the links in the image whose targets git does not know: nothing that is released can change there."""
    tree = inspection.tree
    links = _links(tree, inspection.brought())
    return [path for path, target in links if not _is_within(target, "..") and not whole_tree(tree).is_tracked(target)]
