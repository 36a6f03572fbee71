"""Values, and the texts that they are written in: a file, or the text inside a value of a file (an inline patch)."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.splice import span
from orbit_release.manifests.texts.yaml_nodes import Scalar, decoded


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A text of YAML: a file's, or one that stands inside a value; each is one object, and equal to itself only."""

    path: str
    text: str
    bom: bytes = b""
    encoding: str = "utf-8"
    inside: Written | None = None

    @classmethod
    def of_file(cls, data: bytes, path: str) -> Text:
        """Decode a file; UnreadableError with `path:line`."""
        return cls(path, *decoded(data, path))

    @classmethod
    def of_value(cls, value: Written) -> Text:
        """Take the text that a value holds for a text of its own."""
        return cls(value.text.path, str(value.scalar.value), inside=value)

    @property
    def first_line(self) -> int:
        """The file's line, from 1, that the text begins on."""
        if self.inside is None:
            return 1
        outer, scalar = self.inside.text, self.inside.scalar
        return outer.first_line + nodes.line_of(outer.text, span(outer.text, scalar)[0]) - 1

    def line(self, position: int) -> int:
        """Return the file's line, from 1, of a position in the text."""
        return self.first_line + nodes.line_of(self.text, position) - 1

    def encoded(self, text: str) -> bytes:
        return self.bom + text.encode(self.encoding)


@dataclass(frozen=True, slots=True)
class Written:
    """A scalar and the text that it stands in."""

    text: Text
    scalar: Scalar

    @property
    def value(self) -> str:
        return "" if nodes.is_null(self.scalar) else nodes.value_of(self.scalar)

    @property
    def start(self) -> int:
        """Where the scalar starts in its text."""
        return nodes.start_of(self.scalar)

    @property
    def path(self) -> str:
        return self.text.path

    @property
    def line(self) -> int:
        """The file's line, from 1, that the value starts on."""
        return self.text.line(span(self.text.text, self.scalar)[0])

    @property
    def where(self) -> str:
        """`path:line`, as messages start."""
        return f"{self.path}:{self.line}"
