"""The rules of the group `inputs`: everything that goes into an image must be among its service's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set as AbstractSet

from orbit_release.check.configuration_file import ConfigurationFile
from orbit_release.check.finding import Finding, Group, Note
from orbit_release.check.inputs import missing_inputs
from orbit_release.check.inputs.context_files import ContextFiles, Contexts, join, static_folder
from orbit_release.check.inputs.context_reads import ContextRead, UnknownRead, context_reads
from orbit_release.check.inputs.missing_inputs import CONTEXT_COPIED, LINKED, Inspection, MissingInputs
from orbit_release.check.tree import Tree, folders_above, path_bytes
from orbit_release.errors import InvalidError
from orbit_release.globs import Globs
from orbit_release.service import BuildSettings, Service
from orbit_release.text import listed

_rule = Group.INPUTS.rule
MISSING = _rule("inputs-missing", "The build fails: the build context has no such file.")
CONTEXT = _rule("inputs-context", "The build fails: its sources are looked for in another folder.")
NO_CONTEXT = _rule("inputs-no-context", "The build fails: git knows no file in its build context.")
DEAD_GLOB = _rule(
    "inputs-dead-glob", "A glob that selects no file is misspelled or left over: nothing is built for it."
)
RULES = (MISSING, CONTEXT, NO_CONTEXT, DEAD_GLOB)

# Which of some paths git is told to ignore: the sign that something makes them.
Ignored = Callable[[Collection[str]], AbstractSet[str]]


def check_inputs(
    services: Iterable[Service], tree: Tree, configuration: ConfigurationFile, ignored: Ignored
) -> Iterator[Finding | Note]:
    """Yield what is wrong with the services' inputs."""
    contexts = Contexts(tree)
    for service in services:
        text = contexts.dockerfile(service.settings)
        if text is None:
            yield Note(Group.INPUTS, f"{service.name} is absent: {service.settings.dockerfile} is not there")
            continue
        yield from _check_paths(service, tree, configuration)
        try:
            yield from _check_sources(service, text, contexts, configuration, ignored)
        except InvalidError as error:
            yield Note(Group.INPUTS, f"{service.name}: what its Dockerfile copies cannot be told: {error.message}")


def _check_paths(service: Service, tree: Tree, configuration: ConfigurationFile) -> Iterator[Finding]:
    for glob in service.paths.globs:
        if not glob.startswith("!") and not _selects_any(glob, tree):
            place = configuration.place("services", service.name, "paths", glob)
            message = f"paths of {service.name}: {glob} selects no file"  # as `plan` says it
            fix = "name what is there, or remove it." if "*" in glob else f"name what is there; is `{glob}/**` meant?"
            yield Finding(DEAD_GLOB, *place, message, fix)


def _selects_any(glob: str, tree: Tree) -> bool:
    globs, folder = Globs((glob,)), static_folder(glob)
    candidates = tree.below(folder) or [folder]  # a submodule is a file to git
    return any(path in tree.files and globs.match(path_bytes(path)) for path in candidates)


def _check_sources(
    service: Service, text: str, contexts: Contexts, configuration: ConfigurationFile, ignored: Ignored
) -> Iterator[Finding | Note]:
    settings, files = service.settings, contexts.files(service.settings)
    place = configuration.place("services", service.name, "context")
    if not files.tracked.files:
        yield _no_context(service, place, ignored)
        return
    sources = list(context_reads(text, dict(settings.build_args)))
    reads = tuple(source for source in sources if isinstance(source, ContextRead))
    absent = [read for read in reads if files.lacks(read)]
    better = _better_context(settings, reads, contexts) if absent else None
    if better:
        names = ", ".join(dict.fromkeys(read.source for read in absent))
        message = f"{service.name}: its Dockerfile copies {names}, not there in {settings.context} but in {better}"
        yield Finding(CONTEXT, *place, message, f"write `context: {better}`.")
        return
    for source in sources:
        if isinstance(source, UnknownRead):
            what = f"{source.source} depends on a variable that has no value here"
            yield Note(Group.INPUTS, f"{settings.dockerfile}:{source.line}: {what}")
    yield from _check_absent(settings, absent, files, ignored)
    inspection = Inspection(service, contexts.tree, files, tuple(read for read in reads if read not in absent))
    for missing in missing_inputs.missing_inputs(inspection):
        yield _missing_finding(missing, inspection, configuration)
    if lost := missing_inputs.dangling_links(inspection):
        what = f"links in the image lead to nothing that git knows: {listed(lost, 1)}"
        yield Note(Group.INPUTS, f"{service.name}: {what}")


def _no_context(service: Service, place: tuple[str, int], ignored: Ignored) -> Finding | Note:
    folder = service.settings.context
    if ignored([folder]):
        return Note(Group.INPUTS, f"{service.name}: its context {folder} must be made before the build: git ignores it")
    message = f"{service.name}: no file is in its context {folder}"
    return Finding(NO_CONTEXT, *place, message, "name the folder that the Dockerfile copies from.")


def _better_context(settings: BuildSettings, reads: Iterable[ContextRead], contexts: Contexts) -> str | None:
    """Return the Dockerfile's own folder, or the next one above it, in which every source is."""
    for folder in folders_above(settings.dockerfile):
        files = contexts.files(dataclasses.replace(settings, context=folder))
        if not any(map(files.lacks, reads)):
            return folder
    return None


def _check_absent(
    settings: BuildSettings, absent: Sequence[ContextRead], files: ContextFiles, ignored: Ignored
) -> Iterator[Finding | Note]:
    """Yield what is not there, and what may be there for all we know: something makes it."""
    paths = {read: join(settings.context, read.path) for read in absent if not files.keeps_out(read.path)}
    made = ignored({*paths.values()}) if paths else frozenset[str]()
    lost: dict[int, list[ContextRead]] = {}
    for read in absent:
        if paths.get(read) in made:
            what = f"{read.source} must be made before the build: git ignores it"
            yield Note(Group.INPUTS, f"{settings.dockerfile}:{read.line}: {what}")
        else:
            lost.setdefault(read.line, []).append(read)
    yield from (_lost(settings, line, reads, files) for line, reads in lost.items())


def _lost(settings: BuildSettings, line: int, reads: list[ContextRead], files: ContextFiles) -> Finding:
    names = ", ".join(read.source for read in reads)
    message = f"{names}: not there in {'the context' if settings.context == '.' else settings.context}"
    fix = "commit it, or name a file that is there."
    if kept_out := [read.path for read in reads if files.keeps_out(read.path)]:
        message = f"{names}: kept out by {files.ignore_file}"
        fix = f"add `!{kept_out[0]}` at the end of {files.ignore_file}."
    return Finding(MISSING, settings.dockerfile, line, message, fix)


def _missing_finding(missing: MissingInputs, inspection: Inspection, configuration: ConfigurationFile) -> Finding:
    name = inspection.service.name
    message = f"{missing.message}: not among the inputs of {name}" if missing.files else f"{name}: {missing.message}"
    fix = f"add {', '.join(f'`{glob}`' for glob in missing.globs)} to the paths of {name}."
    if missing.rule is CONTEXT_COPIED:
        kept = inspection.files.ignore_file or inspection.service.settings.own_ignore_file
        fix = f"{fix[:-1]}, with a `!…` for what does not matter; or keep the rest out by {kept}."
    if missing.rule is LINKED:  # a link has no line that a comment could stand on
        place = configuration.place("services", name, "paths")
        return Finding(LINKED, *place, message, fix if missing.globs else "mend or remove the link.")
    return Finding(missing.rule, missing.path, missing.line, message, fix)
