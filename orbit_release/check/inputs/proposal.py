"""The globs that a service's Dockerfile asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orbit_release.check.inputs.context_files import ContextFiles, context_files
from orbit_release.check.inputs.context_reads import Read, context_reads
from orbit_release.check.inputs.gaps import Inspection, gaps
from orbit_release.check.inputs.rules import dockerfile_text, ignore_file
from orbit_release.check.tree import Tree
from orbit_release.globs import Globs, quoted
from orbit_release.image import Repository
from orbit_release.manifests.names import ENDINGS
from orbit_release.service import BuildSettings, Service

_NOTHING = "\x00"  # a glob, for there must be one, that selects no file
_NOBODY = Repository("localhost/proposal")


def propose_paths(settings: BuildSettings, tree: Tree, manifests: str) -> list[str]:
    """Return globs for `paths` with which the rules about inputs are content; the Dockerfile itself for none.

    InvalidError if a pattern in the Dockerfile or its ignore file is not valid.
    """
    text = dockerfile_text(tree, settings.dockerfile) or ""
    files = context_files(tree, settings.context, ignore_file(tree, settings))
    reads = tuple(read for read in context_reads(text, dict(settings.build_args)) if isinstance(read, Read))
    everything: list[str] = []
    while more := _missing(settings, everything, tree, files, reads):  # what becomes an input may be a link
        everything += more
    found = _without_covered(everything) or [quoted(settings.dockerfile)]
    return _without_manifests(found, everything, tree, manifests)


def _missing(
    settings: BuildSettings, globs: Sequence[str], tree: Tree, files: ContextFiles, reads: tuple[Read, ...]
) -> list[str]:
    """Return the globs that close the gaps which others leave."""
    service = Service("proposal", _NOBODY, Globs(tuple(globs) or (_NOTHING,)), settings)
    closing = (glob for gap in gaps(Inspection(service, tree, files, reads)) for glob in gap.globs)
    return [glob for glob in dict.fromkeys(closing) if glob not in globs]


def _without_manifests(found: Sequence[str], everything: Iterable[str], tree: Tree, folder: str) -> list[str]:
    """Deselect the manifests' folder behind the globs, and select again what no release can change there."""
    kept = [glob for glob in dict.fromkeys(everything) if _is_beside_manifests(glob, tree, folder)]
    others = [glob for glob in found if glob not in kept]
    if folder == "." or not (others and _selected(others, tree, folder)):
        return list(found)
    return [*others, f"!{quoted(folder)}/**", *kept]


def _is_beside_manifests(glob: str, tree: Tree, folder: str) -> bool:
    """Whether a glob selects in the folder of the manifests alone, and there no manifest."""
    inside = glob.startswith(f"{quoted(folder)}/")
    return inside and not any(path.endswith(ENDINGS) for path in _selected([glob], tree, folder))


def _selected(globs: Iterable[str], tree: Tree, folder: str) -> list[str]:
    selected = Globs(tuple(globs))
    return [path for path in tree.below(folder) if selected.match(path.encode("utf-8", "surrogateescape"))]


def _without_covered(globs: Iterable[str]) -> list[str]:
    """Leave out what is in a folder, or in the folder of a folder, that is selected as a whole."""
    unique = list(dict.fromkeys(globs))
    folders = [glob.removesuffix("**") for glob in unique if glob.endswith("**")]
    return [glob for glob in unique if not any(glob.startswith(folder) and glob != f"{folder}**" for folder in folders)]
