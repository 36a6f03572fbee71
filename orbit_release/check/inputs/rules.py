"""Rules about what images are built from: everything that goes into one must be among its service's inputs."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

from orbit_release.check.configuration import ConfigurationFile
from orbit_release.check.finding import Finding, Group, Note, Rule
from orbit_release.check.generated import is_generated
from orbit_release.check.inputs.context_files import ContextFiles, context_files, join, static_folder, whole_tree
from orbit_release.check.inputs.context_reads import Read, UnknownRead, context_reads
from orbit_release.check.inputs.gaps import CONTEXT_COPIED, LINKED, Gap, Inspection, dangling, gaps
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError
from orbit_release.globs import Globs, quoted
from orbit_release.manifests.names import ENDINGS
from orbit_release.service import BuildSettings, Service

MISSING = Rule("inputs-missing", Group.INPUTS, "The build fails: the build context has no such file.")
CONTEXT = Rule("inputs-context", Group.INPUTS, "The build fails: its sources are looked for in another folder.")
NO_CONTEXT = Rule("inputs-no-context", Group.INPUTS, "The build fails: git knows no file in its build context.")
DEAD_GLOB = Rule(
    "inputs-dead-glob", Group.INPUTS, "A glob that selects no file is misspelled or left over: nothing is built for it."
)
MANIFESTS = Rule(
    "inputs-manifests",
    Group.INPUTS,
    "A release changes the manifests: were they inputs, each release would ask for the next one, without end.",
)
RULES = (MISSING, CONTEXT, NO_CONTEXT, DEAD_GLOB, MANIFESTS)


_Contexts = Callable[[str, str], ContextFiles]


def inputs_findings(
    services: Iterable[Service], tree: Tree, configuration: ConfigurationFile, manifests: str
) -> Iterator[Finding | Note]:
    """Yield what is wrong with the services' inputs; `manifests` is the folder that releases change."""
    contexts: _Contexts = cache(partial(context_files, tree))
    for service in services:
        text = dockerfile_text(tree, service.settings.dockerfile)
        if text is None:
            yield Note(Group.INPUTS, f"{service.name} is absent: {service.settings.dockerfile} is not there")
            continue
        yield from _paths(service, tree, configuration, manifests)
        try:
            yield from _sources(service, tree, configuration, text, contexts)
        except InvalidError as error:
            yield Note(Group.INPUTS, f"{service.name}: what its Dockerfile copies cannot be told: {error.message}")


def dockerfile_text(tree: Tree, path: str) -> str | None:
    """Return a Dockerfile's text, over links too; None if it is not there."""
    real = whole_tree(tree).real(path)
    return tree.read(real).decode("utf-8", "replace") if tree.files.get(real, "") is None else None


def ignore_file(tree: Tree, settings: BuildSettings) -> str:
    """Return the ignore file that counts; `""`: there is none."""
    names = (settings.own_ignore_file, settings.context_ignore_file)
    return next((name for name in names if tree.files.get(name, "") is None), "")


def _paths(service: Service, tree: Tree, configuration: ConfigurationFile, manifests: str) -> Iterator[Finding]:
    place = ("services", service.name, "paths")
    for glob in service.paths.globs:
        if not glob.startswith("!") and not _selects(glob, tree):
            message = f"{service.name}: no file is selected by `{glob}`"
            yield Finding(DEAD_GLOB, configuration.path, configuration.line(*place, glob), message, _dead_fix(glob))
    candidates = tree.below(manifests) if _meet(service, manifests) else []
    written = [path for path in candidates if path.endswith(ENDINGS)]  # a release changes nothing else
    deployed = [path for path in written if service.paths.match(_bytes(path))]
    if deployed:
        message = f"{service.name}: the manifests are among the inputs, {deployed[0]} for one"
        fix = f"end the list with `{_everything_but(manifests)}`."
        yield Finding(MANIFESTS, configuration.path, configuration.line(*place), message, fix)


def _meet(service: Service, manifests: str) -> bool:
    """Whether a glob could select a manifest, for all that its first folders say; at the root nobody can tell."""
    folders = [static_folder(glob) for glob in service.paths.globs if not glob.startswith("!")]
    return manifests != "." and any(folder == "." or _touch(folder, manifests) for folder in folders)


