"""What goes into a service's image and is not among its inputs: by COPY, by a Go module's `replace`, by a link.

A file that a glob with `!` deselects was left out on purpose: it is not missing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from orbit_release.check.finding import CheckRule, Group
from orbit_release.check.inputs.context_files import ContextFiles, is_within, join, whole_tree
from orbit_release.check.inputs.context_reads import ContextRead
from orbit_release.check.tree import Tree, folders_above, path_bytes
from orbit_release.globs import Globs, quoted
from orbit_release.service import Service
from orbit_release.text import listed

_MANY = 6  # globs; more of them say less than the folder that they are in

_rule = Group.INPUTS.rule
COPIED = _rule("inputs-copied", "The image is not built anew when a file changes that is in it and not in `paths`.")
CONTEXT_COPIED = _rule(
    "inputs-context-copied",
    "The whole context is in the image, which is not built anew when a file of it changes that is not in `paths`.",
)
REPLACED = _rule(
    "inputs-replaced",
    "Go builds a module from the folder that replaces it: what changes there must build the image anew.",
)
LINKED = _rule("inputs-linked", "A link changes only with its target's name: what it leads to must be an input, too.")
RULES = (COPIED, CONTEXT_COPIED, REPLACED, LINKED)


@dataclass(frozen=True, slots=True)
class MissingInputs:
    """The `files` that are missing, as seen at a line (from 1); `globs` add them, and none do where nothing can."""

    rule: CheckRule
    path: str
    line: int
    message: str
    globs: tuple[str, ...]
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Inspection:
    service: Service
    tree: Tree
    files: ContextFiles
    reads: tuple[ContextRead, ...]

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Return the files that are no inputs, those left out that a glob deselects."""
        own = self.service.settings.own_ignore_file in self.tree.files
        undecided = (path for path in paths if self.verdict(path) is None)
        return [path for path in undecided if not self.service.is_input(path_bytes(path), own_ignore_file=own)]

    def verdict(self, path: str) -> bool | None:
        """Whether the globs say that a file is an input; None where none of them matches it."""
        return self.service.paths.verdict(path_bytes(path))

    def brought(self) -> list[str]:
        return sorted({path for read in self.reads for path in self.files.brought(read)})


def missing_inputs(inspection: Inspection) -> Iterator[MissingInputs]:
    """Yield what is missing; the files that a statement of the Dockerfile brings are not told of again."""
    told: set[str] = set()
    for missing in _copied(inspection):
        told |= missing.files
        yield missing
    brought = inspection.brought()
    links = [path for path, target in inspection.tree.files.items() if target is not None]
    links = [path for path in links if inspection.verdict(path) is not None and inspection.files.sends(path)]
    read = dict.fromkeys((inspection.service.settings.dockerfile, *brought, *links))
    for missing in (*_replaced(inspection, brought), *_linked(inspection, read)):
        if not missing.files or not missing.files <= told:
            told |= missing.files
            yield missing


def _copied(inspection: Inspection) -> Iterator[MissingInputs]:
    for line in dict.fromkeys(read.line for read in inspection.reads):
        reads = [read for read in inspection.reads if read.line == line]
        missing = {read: inspection.missing(inspection.files.brought(read)) for read in reads}
        short = [read for read in reads if missing[read]]
        if short:
            globs = dict.fromkeys(glob for read in short for glob in _globs(inspection, read, missing[read]))
            files = frozenset(path for read in short for path in missing[read])
            roots = {inspection.files.real_path(read.path) for read in short if not read.is_pattern}
            rule = CONTEXT_COPIED if inspection.files.folder in roots else COPIED
            message = f"{', '.join(read.source for read in short)} brings {listed(sorted(files), 1)}"
            yield MissingInputs(rule, inspection.service.settings.dockerfile, line, message, tuple(globs), files)


def _globs(inspection: Inspection, read: ContextRead, missing: list[str]) -> list[str]:
    folder = inspection.files.folder
    if not read.is_pattern:
        return _smallest(inspection, inspection.files.real_path(read.path), missing)
    pattern = read.path if folder == "." else f"{quoted(folder)}/{read.path}"
    for glob in (pattern, f"{pattern}/**"):
        if not glob.startswith("!") and all(map(Globs((glob,)).match, map(path_bytes, missing))):
            return [glob]
    return _smallest(inspection, "", missing)


