"""Proof, by parsing again, that certain scalars or comments of a YAML text changed and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, pairwise
from typing import Any, TypeAlias

import yaml

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.splice import Replacement, span
from orbit_release.manifests.texts.written import Text

# Kind, anchor, tag and value of every event: all that a reader can learn from a text, style and place apart.
_Events: TypeAlias = list[tuple[str | None, ...]]
_FIELDS = ("anchor", "tag", "value")


def prove(before: Text, after: str, replacements: Iterable[Replacement]) -> None:
    """Raise InvalidError unless two parsers see the replacements, and nothing else but comments, in `after`."""
    expected = sorted(replacements, key=lambda change: nodes.start_of(change.scalar))
    values = [(change.scalar.value, change.value) for change in expected]
    if not _is_proven(before.text, after, values, before.path):
        first = nodes.start_of(expected[0].scalar) if expected else common_length(before.text, after)
        what = "image references" if expected else "comments"
        raise unproven(f"{before.path}:{before.line(first)}", what)


def common_length(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    differing = (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differing, min(len(one), len(other)))


def unproven(where: str, what: str) -> InvalidError:
    """Return the error of a change that may do more than it should."""
    hint = "Edit this file by hand, or write it in plainer YAML."
    return InvalidError(f"{where}: cannot prove that only the {what} would change", hint)


def _is_proven(before: str, after: str, values: list[tuple[str, str]], path: str) -> bool:
    try:
        changed = _changes(_reading(nodes.events(before)), _reading(nodes.events(after)))
        return _confirmed(before, after, path) and changed == values
    except (yaml.YAMLError, ValueError, InvalidError):
        return False


def _reading(stream: Iterable[Any]) -> _Events:
    return [(type(event).__name__, *(getattr(event, name, None) for name in _FIELDS)) for event in stream]


def _changes(before: _Events, after: _Events) -> list[tuple[str, str]]:
    """Return the values that differ, old and new; ValueError when anything but values does."""
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    if any(old[:-1] != new[:-1] for old, new in pairs):
        raise ValueError
    return [(old[-1] or "", new[-1] or "") for old, new in pairs]


def _confirmed(before: str, after: str, path: str) -> bool:
    """Whether a second parser that reads the changed documents as the first does still does so afterwards."""
    documents = zip(nodes.parse(before, path), nodes.parse(after, path), strict=True)
    texts = ((before[old.start : old.end], after[new.start : new.end]) for old, new in documents)
    changed = ((_without_tabs(old), _without_tabs(new)) for old, new in texts if old != new)
    return all(_agrees(_second_reader(old), new) for old, new in changed)


def _second_reader(text: str) -> Callable[[str], _Events]:
    """ruamel.yaml; where it refuses what Kubernetes' own parser accepts, the one written in Python."""
    return _ruamel if _agrees(_ruamel, text) else _pure


def _agrees(reader: Callable[[str], _Events], text: str) -> bool:
    try:
        return reader(text) == _reading(nodes.events(text))
    except Exception:  # noqa: BLE001 - whatever a reader stumbles over, it confirms nothing
        return False


def _ruamel(text: str) -> _Events:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only an edit pays for the import

    return _reading(YAML(typ="safe", pure=True).parse(text))


def _pure(text: str) -> _Events:
    return _reading(yaml.parse(text, Loader=yaml.SafeLoader))


def _without_tabs(text: str) -> str:
    """Return the text with a space for every tab between scalars: ruamel.yaml refuses these legal tabs."""
    if "\t" not in text:
        return text
    values = ((span(text, scalar)[0], nodes.end_of(scalar)) for scalar in nodes.scalars_of(text))
    edges = [0, *chain.from_iterable(values), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    pieces[::2] = [piece.replace("\t", " ") for piece in pieces[::2]]
    return "".join(pieces)
