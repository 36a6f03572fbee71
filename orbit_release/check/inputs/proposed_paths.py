"""The globs that a service's Dockerfile asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orbit_release.check.inputs.context_files import ContextFiles, Contexts
from orbit_release.check.inputs.context_reads import ContextRead, context_reads
from orbit_release.check.inputs.missing_inputs import Inspection, missing_inputs
from orbit_release.check.tree import Tree, path_bytes
from orbit_release.globs import Globs, quoted
from orbit_release.image import Repository
from orbit_release.manifests.objects import ENDINGS
from orbit_release.service import BuildSettings, Service

_NOTHING = "\x00"  # a glob, for there must be one, that selects no file
_NOBODY = Repository("localhost/proposal")


def propose_paths(settings: BuildSettings, contexts: Contexts, manifests: str) -> list[str]:
    """Return globs for `paths` with which the rules about inputs are content; the Dockerfile itself for none.

    InvalidError if a pattern in the Dockerfile or its ignore file is not valid.
    """
    text, files = contexts.dockerfile(settings) or "", contexts.files(settings)
    reads = tuple(read for read in context_reads(text, dict(settings.build_args)) if isinstance(read, ContextRead))
    globs: list[str] = []
    while more := _missing_globs(settings, globs, contexts.tree, files, reads):  # what becomes an input may be a link
        globs += more
    needed = _without_covered(globs) or [quoted(settings.dockerfile)]
    return _without_manifests(needed, globs, contexts.tree, manifests)


def _missing_globs(
    settings: BuildSettings, globs: Sequence[str], tree: Tree, files: ContextFiles, reads: tuple[ContextRead, ...]
) -> list[str]:
    service = Service("proposal", _NOBODY, Globs(tuple(globs) or (_NOTHING,)), settings)
    inspection = Inspection(service, tree, files, reads)
    more = dict.fromkeys(glob for missing in missing_inputs(inspection) for glob in missing.globs)
    return [glob for glob in more if glob not in globs]


def _without_manifests(needed: Sequence[str], globs: Iterable[str], tree: Tree, folder: str) -> list[str]:
    """Deselect the manifests' folder behind the globs, and select again what no release can change there."""
    inside = [glob for glob in dict.fromkeys(globs) if glob.startswith(f"{quoted(folder)}/")]
    kept = [glob for glob in inside if not any(path.endswith(ENDINGS) for path in _selected([glob], tree, folder))]
    others = [glob for glob in needed if glob not in kept]
    if folder == "." or not (others and _selected(others, tree, folder)):
        return list(needed)
    return [*others, f"!{quoted(folder)}/**", *kept]


def _selected(globs: Iterable[str], tree: Tree, folder: str) -> list[str]:
    selected = Globs(tuple(globs))
    return [path for path in tree.below(folder) if selected.match(path_bytes(path))]


def _without_covered(globs: Iterable[str]) -> list[str]:
    """Leave out what is in a folder, or in the folder of a folder, that is selected as a whole."""
    unique = list(dict.fromkeys(globs))
    folders = [glob.removesuffix("**") for glob in unique if glob.endswith("**")]
    return [glob for glob in unique if not any(glob.startswith(folder) and glob != f"{folder}**" for folder in folders)]
