r"""`{a,b}` and `{1..3}` as shells and picomatch read them. Git's globs know none: people must write all globs out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, islice

MOST = 64  # globs that are written out
# A quoted character and a class hold no brace that counts.
_PART = re.compile(r"\\.|\[[!^]?\]?[^\]/]*\]|[{},]|[^\\\[{},]+|.", re.DOTALL)
_NUMBERS = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])")

_Branches = list[list[str]]  # what stands between the commas of a group: each may be written in several ways


def written_out(glob: str) -> tuple[str, ...]:
    r"""Return the globs that one with braces stands for, the first 64 of them; () for one without.

    As in a shell, what has no comma (`[id]`, `{id}`), is not closed, or is quoted (`\{`) is no such brace.
    """
    open_: list[_Branches] = [[[""]]]
    for part in _PART.findall(glob):
        if part == "{":
            open_.append([[""]])
        elif part == "," and len(open_) > 1:
            open_[-1].append([""])
        elif part == "}" and len(open_) > 1:
            _append(open_, _closed(open_.pop()))
        else:
            _append(open_, [part])
    while len(open_) > 1:
        _append(open_, _joined("{", open_.pop(), ""))
    globs = tuple(filter(None, dict.fromkeys(open_[0][0])))
    return () if globs == (glob,) else globs


def _append(open_: list[_Branches], ways: Iterable[str]) -> None:
    listed, branch = [*islice(ways, MOST)], open_[-1][-1]
    branch[:] = islice((before + way for before in branch for way in listed), MOST)


def _closed(branches: _Branches) -> Iterable[str]:
    if len(branches) > 1:
        return chain.from_iterable(branches)
    return _span(branches[0][0]) or _joined("{", branches, "}")


def _joined(start: str, branches: _Branches, end: str) -> list[str]:
    """Take a group for text."""
    ways = [start]
    for number, branch in enumerate(branches):
        comma = "," if number else ""
        ways = [*islice((f"{before}{comma}{way}" for before in ways for way in branch), MOST)]
    return [way + end for way in ways]


def _span(text: str) -> list[str]:
    if numbers := _NUMBERS.fullmatch(text):
        first, last = map(int, numbers.groups())
        return [str(number) for number in islice(_range(first, last), MOST)]
    if letters := _LETTERS.fullmatch(text):
        return [chr(code) for code in islice(_range(*map(ord, letters.groups())), MOST)]
    return []


def _range(first: int, last: int) -> range:
    return range(first, last + 1) if first <= last else range(first, last - 1, -1)
