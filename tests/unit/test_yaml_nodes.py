"""The reader of YAML: what paths of keys lead to, and what is text."""

from __future__ import annotations

import pytest

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts.yaml_nodes import (
    Node,
    Scalar,
    child,
    is_text,
    is_true,
    keys,
    line,
    pairs,
    read,
    text,
)


def root_of(written: str) -> Node:
    (root,) = read(written.encode(), "a.yaml")
    return root


def test_the_last_of_a_repeated_key_counts_and_own_keys_before_merged_ones() -> None:
    root = root_of("x: &x {a: merged, b: merged}\ny: {a: first, a: last, <<: *x}\nz: {'<<': *x}\n")
    assert {key.value: text(value) for key, value in pairs(root, "y")} == {"a": "last", "b": "merged"}
    assert [text(root, "y", key) for key in ("a", "b", "c")] == ["last", "merged", ""]
    assert (child(root, "z", "a"), keys(root, "x")) == (None, ["a", "b"])


@pytest.mark.parametrize("empty", ["", "~", "null", "Null", "NULL", "[]", "{}"])
def test_null_and_collections_have_no_text(empty: str) -> None:
    assert text(root_of(f"a: {empty}\n"), "a") == ""


@pytest.mark.parametrize("written", ["1", "-1.5", ".5", "1e+3", ".inf", "0x1f", "on", "y", "~", "2024-01-01", "12:30"])
def test_a_plain_value_that_some_reader_takes_for_something_else_is_not_text(written: str) -> None:
    plain, quoted = (root_of(value) for value in (written, f"'{written}'"))
    assert isinstance(plain, Scalar)
    assert isinstance(quoted, Scalar)
    assert (is_text(plain), is_text(quoted)) == (False, True)


def test_only_a_plain_true_is_true() -> None:
    root = root_of("a: true\nb: 'true'\nc: [true]\nd: Yes\ne: false\n")
    assert [key for key in keys(root) if is_true(root, key)] == ["a", "d"]


def test_a_collection_stands_where_it_starts() -> None:
    root = root_of("a:\n  - {}\n  - b: c\n")
    listed = child(root, "a")
    assert isinstance(listed, list)
    assert [line(node) for node in (root, *listed)] == [1, 2, 3]


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(InvalidError, match=r"a.yaml:2: not UTF-8"):
        read(b"a: b\nc: \xff\n", "a.yaml")
