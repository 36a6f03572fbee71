"""What the entries at a path hold, each read once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
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
    unread: bool = True,
) -> Iterator[Content]:
    """Yield what entries hold; `among`: only what is made of some of these files.

    `apart`: the files of a kustomization one by one, where that is possible; what runs the images is left out then.
    `unread`: tell also of its files that cannot be read and name no service.
    """
    reached: set[str] = set()
    for path in entries.kustomizations:
        simple = _simple(path, files) if apart else None
        if simple:
            reached |= simple.files
            yield from simple.contents(files, names, specs, among)
            if unread:
                yield Content(frozenset(), faults=simple.unreadable(files))
        else:
            content = _kustomized(path, files, specs)
            reached |= content.files
            yield from _only([content], among)
    others = entries.others if among is None else [path for path in among if path in entries.others]
    left = [path for path in others if path not in reached]
    if entries.is_file or any(map(_is_helms, left)):
        yield from _only(_charts(entries, files, [path for path in entries.others if path not in reached]), among)
    for path in left:
        if not (entries.is_rooted or _is_helms(path)) or (entries.is_file and _is_object(path, files)):
            yield files.once(path, partial(plain_content, path, files, names, specs), _files)


def _only(contents: Iterable[Content], among: Collection[str] | None) -> Iterator[Content]:
    return (content for content in contents if among is None or not content.files.isdisjoint(among))


def files_of(entries: Entries, files: Files, specs: Sequence[FieldSpec]) -> set[str]:
    """Return the files that kustomizations are made of, wherever these lie."""
    made_of = (_simple(path, files) or _kustomized(path, files, specs) for path in entries.kustomizations)
    return {file for entry in made_of for file in entry.files}


def _charts(entries: Entries, files: Files, paths: Sequence[str]) -> Iterator[Content]:
    from orbit_release.manifests.entries.charts import (  # noqa: PLC0415  (plain manifests need none of it)
        chart_content,
        charts_below,
        overrides_content,
        values_file_content,
    )

    if entries.is_file:
        for path in paths:
            if not (is_overrides_file(path) or _is_object(path, files)):
                yield files.once(path, partial(values_file_content, path, files), _files)
    else:
        for group in charts_below(filter(is_values_file, paths), files):
            yield files.once(group[0], partial(chart_content, group, files), _files)
    for path in filter(is_overrides_file, paths):
        yield files.once(path, partial(overrides_content, path, files), _files)


def _is_helms(path: str) -> bool:
    return is_values_file(path) or is_overrides_file(path)


def _is_object(path: str, files: Files) -> bool:
    """Whether a file holds Kubernetes objects, and no Helm values."""
    parsed = files.parsed(path)
    return parsed is None or parsed.fault is not None or any(obj.get("kind") for obj in parsed.objects)


def _kustomized(path: str, files: Files, specs: Sequence[FieldSpec]) -> Content:
    from orbit_release.manifests.entries.kustomized import kustomized  # noqa: PLC0415  (nor of that)

    return files.once(path, partial(kustomized, path, files, specs), _files)


def _simple(path: str, files: Files) -> SimpleEntry | None:
    """Return a kustomization that can be read file by file; None where it has to be rendered, which is always right."""
    from orbit_release.manifests.entries.simple import simple_entry  # noqa: PLC0415

    make = partial(simple_entry, path, files)
    return files.once(f"{path}\0", make, lambda entry: entry.kustomizations if entry else (path,))


def _files(content: Content) -> Collection[str]:
    return content.files
