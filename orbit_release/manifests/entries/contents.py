"""What the entries at a path hold, each read once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from orbit_release.manifests.entries.applied_files import Entries
from orbit_release.manifests.entries.content import Content, plain_content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.files import is_overrides_file, is_values_file
from orbit_release.manifests.names import Names
from orbit_release.manifests.object_images import FieldSpec

if TYPE_CHECKING:
    from orbit_release.manifests.entries.simple import SimpleEntry


def contents_of(
    entries: Entries,
    files: Files,
    names: Names,
    specs: Sequence[FieldSpec],
    among: Collection[str] | None = None,
    *,
    apart: bool = False,
) -> Iterator[Content]:
    """Yield what entries hold; `among`: only what is made of some of these files.

    `apart`: the files of a kustomization one by one, where that is possible; what runs the images is left out then.
    """
    reached: set[str] = set()
    for path in entries.kustomizations:
        simple = files.once(f"{path}\0", partial(_simple, path, files), _made_of(path)) if apart else None
        if simple:
            reached |= simple.files
            yield from simple.contents(files, names, specs, among)
            continue
        content = files.once(path, partial(_kustomized, path, files, specs), _files)
        reached |= content.files
        if among is None or not content.files.isdisjoint(among):
            yield content
    others = entries.others if among is None else [path for path in among if path in entries.others]
    left = [path for path in others if path not in reached]
    if any(map(_is_helms, left)) or entries.is_file:
        yield from _charts(entries, files, [path for path in entries.others if path not in reached], among)
    for path in left:
        if not (entries.is_rooted or _is_helms(path)) or (entries.is_file and _is_object(path, files)):
            yield files.once(path, partial(plain_content, path, files, names, specs), _files)


def files_of(entries: Entries, files: Files, specs: Sequence[FieldSpec]) -> set[str]:
    """Return the files that kustomizations are made of, wherever these lie."""
    made_of: set[str] = set()
    for path in entries.kustomizations:
        simple = files.once(f"{path}\0", partial(_simple, path, files), _made_of(path))
        whole = None if simple else files.once(path, partial(_kustomized, path, files, specs), _files)
        made_of |= simple.files if simple else whole.files if whole else set()
    return made_of


def _charts(entries: Entries, files: Files, paths: Sequence[str], among: Collection[str] | None) -> Iterator[Content]:
    from orbit_release.manifests.entries.charts import (  # noqa: PLC0415  (plain manifests need none of it)
        chart_content,
        charts_below,
        overrides_content,
        values_file_content,
    )

    overrides, values = (
        [path for path in paths if is_overrides_file(path)],
        [path for path in paths if is_values_file(path)],
    )
    if entries.is_file:
        values = [path for path in paths if not (is_overrides_file(path) or _is_object(path, files))]
        groups = [(path, partial(values_file_content, path, files)) for path in values]
    else:
        listed = (group for group in charts_below(values, files))
        groups = [(group[0], partial(chart_content, group, files)) for group in listed]
    groups += [(path, partial(overrides_content, path, files)) for path in overrides]
    for path, make in groups:
        content = files.once(path, make, _files)
        if among is None or not content.files.isdisjoint(among):
            yield content


def _is_helms(path: str) -> bool:
    return is_values_file(path) or is_overrides_file(path)


def _is_object(path: str, files: Files) -> bool:
    """Whether a file holds Kubernetes objects, and no Helm values."""
    parsed = files.parsed(path)
    return parsed is None or parsed.fault is not None or any(obj.get("kind") for obj in parsed.objects)


def _kustomized(path: str, files: Files, specs: Sequence[FieldSpec]) -> Content:
    from orbit_release.manifests.entries.kustomized import kustomized  # noqa: PLC0415  (nor of that)

    return kustomized(path, files, specs)


def _simple(path: str, files: Files) -> SimpleEntry | None:
    from orbit_release.manifests.entries.simple import simple_entry  # noqa: PLC0415

    return simple_entry(path, files)


def _made_of(path: str) -> Callable[[SimpleEntry | None], Collection[str]]:
    """Return how to tell which files make an entry simple; one that is not is looked at again each time."""
    return lambda entry: entry.kustomizations if entry else (path,)


def _files(content: Content) -> Collection[str]:
    return content.files
