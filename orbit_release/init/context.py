"""Which folder a Dockerfile is built in: the one in which its sources are."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orbit_release.check.generated import is_generated
from orbit_release.check.inputs.context_files import ContextFiles, context_files, join
from orbit_release.check.inputs.context_reads import Read, UnknownRead, context_reads
from orbit_release.check.inputs.rules import dockerfile_text, ignore_file
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError
from orbit_release.service import BuildSettings


@dataclass(frozen=True, slots=True)
class ChosenContext:
    """How an image is built, as far as its Dockerfile tells; `missing` are sources that no folder has all of.

    `unknown` are sources that depend on a variable without a value.
    """

    settings: BuildSettings
    missing: tuple[str, ...]
    unknown: tuple[UnknownRead, ...] = ()


@dataclass(frozen=True, slots=True)
class Contexts:
    """The build contexts of a repository, each looked at once."""

    tree: Tree
    _known: dict[tuple[str, str], ContextFiles] = field(default_factory=dict, repr=False, compare=False)

    def files(self, settings: BuildSettings) -> ContextFiles:
        """Return what a build sees; InvalidError if its ignore file is not valid."""
        key = settings.context, ignore_file(self.tree, settings)
        if key not in self._known:
            self._known[key] = context_files(self.tree, *key)
        return self._known[key]


def choose_context(contexts: Contexts, dockerfile: str) -> ChosenContext:
    """Choose the Dockerfile's own folder, or the next one above, in which nothing or least is missing."""
    text = dockerfile_text(contexts.tree, dockerfile) or ""
    sources = list(context_reads(text, {}))
    reads = [read for read in sources if isinstance(read, Read)]
    unknown = tuple(read for read in sources if isinstance(read, UnknownRead))
    chosen = [ChosenContext(BuildSettings(folder, dockerfile), (), unknown) for folder in _above(dockerfile)]
    for at, one in enumerate(chosen):
        missing = tuple(dict.fromkeys(_missing(contexts, one.settings, reads, text)))
        chosen[at] = replace(one, missing=missing)
        if not chosen[at].missing:
            return chosen[at]
    return min(chosen, key=lambda one: len(one.missing))


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the innermost first; `.` is the root."""
    while path:
        path = posixpath.dirname(path)
        yield path or "."


def _missing(contexts: Contexts, settings: BuildSettings, reads: Sequence[Read], text: str) -> Iterator[str]:
    try:
        files = contexts.files(settings)
        yield from (read.source for read in reads if _lacks(files, contexts.tree, read))
    except InvalidError:  # nothing can be told; the paths say so
        return
    folder = posixpath.dirname(settings.dockerfile)
    if any(read.path == "." for read in reads) and settings.context != "." and _is_named(folder, text):
        yield f"{folder}/"  # it copies everything, and goes into its own folder by the path from the root


def _is_named(folder: str, text: str) -> bool:
    """Whether a path from the root to the Dockerfile's folder stands in its text, as in `RUN cd services/api`."""
    end = r"(?![\w-])" if "/" in folder else "/"
    return bool(folder) and bool(re.search(rf"(?:(?<![\w/.-])|(?<=\s\./)){re.escape(folder)}{end}", text))


def _lacks(files: ContextFiles, tree: Tree, read: Read) -> bool:
    if read.path == "." or read.is_pattern:  # neither fails where it finds nothing, and neither is meant so
        brought = files.brought(read)
        return not any(map(_is_source, brought) if read.path == "." else brought)
    return files.lacks(read) and not is_generated(tree, join(files.folder, read.path))


def _is_source(path: str) -> bool:
    name = posixpath.basename(path)
    return "Dockerfile" not in name and name != ".dockerignore"