def _touch(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _everything_but(folder: str) -> str:
    return f"!{quoted(folder)}/**"


def _dead_fix(glob: str) -> str:
    return "name what is there, or remove it." if "*" in glob else f"name what is there; is `{glob}/**` meant?"


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _selects(glob: str, tree: Tree) -> bool:
    globs, folder = Globs((glob,)), static_folder(glob)
    candidates = tree.below(folder) or [folder]  # a submodule is a file to git
    return any(path in tree.files and globs.match(_bytes(path)) for path in candidates)


def _sources(
    service: Service, tree: Tree, configuration: ConfigurationFile, text: str, contexts: _Contexts
) -> Iterator[Finding | Note]:
    settings = service.settings
    files = contexts(settings.context, ignore_file(tree, settings))
    if not files.tracked.files:
        yield _no_context(service, tree, configuration)
        return
    sources = list(context_reads(text, dict(settings.build_args)))
    reads = tuple(source for source in sources if isinstance(source, Read))
    absent = [read for read in reads if files.lacks(read)]
    better = _better_context(tree, settings, reads, contexts) if absent else None
    if better:
        yield _wrong_context(service, configuration, absent, better)
        return
    yield from _unread(settings, sources, absent, files, tree)
    inspection = Inspection(service, tree, files, tuple(read for read in reads if read not in absent))
    yield from (_gap_finding(gap, inspection, configuration) for gap in gaps(inspection))
    lost = dangling(inspection)
    if lost:
        names = f"{lost[0]} and {len(lost) - 1} more" if lost[1:] else lost[0]
        yield Note(Group.INPUTS, f"{service.name}: links in the image lead to nothing that git knows: {names}")


def _no_context(service: Service, tree: Tree, configuration: ConfigurationFile) -> Finding | Note:
    folder = service.settings.context
    if is_generated(tree, folder):
        return Note(Group.INPUTS, f"{service.name}: its context {folder} must be made before the build: git ignores it")
    line = configuration.line("services", service.name, "context")
    message = f"{service.name}: no file is in its context {folder}"
    return Finding(NO_CONTEXT, configuration.path, line, message, "name the folder that the Dockerfile copies from.")


def _better_context(tree: Tree, settings: BuildSettings, reads: Iterable[Read], contexts: _Contexts) -> str | None:
    """Return the Dockerfile's own folder, or the next one above it, in which every source is."""
    folder = posixpath.dirname(settings.dockerfile) or "."
    while True:
        other = dataclasses.replace(settings, context=folder)
        files = contexts(folder, ignore_file(tree, other))
        if not any(map(files.lacks, reads)):
            return folder
        if folder == ".":
            return None
        folder = posixpath.dirname(folder) or "."


def _wrong_context(service: Service, configuration: ConfigurationFile, absent: Iterable[Read], better: str) -> Finding:
    names = ", ".join(dict.fromkeys(read.source for read in absent))
    message = f"{service.name}: its Dockerfile copies {names}, not there in {service.settings.context} but in {better}"
    line = configuration.line("services", service.name, "context")
    return Finding(CONTEXT, configuration.path, line, message, f"write `context: {better}`.")


def _unread(
    settings: BuildSettings,
    sources: Iterable[Read | UnknownRead],
    absent: Iterable[Read],
    files: ContextFiles,
    tree: Tree,
) -> Iterator[Finding | Note]:
    """Yield what is not there, and what may be there for all we know."""
    for source in sources:
        place = f"{settings.dockerfile}:{source.line}"
        if isinstance(source, UnknownRead):
            yield Note(Group.INPUTS, f"{place}: {source.source} depends on a variable that has no value here")
    lost: dict[int, list[Read]] = {}
    for read in absent:
        if files.keeps_out(read.path) or not is_generated(tree, join(settings.context, read.path)):
            lost.setdefault(read.line, []).append(read)
        else:
            message = f"{settings.dockerfile}:{read.line}: {read.source} must be made before the build: git ignores it"
            yield Note(Group.INPUTS, message)
    yield from (_missing(settings, line, reads, files) for line, reads in lost.items())


def _missing(settings: BuildSettings, line: int, reads: list[Read], files: ContextFiles) -> Finding:
    names = ", ".join(read.source for read in reads)
    kept_out = [read.path for read in reads if files.keeps_out(read.path)]
    where = "the context" if settings.context == "." else settings.context
    if kept_out:
        message = f"{names}: kept out by {files.ignore_file}"
        fix = f"add `!{kept_out[0]}` at the end of {files.ignore_file}."
    else:
        message = f"{names}: not there in {where}"
        fix = "commit it, or name a file that is there."
    return Finding(MISSING, settings.dockerfile, line, message, fix)


def _gap_finding(gap: Gap, inspection: Inspection, configuration: ConfigurationFile) -> Finding:
    name = inspection.service.name
    message = f"{gap.message}: not among the inputs of {name}" if gap.files else f"{name}: {gap.message}"
    fix = f"add {', '.join(f'`{glob}`' for glob in gap.globs)} to the paths of {name}."
    if gap.rule is CONTEXT_COPIED:
        kept = inspection.files.ignore_file or inspection.service.settings.own_ignore_file
        fix = f"{fix[:-1]}, with a `!…` for what does not matter; or keep the rest out by {kept}."
    if gap.rule is LINKED:  # a link has no line that a comment could stand on
        line = configuration.line("services", name, "paths")
        return Finding(LINKED, configuration.path, line, message, fix if gap.globs else "mend or remove the link.")
    return Finding(gap.rule, gap.path, gap.line, message, fix)
