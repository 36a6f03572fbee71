"""Foreign text (file names, reasons, answers of servers) where people read it: it is shown, and never obeyed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# What is shorter may be an ordinary word; where it is masked, GitHub drops the outputs that contain it.
SHORTEST_SECRET = 8
_HIDDEN = ("Cc", "Cf", "Zl", "Zp", "Cs")
_SPAN = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")


def printable(text: str) -> str:
    """Return foreign text as one line that cannot move the cursor, forge a line or reorder what is around it."""
    return "".join("\ufffd" if unicodedata.category(c) in _HIDDEN else c for c in text)


def without(secrets: Iterable[str], text: str) -> str:
    """Return foreign text with secrets blotted out, which whoever wrote it may have quoted."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def without_passwords(text: str) -> str:
    """Return foreign text without the user and the password of an address in it.

    A password may hold slashes and an @, and an address may lack its scheme.
    """
    return re.sub(r"\S+", _without_password, text)


def _without_password(word: re.Match[str]) -> str:
    before, _, behind = word[0].rpartition("@")
    return f"***@{behind}" if ":" in before else word[0]


def code(text: str) -> str:
    """Return foreign text as code in GitHub's Markdown, also within a table.

    Inside of code nothing is formatted, `@name` notifies nobody, and `Fixes #1` closes nothing.
    """
    line = printable(text)
    if _SPAN.fullmatch(line):
        return f"`{line}`"
    # What would end a code span or a table's cell is written as entities, where no mark-up is left to be found.
    entities = "".join(c if c.isalnum() else f"&#{ord(c)};" for c in line)
    return f"<code>{entities}</code>" if line else ""


def listed(names: Iterable[object], most: int) -> str:
    """Return names in a row, the first few of many: `a, b and 3 more`."""
    words = [str(name) for name in names]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 commit`, `2 commits`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of GitHub's Markdown; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def age(seconds: float) -> str:
    """Return a length of time, in seconds, as people say it: `5 min`, `3 h`, `12 d`, `7 w`."""
    minutes = max(0, int(seconds)) // 60
    units = ((120, 1, "min"), (48 * 60, 60, "h"), (21 * 1440, 1440, "d"))
    size, unit = next(((size, unit) for below, size, unit in units if minutes < below), (7 * 1440, "w"))
    return f"{minutes // size} {unit}"
