"""Braces in globs: git knows none, other tools do."""

from __future__ import annotations

import pytest

from orbit_release.braces import MOST, written_out
from orbit_release.config import load
from orbit_release.errors import ConfigurationError
from orbit_release.globs import quoted


@pytest.mark.parametrize(
    ("glob", "globs"),
    [
        ("services/{api,shared}/**", ["services/api/**", "services/shared/**"]),
        ("!{a,b}/*", ["!a/*", "!b/*"]),
        ("{a,{b,c}}/{x,y}", ["a/x", "a/y", "b/x", "b/y", "c/x", "c/y"]),
        ("v{1..3}", ["v1", "v2", "v3"]),
        ("{c..a}", ["c", "b", "a"]),
        ("go{,.sum}", ["go", "go.sum"]),
        ("{a,{id}}", ["a", "{id}"]),
    ],
)
def test_a_glob_with_braces_is_written_out(glob: str, globs: list[str]) -> None:
    assert list(written_out(glob)) == globs


@pytest.mark.parametrize("glob", ["app/[id]/{id}", r"\{a,b}", r"{a\,b}", "{a,b", "a,b}", "[{,}]", "{}", "**"])
def test_a_brace_that_is_none_elsewhere_is_text(glob: str) -> None:
    assert written_out(glob) == ()


def test_braces_cannot_grow_without_end() -> None:
    assert len(written_out("{a,b}" * 40)) == len(written_out("{1..999999999}")) == MOST


def test_a_file_with_such_a_name_can_be_selected() -> None:
    assert quoted("x/{a,b}") == r"x/\{a,b}"
    assert quoted("x/{id}") == "x/{id}"


def test_the_configuration_says_what_to_write() -> None:
    text = (
        b'image: ghcr.io/a/{service}\nmanifests: k8s\nservices: {api: {paths: ["services/{api,lib}/**", "a/{id}"]}}\n'
    )
    with pytest.raises(ConfigurationError, match="write services/api/\\*\\*, services/lib/\\*\\*") as raised:
        load(text, "orbit-release.yaml").require_plain_globs()
    assert raised.value.message.startswith("orbit-release.yaml:3:")
