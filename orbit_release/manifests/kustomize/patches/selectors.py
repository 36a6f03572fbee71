"""Which objects the `target` of a patch selects: by regular expressions of their ids, labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from orbit_release.manifests.kustomize.fields import Fields
from orbit_release.manifests.kustomize.resource import Resource

# Go's expressions never take long; Python's may. Those that do not are simple: few repetitions, none of a group.
_SIMPLE = re.compile(r"(?:[\w./ ^$|-]|\\[.dws-]|\.?[*+?](?![*+?])|\[[\w.-]+\]|\((?:\?:)?|\)(?![*+?{]))*", re.ASCII)
_MOST_REPEATS = 3
_LONGEST_NAMES = 600  # more than Kubernetes allows
_LONGEST_SELECTOR = 5_000
_PLAIN = re.compile(r"[\w-]*", re.ASCII)
_IN = re.compile(r"\s*(?P<key>[\w./-]+)\s+(?P<not>not)?in\s+\((?P<values>[^()]*)\)\s*", re.ASCII)
_EQUAL = re.compile(r"\s*(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)\s*", re.ASCII)
_EXISTS = re.compile(r"\s*(?P<not>!)?\s*(?P<key>[\w./-]+)\s*", re.ASCII)
_COMMA = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True)
class Selector:
    """A selector; `matches` answers None where it cannot be told."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: str = ""
    annotations: str = ""

    @classmethod
    def read(cls, fields: Fields) -> Selector:
        keys = ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
        return cls(*map(fields.string, keys))

    @cached_property
    def plain_name(self) -> str:
        """The name, where it is no expression; else ""."""
        return self.name if _PLAIN.fullmatch(self.name) else ""

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str] | None, ...] | None:
        texts = (self.group, self.version, self.kind, self.name, self.namespace)
        if not all(map(_is_simple, texts)):
            return None
        try:
            return tuple(re.compile(f"(?:{text})", re.ASCII) if text else None for text in texts)
        except re.error:
            return None

    def selected(self, resources: Iterable[Resource]) -> Iterator[tuple[Resource, bool]]:
        """Yield the objects that it selects, and whether that is certain."""
        for resource in resources:
            answer = self.matches(resource)
            if answer is not False:
                yield resource, answer is True

    def matches(self, resource: Resource) -> bool | None:
        if self._patterns is None or len(resource.name) + len(resource.namespace) > _LONGEST_NAMES:
            return None
        now, then = resource.id, resource.ids[0]
        group, version, kind, name, namespace = self._patterns
        if not (_fits(group, now.group) and _fits(version, now.version) and _fits(kind, now.kind)):
            return False
        if not _fits(name, then.name, now.name):
            return False
        spaces = (then.namespace or "_non_namespaceable_", now.namespace or "_non_namespaceable_")
        if not _fits(namespace, *spaces):
            return False
        labels = _answer(self.labels, resource, "labels")
        annotations = _answer(self.annotations, resource, "annotations")
        return None if labels is not False and annotations is None else labels and annotations


def _answer(text: str, resource: Resource, kind: str) -> bool | None:
    return selects(text, resource.all_labels(kind)) if text else True


def _is_simple(text: str) -> bool:
    repeats = sum(text.count(sign) for sign in "*+?") - text.count("(?:")
    return repeats <= _MOST_REPEATS and _SIMPLE.fullmatch(text) is not None


def _fits(pattern: re.Pattern[str] | None, *texts: str) -> bool:
    return pattern is None or any(pattern.fullmatch(text) for text in texts)


def selects(text: str, labels: Mapping[str, str]) -> bool | None:
    """Whether a selector (`a=b,c in (d, e),!f`) selects labels; None where it cannot be read."""
    if len(text) > _LONGEST_SELECTOR:
        return None
    answers = [_requirement(part, labels) for part in _COMMA.split(text)]
    if any(answer is None for answer in answers):
        return None
    return all(answers)


def _requirement(text: str, labels: Mapping[str, str]) -> bool | None:
    if match := _IN.fullmatch(text):
        values = {value.strip() for value in match["values"].split(",")}
        is_in = labels.get(match["key"]) in values
        return not is_in if match["not"] else is_in
    if match := _EQUAL.fullmatch(text):
        is_equal = labels.get(match["key"]) == match["value"]
        return not is_equal if match["op"] == "!=" else is_equal
    if match := _EXISTS.fullmatch(text):
        return (match["key"] in labels) != bool(match["not"])
    return None
