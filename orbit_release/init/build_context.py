"""Which folder a Dockerfile is built in: the one in which its sources are."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.inputs.context_files import ContextFiles, Contexts, join
from orbit_release.check.inputs.context_reads import ContextRead, UnknownRead, context_reads
from orbit_release.check.inputs.input_rules import Ignored
from orbit_release.check.tree import folders_above
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


def choose_context(contexts: Contexts, dockerfile: str, ignored: Ignored) -> ChosenContext:
    """Choose the Dockerfile's own folder, or the next one above, in which nothing or least is missing."""
    text = contexts.dockerfile(BuildSettings(".", dockerfile)) or ""
    sources = list(context_reads(text, {}))
    reads = [read for read in sources if isinstance(read, ContextRead)]
    unknown = tuple(read for read in sources if isinstance(read, UnknownRead))
    missing: dict[BuildSettings, list[tuple[str, str]]] = {}
    for folder in folders_above(dockerfile):
        settings = BuildSettings(folder, dockerfile)
        missing[settings] = list(_missing(contexts, settings, reads, text))
        if not missing[settings]:
            break
    paths = {path for pairs in missing.values() for _, path in pairs if path}
    made = ignored(paths) if paths else frozenset[str]()
    chosen = [
        ChosenContext(settings, tuple(dict.fromkeys(source for source, path in pairs if path not in made)), unknown)
        for settings, pairs in missing.items()
    ]
    return min(chosen, key=lambda context: len(context.missing))


def _missing(
    contexts: Contexts, settings: BuildSettings, reads: Sequence[ContextRead], text: str
) -> Iterator[tuple[str, str]]:
    """Yield the sources that a context lacks, each with its path in the repository, or "" if nothing can make it."""
    try:
        files = contexts.files(settings)
        for read in reads:
            if _lacks(files, read):
                is_name = read.path != "." and not read.is_pattern
                yield read.source, join(files.folder, read.path) if is_name else ""
    except InvalidError:  # nothing can be told; the paths say so
        return
    folder = posixpath.dirname(settings.dockerfile)
    if any(read.path == "." for read in reads) and settings.context != "." and _is_named(folder, text):
        yield f"{folder}/", ""  # it copies everything, and goes into its own folder by the path from the root


def _is_named(folder: str, text: str) -> bool:
    """Whether a path from the root to the Dockerfile's folder stands in its text, as in `RUN cd services/api`."""
    end = r"(?![\w-])" if "/" in folder else "/"
    return bool(folder) and bool(re.search(rf"(?:(?<![\w/.-])|(?<=\s\./)){re.escape(folder)}{end}", text))


def _lacks(files: ContextFiles, read: ContextRead) -> bool:
    if read.path == ".":  # an empty context does not fail, and is not meant
        names = map(posixpath.basename, files.brought(read))
        return all("Dockerfile" in name or name == ".dockerignore" for name in names)
    return not files.brought(read) if read.is_pattern else files.lacks(read)
