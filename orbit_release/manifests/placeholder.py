"""Placeholders: what stands where a tag should be until a script fills the tag in. Nobody may overwrite one."""

from __future__ import annotations

import re

from orbit_release.errors import InvalidError
from orbit_release.image import Tag

# As public manifests have them: CONTAINER_IMAGES_TAG, IMAGE_TAG, VERSION, __TAG__, REPLACE_ME__IMAGE_TAG; in any case
# placeholder-backend, replace-me-with-git-sha, replaced_by_ci, changeme, to-be-replaced. A word in capitals without a
# digit is no tag that a program makes: versions, dates and commits have digits or lower-case letters.
_PLACEHOLDER = (
    r"[A-Z_][A-Z_.-]*"
    r"|(?i:(?:.*[^a-z])?"
    r"(?:place[_-]?holder|replaced?[_-]?(?:me|by|with|this)|change[_-]?me|to[_-]?be[_-]?(?:replaced|set))"
    r"(?:[^a-z].*)?)"
)
_WORDS = ("place", "change", "be")


def is_placeholder(tag: str) -> bool:
    """Whether a text where a tag belongs stands for one: `${TAG}`, `{{ .Values.tag }}`, `IMAGE_TAG`, `replace-me`."""
    try:
        Tag(tag)
    except InvalidError:
        return True
    may_be_one = tag.isupper() or any(word in tag.lower() for word in _WORDS)  # most tags need no such pattern
    return may_be_one and re.fullmatch(_PLACEHOLDER, tag) is not None
