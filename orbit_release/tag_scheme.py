"""The scheme of tags: how the tag of the image that is built from a commit is written, and read again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.image import LATEST, Tag

_SHORTEST, _LONGEST, _DIGITS = 4, 40, 7
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SHA = re.compile(r"sha(?::([1-9][0-9]?))?")
_COMMIT = rf"([0-9a-f]{{{_SHORTEST},{_LONGEST}}})"
_ALWAYS_READ = re.compile(rf"sha-{_COMMIT}")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_EXAMPLE = "write it like sha-{sha}, linux-{sha}, {branch}-{sha} or {sha:12}."


@dataclass(frozen=True, slots=True)
class TagScheme:
    """`tag:` of the configuration; InvalidError for what cannot give a tag.

    `{sha}` stands for the first 7 digits of the commit, `{sha:12}` for the first 12. `{branch}` is the source branch,
    with `-` for each character that a tag cannot hold.
    """

    template: str = "sha-{sha}"
    branch: str = "main"
    _prefix: str = field(init=False, repr=False, compare=False)
    _suffix: str = field(init=False, repr=False, compare=False)
    _digits: int = field(init=False, repr=False, compare=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fixed = self.template.replace("{branch}", _NOT_IN_TAGS.sub("-", self.branch))
        names = _PLACEHOLDER.findall(fixed)
        for name in names:
            if not _SHA.fullmatch(name):
                raise self._fault(f"has the unknown placeholder {{{name}}}", "known are {sha}, {sha:12} and {branch}.")
        if len(names) != 1:
            raise self._fault("has no {sha}" if not names else "has {sha} twice", _EXAMPLE)
        prefix, suffix = _PLACEHOLDER.split(fixed)[::2]
        digits = self._length(names[0])
        for name, value in (("_prefix", prefix), ("_suffix", suffix), ("_digits", digits)):
            object.__setattr__(self, name, value)
        pattern = re.compile(f"{re.escape(prefix)}{_COMMIT}{re.escape(suffix)}")
        object.__setattr__(self, "_pattern", pattern)
        self._require_tag()

    def __str__(self) -> str:
        return self.template

    def _length(self, name: str) -> int:
        match = _SHA.fullmatch(name)
        digits = int(match[1]) if match and match[1] else _DIGITS
        if not _SHORTEST <= digits <= _LONGEST:
            hint = f"a tag takes {_SHORTEST} to {_LONGEST} digits of a commit, like {{sha:12}}."
            raise self._fault(f"asks for {digits} digits", hint)
        return digits

    def _require_tag(self) -> None:
        try:
            self.tag("0" * _LONGEST)
        except InvalidError as error:
            raise self._fault("gives no tag", f"{error.hint[:1].lower()}{error.hint[1:]}") from error

    def _fault(self, what: str, hint: str) -> InvalidError:
        return InvalidError(f"tag {self.template!r} {what}", hint)

    def tag(self, commit: str) -> Tag:
        """Return the tag of the image that is built from a commit (its full name)."""
        return Tag(f"{self._prefix}{commit[: self._digits]}{self._suffix}")

    def commit_prefix(self, tag: Tag | None) -> str | None:
        """Return the 4 to 40 digits of the commit that a tag names; None for any other tag.

        `sha-…` is read under any scheme: it is what was written before another one was chosen.
        """
        match = tag and (self._pattern.fullmatch(tag.name) or _ALWAYS_READ.fullmatch(tag.name))
        return match[1] if match else None

    def is_certain(self, tag: Tag) -> bool:
        """Whether a tag that reads as a commit's cannot be anything else: 20240101 may be a date."""
        letters = re.search(r"[A-Za-z]", self._prefix + self._suffix)
        return bool(letters or _ALWAYS_READ.fullmatch(tag.name))

    def is_pin(self, tag: Tag | None, commit: str | None) -> bool:
        """Whether somebody chose a tag by hand; `commit` is the one it names, None if none is known."""
        if tag is None or tag == LATEST:
            return False
        return self.commit_prefix(tag) is None or (commit is None and not self.is_certain(tag))


DEFAULT_TAG_SCHEME = TagScheme()