def _smallest(inspection: Inspection, root: str, missing: Sequence[str]) -> list[str]:
    """Return globs for the files: whole folders up to `root` where no glob decided anything yet, else file by file."""
    below = inspection.tree.below(root) if root else []
    verdicts = {path: inspection.verdict(path) for path in below}
    decided = {folder for path in below if verdicts[path] is not None for folder in _folders(path, root)}
    globs: dict[str, None] = {}
    for path in missing:
        free = [folder for folder in _folders(path, root) if folder not in decided]
        globs[everything_in(free[-1]) if free else quoted(path)] = None
    if len(globs) <= _MANY or not root or False in verdicts.values():
        return list(globs)
    links = [quoted(path) for path in missing if not is_within(path, root)]  # they lead to the folder
    return [*links, everything_in(root)]


def _folders(path: str, root: str) -> Iterator[str]:
    """Yield the folders around a file, the largest last, up to `root`; none if that is "" or somewhere else."""
    return takewhile(lambda folder: is_within(folder, root), folders_above(path))


def everything_in(folder: str) -> str:
    """Return the glob that selects all files in a folder."""
    return "**" if folder == "." else f"{quoted(folder)}/**"


def _replaced(inspection: Inspection, brought: Sequence[str]) -> Iterator[MissingInputs]:
    modules = list(_modules(inspection.tree, brought))
    dependencies = {target for path, _, _, target in modules if path.endswith("go.mod")}
    for path, line, module, target in modules:
        missing = inspection.missing(filter(inspection.files.sends, inspection.tree.below(target)))
        if missing and posixpath.dirname(path) not in dependencies:  # Go heeds `replace` in the main module only
            yield _missing_in(inspection, REPLACED, (path, line), f"the module in {module} has", target, missing)


def _missing_in(
    inspection: Inspection, rule: CheckRule, place: tuple[str, int], what: str, target: str, missing: list[str]
) -> MissingInputs:
    globs = tuple(_smallest(inspection, target, missing))
    return MissingInputs(rule, *place, f"{what} {listed(sorted(missing), 1)}", globs, frozenset(missing))


def _modules(tree: Tree, brought: Iterable[str]) -> Iterator[tuple[str, int, str, str]]:
    """Yield a go.mod or go.work, the line, and the folder of a local module, as it is written and in the repository."""
    for path in brought:
        folder, name = posixpath.split(path)
        vendored = join(folder, "vendor/modules.txt") in tree.files  # then Go builds from the copies there
        if name in {"go.mod", "go.work"} and tree.is_file(path) and not vendored:
            for line, module in local_modules(tree.read(path).decode("utf-8", "replace")):
                yield path, line, module, join(folder, module)


def local_modules(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line (from 1) and the folder, as written, of every local `replace` and `use` (https://go.dev/ref/mod)."""
    block = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("//")[0].split()
        if words and words[-1].endswith(("(", ")")):
            block = words[0].strip("()")
        elif words:
            verb, *operands = [block, *words] if block else words
            if folder := _local_folder(verb, operands):
                yield number, folder


def _local_folder(verb: str, operands: list[str]) -> str:
    if verb == "replace" and "=>" in operands:
        operands = operands[operands.index("=>") + 1 :]
    elif verb != "use":
        return ""
    folder = operands[0].strip('"`') if operands else ""
    return folder if folder in {".", ".."} or folder.startswith(("./", "../")) else ""


def _linked(inspection: Inspection, brought: Iterable[str]) -> Iterator[MissingInputs]:
    tree = inspection.tree
    for path, target in _links(tree, brought):
        if is_within(target, ".."):
            yield MissingInputs(LINKED, path, 1, f"the link {path} leads out of the repository, to {target}", ())
        elif missing := inspection.missing([target] if target in tree.files else tree.below(target)):
            yield _missing_in(inspection, LINKED, (path, 1), f"the link {path} leads to", target, missing)


def _links(tree: Tree, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each link and where it leads, as a path from the root; absolute targets are meant for the image."""
    whole = whole_tree(tree)
    for path in paths:
        target = tree.files.get(path)
        if target is not None and not target.startswith("/"):
            plain = join(posixpath.dirname(path), target)
            yield path, plain if is_within(plain, "..") else whole.real_path(plain)


def dangling_links(inspection: Inspection) -> list[str]:
    """Return the links in the image whose targets git does not know: nothing that is released can change there."""
    tree = inspection.tree
    links = _links(tree, inspection.brought())
    return [path for path, target in links if not is_within(target, "..") and not whole_tree(tree).is_tracked(target)]
