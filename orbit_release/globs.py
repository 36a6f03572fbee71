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

from orbit_release.braces import written_out
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
    b"space": rb" \t\n\r",  # as git has it: without form feed and vertical tab
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
_CHARACTER = rb"(?:\\.|[^\]\\])"
_POSIX = rb"\[:(?:" + b"|".join(_POSIX_CLASSES) + rb"):\]"
_RANGE = rb"(?!\[:[^\]]*:\])" + _CHARACTER + rb"(?:-" + _CHARACTER + rb")?"
# Atomic, because git does not look back either: `[[:alpha:]` is a class that never ends.
_MEMBERS = rb"(?>(?:\](?:-" + _CHARACTER + rb")?)?(?:" + _POSIX + rb"|" + _RANGE + rb")*)"
_MEMBER = re.compile(rb"\[:(?P<posix>[a-z]+):\]|\\?(?P<low>.)(?:-\\?(?P<high>.))?", re.DOTALL)
_TOKEN = re.compile(
    rb"(?P<deep>(?<![^/])(?:\*\*+/)+)"  # `**/` at the start or behind a slash: any folders, or none
    rb"|(?P<rest>(?<![^/])\*\*+(?=\\/|\Z))"  # a final `**`: everything
    rb"|(?P<star>\*+)"
    rb"|(?P<any>\?)"
    rb"|\[(?P<negated>[!^]?)(?P<members>" + _MEMBERS + rb")\]"
    rb"|\\(?P<quoted>.)"
    rb"|(?P<literal>[^*?\[\\])",
    re.DOTALL,
)


def _invalid(glob: str, rule: str) -> InvalidError:
    return InvalidError(f"glob {glob!r} can match nothing", rule)


def _member(match: re.Match[bytes]) -> bytes:
    if posix := match["posix"]:
        return _POSIX_CLASSES[posix]
    low, high = match["low"], match["high"] or b""
    return re.escape(low) + (b"-" + re.escape(high) if low <= high else b"")


def _class(match: re.Match[bytes]) -> bytes:
    members = b"".join(_member(member) for member in _MEMBER.finditer(match["members"]))
    return rb"[^/" + members + rb"]" if match["negated"] else rb"(?!/)[" + members + rb"]"


def _translate(match: re.Match[bytes]) -> bytes:
    kind = match.lastgroup
    if kind in ("literal", "quoted"):
        return re.escape(match[kind])
    simple = {"deep": rb"(?:.*/)?", "rest": rb".*", "star": rb"[^/]*", "any": rb"[^/]"}
    return simple.get(kind or "") or _class(match)


def _regex(glob: str) -> bytes:
    pattern = glob.encode("utf-8", "surrogateescape")
    literal = re.escape(pattern) + (rb".*" if pattern.endswith(b"/") else rb"(?:/.*)?")
    # git compares what stands before the first wildcard as text, so that `**/` is at the start in `a**/b` too
    start = next((at for at, byte in enumerate(pattern) if byte in _WILDCARDS), len(pattern))
    tokens = list(_TOKEN.finditer(pattern[start:]))
    if sum(len(token[0]) for token in tokens) != len(pattern) - start:
        raise _invalid(glob, "A '[' is not closed or names an unknown class, or the glob ends in a lone backslash.")
    body = re.escape(pattern[:start]) + b"".join(map(_translate, tokens))
    if pattern.endswith(b"/**"):
        body = body.removesuffix(rb"/.*") + rb"(?:/.*)?"
    return body + b"|" + literal


@cache
def _compile(glob: str) -> re.Pattern[bytes]:
    parts = glob.removesuffix("/").split("/")
    if not glob.strip():
        raise _invalid(glob, "It is empty.")
    if glob.startswith("/"):
        raise _invalid(glob, "Globs are relative to the repository's root: leave out the leading slash.")
    if not set(parts).isdisjoint({"", "\\", ".", ".."}):
        raise _invalid(glob, "Git's paths have no '.', '..' or empty parts: write it without them.")
    return re.compile(_regex(glob), re.DOTALL)


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
        return self.verdict(path) or False

    def verdict(self, path: bytes) -> bool | None:
        """Whether the last glob that matches selects (True) or deselects (False) a file; None if no glob matches."""
        return next((selects for selects, regex in self._rules if regex.fullmatch(path)), None)


def literal_start(glob: str) -> bytes:
    """Return the path that whatever a glob selects is, or is below: b"" for the root."""
    pattern = glob.encode("utf-8", "surrogateescape")
    start = next((at for at, byte in enumerate(pattern) if byte in _WILDCARDS), None)
    return pattern.rstrip(b"/") if start is None else pattern[:start].rpartition(b"/")[0]


def quoted(path: str) -> str:
    """Return the glob that selects this file, or what is in this folder."""
    glob = re.sub(r"([*?\[\\])", r"\\\1", path)
    glob = glob.replace("{", "\\{") if written_out(glob) else glob
    return f"\\{glob}" if glob.startswith("!") else glob
