"""Edits of texts, also of those that stand inside values: whatever changes inside changes the file around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orbit_release.manifests.texts.proof import common_length, prove
from orbit_release.manifests.texts.splice import Replacement, splice
from orbit_release.manifests.texts.written import Text, Written

# text[start:end] becomes the new one: blanks and a comment, or nothing.
CommentEdit: TypeAlias = tuple[int, int, str]


@dataclass
class TextEdits:
    """Collects what is to change, by text, and makes the new bytes of the files."""

    _values: defaultdict[Text, dict[int, Replacement]] = field(default_factory=lambda: defaultdict(dict))
    _comments: defaultdict[Text, dict[int, CommentEdit]] = field(default_factory=lambda: defaultdict(dict))

    def replace(self, at: Written, keep: int, text: str) -> bool:
        """Let a value keep its first characters and then be `text`; False if it is to be something else already."""
        change = Replacement(at.scalar, keep, text)
        return self._values[at.text].setdefault(at.start, change) == change

    def comment(self, text: Text, edit: CommentEdit) -> bool:
        """Edit a comment; False if another edit of the same place was given already."""
        return self._comments[text].setdefault(edit[0], edit) == edit

    def files(self) -> Mapping[str, bytes]:
        """Return the new bytes of the files that change, by path; InvalidError for what cannot be edited safely."""
        files: dict[str, bytes] = {}
        edited = {**self._values, **self._comments}
        # The innermost first: what it becomes is an edit of the value around it.
        for text in sorted(edited, key=_depth, reverse=True):
            new = self._edited(text)
            if text.inside is None:
                files[text.path] = text.encoded(new)
            else:
                keep = common_length(text.text, new)
                self.replace(text.inside, keep, new.rstrip("\n")[keep:])
        for text in {outer for inner in edited if (outer := _outermost(inner)) not in edited}:
            files[text.path] = text.encoded(self._edited(text))
        return files

    def _edited(self, text: Text) -> str:
        changes, comments = self._values[text], self._comments[text]
        new = text.text
        for start in sorted({*changes, *comments}, reverse=True):
            if start in comments:
                _, end, comment = comments[start]
                new = new[:start] + comment + new[end:]
            if start in changes:
                new = splice(new, text.path, [changes[start]])
        prove(text, new, changes.values())
        return new


def _depth(text: Text) -> int:
    return 0 if text.inside is None else 1 + _depth(text.inside.text)


def _outermost(text: Text) -> Text:
    return text if text.inside is None else _outermost(text.inside.text)
