r"""Globs that select tracked files.

The rules are git's `:(glob)` pathspecs (gitglossary(7), "pathspec"): `*` and `?` stop at a slash, `**/`, `/**`
and `/**/` cross them, `[…]` is a class, `\` quotes, and a glob that names a folder selects what is in it. Two
rules come on top: `dir/**` selects `dir` itself too (a submodule pointer), and a glob with a leading `!`
deselects; the last glob that matches a file decides. Files are bytes, as git keeps them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from orbit_release.errors import InvalidError

_WILDCARDS = frozenset(b"*?[\\")
_POSIX_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t-\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
_TOKEN = re.compile(
    rb"(?P<deep>(?<![^/])\*\*+/)"  # `**/` at the start or behind a slash: any folders, or none
    rb"|(?P<rest>(?<![^/])\*\*+\Z)"  # a final `**`: everything
    rb"|(?P<star>\*+)"
    rb"|(?P<any>\?)"
    rb"|\[(?P<negated>[!^]?)(?P<members>\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*)\]"
    rb"|\\(?P<quoted>.)"
    rb"|(?P<literal>[^*?\[\\])",
    re.DOTALL,
)
_MEMBER = re.compile(rb"\[:(?P<posix>[a-z]+):\]|\\?(?P<low>.)(?:-(?!\Z)\\?(?P<high>.))?", re.DOTALL)


def _invalid(glob: str, rule: str) -> InvalidError:
    return InvalidError(f"glob {glob!r} can match nothing", rule)


def _member(match: re.Match[bytes]) -> bytes:
    if posix := match["posix"]:
        return _POSIX_CLASSES.get(posix, b"")
    low, high = match["low"], match["high"] or match["low"]
    return re.escape(low) + b"-" + re.escape(high) if low <= high else b""


def _class(match: re.Match[bytes]) -> bytes:
    members = b"".join(_member(member) for member in _MEMBER.finditer(match["members"]))
    if match["negated"]:
        return rb"[^/" + members + rb"]"
    return rb"(?!/)[" + members + rb"]" if members else rb"(?!)"


def _translate(match: re.Match[bytes]) -> bytes:
    kind = match.lastgroup
    if kind in ("literal", "quoted"):
        return re.escape(match[kind])
    simple = {"deep": rb"(?:.*/)?", "rest": rb".*", "star": rb"[^/]*", "any": rb"[^/]"}
    return simple.get(kind or "") or _class(match)


def _regex(glob: str) -> bytes:
    pattern = glob.encode("utf-8", "surrogateescape")
    literal = re.escape(pattern) + (rb".*" if pattern.endswith(b"/") else rb"(?:/.*)?")
    if not _WILDCARDS.intersection(pattern):
        return literal
    tokens = list(_TOKEN.finditer(pattern))
    if sum(len(token[0]) for token in tokens) != len(pattern):
        raise _invalid(glob, "A '[' has no closing ']', or the glob ends in a lone backslash.")
    body = b"".join(map(_translate, tokens))
    if pattern.endswith(b"/**"):
        body = body.removesuffix(rb"/.*") + rb"(?:/.*)?"
    return body + b"|" + literal


@cache
def _compile(glob: str) -> re.Pattern[bytes]:
    _check(glob)
    return re.compile(_regex(glob), re.DOTALL)


def _check(glob: str) -> None:
    parts = glob.removesuffix("/").split("/")
    if not glob.strip():
        raise _invalid(glob, "It is empty.")
    if glob.startswith("/"):
        raise _invalid(glob, "Globs are relative to the repository's root: leave out the leading slash.")
    if not set(parts).isdisjoint({"", ".", ".."}):
        raise _invalid(glob, "Git's paths have no '.', '..' or empty parts: write it without them.")


@dataclass(frozen=True, slots=True)
class Globs:
    """Globs in the order of the configuration; InvalidError if one, or all together, can match nothing."""

    globs: tuple[str, ...]
    _rules: tuple[tuple[bool, re.Pattern[bytes]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = tuple((not glob.startswith("!"), _compile(glob.removeprefix("!"))) for glob in self.globs)
        if not any(selects for selects, _ in rules):
            raise _invalid(", ".join(self.globs), "At least one glob must select something.")
        object.__setattr__(self, "_rules", rules[::-1])

    def match(self, path: bytes) -> bool:
        """Whether a file is selected; `path` is relative to the repository's root, as git prints it."""
        return next((selects for selects, regex in self._rules if regex.fullmatch(path)), False)
