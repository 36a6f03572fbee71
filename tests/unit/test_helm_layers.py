"""The law of layers: values laid over values are what Helm's own merge of the two trees gives."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from orbit_release.manifests.entries.files import parsed
from orbit_release.manifests.helm.leaves import Values
from orbit_release.manifests.texts.yaml_nodes import Path

SCALARS = st.sampled_from(["x", "y", "z", None])
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
ROOTS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


def values_of(tree: dict[str, Any]) -> Values:
    file = parsed(json.dumps(tree).encode(), "values.yaml")
    return Values.read(file.documents[0].root, file.text)


def merged(inner: Any, outer: Any) -> Any:
    """Merge as Helm does: mappings by key, all else as a whole."""
    if not isinstance(inner, dict) or not isinstance(outer, dict):
        return outer
    return inner | {key: merged(inner.get(key), value) for key, value in outer.items()}


def leaves_of(tree: Any, path: Path = ()) -> dict[Path, str]:
    if not isinstance(tree, dict | list):
        return {} if tree is None else {path: tree}
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {at: value for key, item in entries for at, value in leaves_of(item, (*path, key)).items()}


@given(ROOTS, ROOTS, ROOTS)
def test_layers_are_what_helm_merges(inner: dict[str, Any], middle: dict[str, Any], outer: dict[str, Any]) -> None:
    laid = values_of(outer).over(values_of(middle).over(values_of(inner)))
    given_leaves = {path: leaf.value for path, leaf in laid.leaves.items() if not leaf.is_null}
    assert given_leaves == leaves_of(merged(merged(inner, middle), outer))
