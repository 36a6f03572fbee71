"""The manual: its pages as a Markdown parser reads them, and sessions held to what commands really print."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
ELLIPSIS = "…"
# What differs from run to run, and what may stand in its place.
_VARYING = {
    "more": (ELLIPSIS, ".*"),
    "digest": ("(?<=sha256:)[0-9a-f]+", "[0-9a-f]+"),
    "image": ("(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", "[0-9a-f]{12}"),
    "commit": ("(?<![0-9a-f])[0-9a-f]{7}(?![0-9a-f])", "([0-9a-f]{7})"),
    "moment": (r"\d{4}-\d\d-\d\d \d\d:\d\d", r"\d{4}-\d\d-\d\d \d\d:\d\d"),
    "length": (r"\d+ min", r"\d+ min"),
    "gap": (" {2,}", " +"),  # columns are as wide as their cells
}
_PIECE = re.compile("|".join(f"(?P<{name}>{shown})" for name, (shown, _) in _VARYING.items()))


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """Return what a page consists of; the tokens within a paragraph follow it."""
    parsed = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return tuple(part for token in parsed for part in (token, *(token.children or ())))


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks in some languages."""
    return [token.content for token in tokens(page) if token.type == "fence" and token.info in languages]


def block_after(page: Path, comment: str) -> str:
    """Return the code block behind an HTML comment."""
    found = tokens(page)
    (place,) = (place for place, token in enumerate(found) if token.content.strip() == f"<!-- {comment} -->")
    assert found[place + 1].type == "fence"
    return found[place + 1].content


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a session, without the prompt, and what it prints."""

    command: str
    lines: tuple[str, ...]


def steps(session: str) -> list[Step]:
    """Return the commands of a session. What stands before the first, or behind an empty line, is not of them."""
    parts = [part.partition("\n\n")[0] for part in re.split(r"(?m)^\$ ", session)[1:]]
    return [Step(command, tuple(lines)) for command, *lines in (part.splitlines() for part in parts)]


class Shown:
    """Holds what the manual shows to what was printed; one commit of the manual is one real commit throughout."""

    def __init__(self) -> None:
        self._commits: dict[str, str] = {}

    def differences(self, step: Step, out: Sequence[str], err: Sequence[str]) -> list[str]:
        """Return the lines of a step that neither stream has: in order, and on stdout without a gap that `…` hides.

        Where there are none, the step's commits are known from then on.
        """
        commits, missing = dict(self._commits), []
        streams = [_Stream(list(out), gapless=True), _Stream(list(err), gapless=False)]
        for line in step.lines:
            if line.strip() == ELLIPSIS:
                streams[0].may_skip = True
            elif not any(stream.has(line, commits) for stream in streams):
                missing.append(line)
        if streams[0].rest and not streams[0].may_skip:
            missing += [f"not shown: {line}" for line in streams[0].rest]
        if not missing:
            self._commits = commits
        return missing


@dataclass(slots=True)
class _Stream:
    rest: list[str]
    gapless: bool
    may_skip: bool = False

    def has(self, line: str, commits: dict[str, str]) -> bool:
        """Whether the line comes next, as far as may be skipped; then all up to it is gone."""
        skip = self.may_skip or not self.gapless
        for place, real in enumerate(self.rest if skip else self.rest[:1]):
            if (named := _same(line, real, commits)) is not None:
                commits |= named
                del self.rest[: place + 1]
                self.may_skip = False
                return True
        return False


def _same(line: str, real: str, commits: dict[str, str]) -> dict[str, str] | None:
    """Return the real commit of each commit in a line, None where the line does not say what was printed."""
    pieces = list(_PIECE.finditer(line))
    texts = _PIECE.split(line)[:: len(_VARYING) + 1]  # between the pieces
    found = re.fullmatch(
        "".join(_pattern(text, piece) for text, piece in zip(texts, [*pieces, None], strict=True)), real
    )
    if not found:
        return None
    shown = [piece[0] for piece in pieces if piece.lastgroup == "commit"]
    pairs = dict(zip(shown, found.groups(), strict=True))
    return pairs if all(commits.get(commit, name) == name for commit, name in pairs.items()) else None


def _pattern(text: str, piece: re.Match[str] | None) -> str:
    return re.escape(text) + (_VARYING[piece.lastgroup or ""][1] if piece else "")


def sessions(page: Path) -> Iterator[list[Step]]:
    """Yield the sessions that a page shows, as commands with what they print."""
    yield from (steps(block) for block in blocks(page, "console") if "$ " in block)
