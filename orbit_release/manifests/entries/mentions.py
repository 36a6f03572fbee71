"""Where images are named and no release changes it: an argument, an annotation, a custom resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orbit_release.image import Repository
from orbit_release.manifests.entries.files import Files, ParsedFile
from orbit_release.manifests.names import Names, references_in
from orbit_release.manifests.objects import ENDINGS, is_kustomization
from orbit_release.manifests.texts.written import Written
from orbit_release.manifests.texts.yaml_nodes import scalars


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that holds a reference; `where` is `path:line`."""

    repository: Repository
    where: str
    text: str


def mentions_in(paths: Collection[str], files: Files, names: Names, known: Collection[Written]) -> Iterator[Mention]:
    """Yield the references with a tag or a digest in the values of files that are none of those which are known."""
    starts = {(value.text.path, value.start) for value in map(_outermost, known)}
    counts = Counter(path for path, _ in starts)
    for path in sorted(paths):
        data = files.read(path) or b""
        if len(list(references_in(data, names))) <= counts[path]:
            continue
        parsed = files.parsed(path) if path.endswith(ENDINGS) or is_kustomization(path) else None
        yield from _in_file(parsed, names, starts) if parsed else _in_lines(path, data, names)


def _in_file(parsed: ParsedFile, names: Names, starts: Collection[tuple[str, int]]) -> Iterator[Mention]:
    seen: set[int] = set()
    for document in parsed.documents:
        for _, scalar in scalars(document.root):
            value = Written(parsed.text, scalar)
            if id(scalar) in seen or (parsed.text.path, value.start) in starts:
                continue
            seen.add(id(scalar))
            for repository, reference in references_in(value.value.encode("utf-8", "surrogatepass"), names):
                yield Mention(repository, value.where, reference)


def _in_lines(path: str, data: bytes, names: Names) -> Iterator[Mention]:
    """Yield the references in a file that is no YAML, such as one of environment variables."""
    for number, line in enumerate(data.split(b"\n"), 1):
        for repository, reference in references_in(line, names):
            yield Mention(repository, f"{path}:{number}", reference)


def _outermost(value: Written) -> Written:
    return value if value.text.inside is None else _outermost(value.text.inside)


def first_places(names: Names, paths: Collection[str], files: Files) -> dict[Repository, str]:
    """Return `path:line` of the first place in files that names a repository, whatever names it."""
    places: dict[Repository, str] = {}
    for path in sorted(paths):
        data = files.read(path) or b""
        for repository in names.named_in(data) - places.keys():
            lines = enumerate(data.replace(b"\0", b"").split(b"\n"), 1)
            number = next((number for number, line in lines if repository in names.named_in(line)), 1)
            places[repository] = f"{path}:{number}"
    return places
