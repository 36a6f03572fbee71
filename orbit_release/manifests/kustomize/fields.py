"""Mappings of a kustomization, read as kustomize reads them: through JSON, into fields that have types."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode

# What the reader of kustomize (go-yaml 2) takes for a boolean or a number.
_BOOLEAN = re.compile(r"y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE|n|N|no|No|NO|off|Off|OFF|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[0-9]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TEXT_TAG = "tag:yaml.org,2002:str"


def is_string(scalar: Scalar) -> bool:
    """Whether kustomize takes a scalar for text."""
    if scalar.tag is not None:
        return scalar.tag in ("!", _TEXT_TAG)
    value = scalar.value
    if scalar.style or not value:
        return bool(scalar.style)
    if _BOOLEAN.fullmatch(value) or nodes.is_null(scalar):
        return False
    return not _is_number(value.replace("_", "") if value[0] in "-+.0123456789" else value)


def _is_number(value: str) -> bool:
    if _INTEGER.fullmatch(value) or _NO_NUMBER.fullmatch(value):
        return True
    return _FLOAT.fullmatch(value) is not None and math.isfinite(float(value))


def place(text: Text, node: Node) -> str:
    """Return `path:line` of a node."""
    if isinstance(node, Scalar):
        return Written(text, node).where
    return f"{text.path}:{text.first_line + nodes.line(node) - 1}"


def fault(text: Text, node: Node, why: str, hint: str = "") -> InvalidError:
    return InvalidError(f"{place(text, node)}: {why}", hint or "`kubectl kustomize` refuses it: correct the file.")


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping and the text that it stands in; names count in any case, as they do for Go."""

    text: Text
    node: MappingNode
    values: dict[str, Node]

    @classmethod
    def read(cls, text: Text, node: Node, what: str) -> Fields:
        """Read a mapping; InvalidError where it is none, or where a key is repeated."""
        if not isinstance(node, MappingNode):
            raise fault(text, node, f"{what} must be a mapping")
        values: dict[str, Node] = {}
        for key, value in nodes.pairs(node):
            values.setdefault(key.value.lower(), value)
        own = [key for key, _ in node.entries() if isinstance(key, Scalar)]
        seen: set[str] = set()
        for key in own:
            if key.value.lower() in seen:
                hint = "Remove one of the two: readers disagree about which one counts."
                raise fault(text, key, f"repeated key {key.value!r}", hint)
            seen.add(key.value.lower())
        return cls(text, node, values)

    def get(self, name: str) -> Node | None:
        """Return a value; None for null, and where there is none."""
        value = self.values.get(name.lower())
        return None if isinstance(value, Scalar) and nodes.is_null(value) else value

    def written(self, name: str) -> Written | None:
        """Return a text; None for an empty one, and where there is none. InvalidError where it is none."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, Scalar) or not is_string(value):
            raise fault(self.text, value, f"{name} must be text", "Put it in quotes.")
        return Written(self.text, value) if value.value else None

    def scalar(self, name: str) -> Written | None:
        """Return a value that is a number or a text; None for an empty one, and where there is none."""
        value = self.get(name)
        if value is not None and not isinstance(value, Scalar):
            raise fault(self.text, value, f"{name} must be text", "Put it in quotes.")
        return Written(self.text, value) if value and value.value else None

    def string(self, name: str) -> str:
        value = self.written(name)
        return str(value.scalar.value) if value else ""

    def is_true(self, name: str) -> bool:
        value = self.get(name)
        return isinstance(value, Scalar) and value.value.lower() in ("true", "yes", "on", "y")

    def items(self, name: str) -> list[Node]:
        """Return a list; InvalidError where it is none."""
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, SequenceNode):
            raise fault(self.text, value, f"{name} must be a list")
        return list(value)

    def strings(self, name: str) -> Iterator[Written]:
        for item in self.items(name):
            if not isinstance(item, Scalar) or not is_string(item):
                raise fault(self.text, item, f"{name} must be a list of texts")
            yield Written(self.text, item)

    def mappings(self, name: str, known: Collection[str] = ()) -> list[Fields]:
        """Return a list of mappings; InvalidError where they have other fields than the `known` ones, if there are."""
        return [Fields.read(self.text, item, name).but_only(known) for item in self.items(name)]

    def mapping(self, name: str) -> Fields | None:
        value = self.get(name)
        return None if value is None else Fields.read(self.text, value, name)

    def but_only(self, known: Collection[str]) -> Fields:
        """Return the fields; InvalidError where one is not among the known ones, if these are given."""
        for key, node in self.values.items():
            if known and key not in known:
                raise fault(self.text, node, f"unknown field {key!r}")
        return self

    def pairs(self, name: str) -> dict[str, str]:
        """Return a mapping of texts."""
        value = self.get(name)
        if value is None:
            return {}
        return {key.value: item.value for key, item in nodes.pairs(value) if isinstance(item, Scalar)}

    @property
    def where(self) -> str:
        return place(self.text, self.node)
