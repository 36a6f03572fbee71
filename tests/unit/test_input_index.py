"""The index of inputs says what each service says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hypothesis import given, strategies as st

from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.planning.input_index import InputIndex
from orbit_release.service import BuildSettings, Service

NAMES: Final = st.sampled_from(["a", "b", "ab", "[a]", "k.yaml", "Dockerfile", ".dockerignore", "Kustomization"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
WILD = st.sampled_from(["a", "b", "*", "**", "?b", "[ab]", "[a]", "k.yaml", "a**", r"\a"])
GLOBS = st.tuples(
    st.sampled_from(["", "", "!"]), st.lists(WILD, min_size=1, max_size=4), st.sampled_from(["", "", "/"])
)
LISTS = st.lists(GLOBS.map(lambda parts: parts[0] + "/".join(parts[1]) + parts[2]), min_size=1, max_size=3)
FOLDERS = st.sampled_from([".", "a", "a/b"])


@st.composite
def services(draw: st.DrawFn) -> Service:
    globs = (*draw(LISTS), draw(PATHS))
    settings = BuildSettings(draw(FOLDERS), draw(PATHS))
    return Service("s", Repository("ghcr.io/acme/s"), Globs(globs), settings)


@given(st.lists(services(), min_size=1, max_size=4), PATHS, st.booleans(), st.booleans())
def test_the_index_agrees_with_each_service(made: list[Service], path: str, own: bool, edited: bool) -> None:  # noqa: FBT001
    named: Mapping[str, Service] = {
        str(number): Service(str(number), s.repository, s.paths, s.settings) for number, s in enumerate(made)
    }
    asked: list[bytes] = []

    def is_edited(file: bytes) -> bool:
        asked.append(file)
        return edited

    index = InputIndex(named.values(), lambda _: own, is_edited)
    file = path.encode()
    plain = {name for name, service in named.items() if service.is_input(file, own_ignore_file=own)}
    by_name = path.endswith((".yaml", "Kustomization"))
    assert index.services_of(file) == (set() if edited and by_name else plain)
    assert asked == ([file] if plain and by_name else [])
