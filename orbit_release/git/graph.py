"""How commits descend from each other, without asking git about each pair."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; `time` is when it was committed, in seconds since 1970; parents that the clone lacks are left out."""

    name: str
    parents: tuple[str, ...]
    time: int
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that differs between two commits; the status is git's letter (A, D, M, T)."""

    path: bytes
    status: str

    def __str__(self) -> str:
        text = self.path.decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class History:
    """How some commits, the heads, descend from each other; LookupError for a question about any other commit.

    A commit that every head reaches may be left out, with all below it. A head that is not listed is therefore below
    all others: every head reaches it, and it reaches no commit that is listed.
    """

    def __init__(self, heads: Collection[str] = (), commits: Iterable[Commit] = ()) -> None:
        """Take what the heads reach in topological order: each commit before its parents."""
        self._heads = frozenset(heads)
        self._commits = {commit.name: commit for commit in commits}
        self._places = {name: place for place, name in enumerate(self._commits)}

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is reachable from `newer`; a commit is its own ancestor."""
        return next(self.between(newer, older), None) is None

    def between(self, base: str, head: str) -> Iterator[Commit]:
        """Yield the commits that `head` can reach and `base` cannot, newest first, as `git log base..head` does.

        It looks at no commit below the newest one from which on both can reach all.
        """
        if not {base, head} <= self._heads:
            raise LookupError(f"no head of this history: {', '.join({base, head} - self._heads)}")
        return self._between(base, head)

    def _between(self, base: str, head: str) -> Iterator[Commit]:
        theirs = {base}  # what base can reach, as far as it has been walked
        queue = [(self._places[name], name) for name in {base, head} if name in self._places]
        heapq.heapify(queue)
        seen = {name for _, name in queue}
        ours = len(seen - theirs)
        while ours and queue:
            _, name = heapq.heappop(queue)
            commit, is_theirs = self._commits[name], name in theirs
            if not is_theirs:
                ours -= 1
                yield commit
            for parent in filter(self._places.__contains__, commit.parents):
                if is_theirs and parent not in theirs:
                    theirs.add(parent)
                    ours -= parent in seen
                if parent not in seen:
                    seen.add(parent)
                    ours += not is_theirs
                    heapq.heappush(queue, (self._places[parent], parent))
