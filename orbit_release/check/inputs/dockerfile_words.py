"""Words of a Dockerfile: quotes, escapes and variables as BuildKit's shell lexer reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

# `${a:-${b}}`: what stands behind the operator may name variables itself.
_VARIABLE = (
    r"\$(?P<name>[A-Za-z_]\w*)"
    r"|\$\{(?P<braced>\w+)(?:(?P<operator>:?[-+])(?P<word>(?:\$\{(?:[^{}]|\$\{[^{}]*\})*\}|[^{}])*))?\}"
    r"|(?P<other>\$\{[^}]*\}?)"
    r"|(?P<literal>.)"
)


@cache
def _tokens(escape: str, *, quoted: bool) -> re.Pattern[str]:
    mark = re.escape(escape)
    if quoted:
        return re.compile(rf'{mark}(?P<escaped>["${mark}])|{_VARIABLE}', re.DOTALL)
    quotes = rf"'(?P<single>[^']*)'|\"(?P<double>(?:{mark}.|[^\"{mark}])*)\""
    return re.compile(rf"{quotes}|{mark}(?P<escaped>.)|{_VARIABLE}", re.DOTALL)


def split_words(text: str, escape: str) -> list[str]:
    """Split at blanks outside of quotes; the quotes stay."""
    mark = re.escape(escape)
    return re.findall(rf"(?:'[^']*'|\"(?:{mark}.|[^\"{mark}])*\"|{mark}.|\S)+", text)


def expand(text: str, variables: Mapping[str, str], escape: str, *, quoted: bool = False) -> str | None:
    """Return a word without its quotes, and with values for variables; None if it needs a value that is not known."""
    parts = [_value(match, variables, escape) for match in _tokens(escape, quoted=quoted).finditer(text)]
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def _value(match: re.Match[str], variables: Mapping[str, str], escape: str) -> str | None:
    kind = match.lastgroup or ""
    if kind in {"single", "escaped", "literal"}:
        return match[kind]
    if kind == "double":
        return expand(match[kind], variables, escape, quoted=True)
    if kind == "word":
        return _alternative(match, variables, escape)
    return variables.get(match[kind])  # what `other` holds is no name: the operators that cut and replace text


def _alternative(match: re.Match[str], variables: Mapping[str, str], escape: str) -> str | None:
    value = variables.get(match["braced"])
    there = value is not None and (value != "" or not match["operator"].startswith(":"))
    if match["operator"].endswith("-"):
        return value if there else expand(match["word"], variables, escape)
    return expand(match["word"], variables, escape) if there else ""
