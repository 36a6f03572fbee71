"""What is proposed for `paths` satisfies the rules about inputs, whatever the files and the Dockerfile."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import pytest
from hypothesis import given, settings, strategies as st

from orbit_release.check.configuration_file import ConfigurationFile
from orbit_release.check.finding import Finding
from orbit_release.check.inputs.context_files import Contexts
from orbit_release.check.inputs.input_rules import DEAD_GLOB, check_inputs
from orbit_release.check.inputs.missing_inputs import CONTEXT_COPIED, COPIED, LINKED, REPLACED
from orbit_release.check.inputs.proposed_paths import propose_paths
from orbit_release.check.tree import Tree
from orbit_release.globs import Globs, quoted
from orbit_release.image import Repository
from orbit_release.service import BuildSettings, Service

PROPOSALS_MEND = {COPIED, CONTEXT_COPIED, LINKED, REPLACED, DEAD_GLOB}
NAMES = st.sampled_from(
    ["a", "b", "go.mod", "k8s", "x.md", "[id]", "a*b", "!n", "back\\slash", "é", "two words", "Dockerfile"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TARGETS = st.lists(NAMES | st.just(".."), min_size=1, max_size=4).map("/".join)
MODULES = TARGETS.map(lambda target: f"module m\nreplace n => ./{target}\n")
PATTERNS = st.sampled_from(["*", "?", "a*", "*/*", "**", "**/x.md", "[a-b]", "[^a]", "[[]id[]]", "*.md", "[!]n"])
SOURCES = PATHS | st.sampled_from([".", "./", "/"]) | PATTERNS | st.lists(PATTERNS | NAMES, max_size=3).map("/".join)
FLAGS = st.sampled_from(["", "--parents ", "--exclude=*.md ", "--exclude=a ", "--parents --exclude=** "])
IGNORED = st.lists(SOURCES | SOURCES.map("!{}".format), max_size=2).map("\n".join)


def statements(names: Collection[str]) -> st.SearchStrategy[str]:
    """Return statements, of which most read files that are there."""
    there = sorted(
        {name[:end] for name in names for end in range(1, len(name) + 1) if name[end : end + 1] in ("/", "")}
    )
    sources = st.sampled_from(there or ["x"]) | SOURCES
    words = sources.filter(lambda source: " " not in source).map(lambda source: source.replace("\\", "\\\\"))
    in_json = sources.map(lambda source: json.dumps(source.replace("\\", "\\\\")))
    copied = st.builds("COPY {}{} /to/".format, FLAGS, words) | st.builds('COPY [{}, "/to/"]'.format, in_json)
    return copied | st.builds("RUN --mount=source={},target=/to x".format, words.filter(lambda word: "," not in word))


@st.composite
def trees(draw: st.DrawFn, dockerfile: str) -> Tree:
    """Return files that are no folders of others, some of them links, with a Dockerfile and perhaps an ignore file."""
    names = draw(st.sets(PATHS, max_size=20)) | {dockerfile}
    files = {name for name in names if not any(other.startswith(f"{name}/") for other in names)} | {dockerfile}
    links = {name: draw(st.none() | st.none() | TARGETS) for name in sorted(files - {dockerfile})}
    texts = {name: draw(MODULES) for name in links if name.endswith("go.mod")}
    texts[dockerfile] = "\n".join(["FROM x", *draw(st.lists(statements(links), max_size=4)), ""])
    if draw(st.integers(0, 3)) == 0:
        links[".dockerignore"], texts[".dockerignore"] = None, draw(IGNORED)
    return Tree({**links, dockerfile: None}, lambda path: texts.get(path, "").encode())


def breaches(settings: BuildSettings, tree: Tree, paths: list[str]) -> list[Finding]:
    service = Service("api", Repository("ghcr.io/acme/api"), Globs(tuple(paths)), settings)
    found = check_inputs([service], tree, ConfigurationFile("orbit-release.yaml", {}), lambda _: set())
    return [one for one in found if isinstance(one, Finding) and one.rule in PROPOSALS_MEND]


@settings(deadline=None, max_examples=200)
@given(data=st.data(), context=st.sampled_from([".", ".", "a", "[id]"]), folder=st.sampled_from(["", "a/", "q/r/"]))
def test_the_rules_are_content_with_what_is_proposed(data: st.DataObject, context: str, folder: str) -> None:
    build = BuildSettings(context, f"{folder}build.Dockerfile")
    tree = data.draw(trees(build.dockerfile))
    paths = propose_paths(build, Contexts(tree), "k8s")
    assert [
        f"{one.rule.name}: {one.message}: {one.fix}"
        for one in breaches(build, tree, paths)
        if "leads out of the repository" not in one.message  # no glob can mend that
    ] == []


def test_a_link_that_becomes_an_input_leads_to_more() -> None:
    texts = {"build.Dockerfile": b"FROM x\nCOPY go.mod /\n", "go.mod": b"module m\nreplace n => ./a\n"}
    links = {"a/a": None, "a/link": "../b", "b/c": None, **dict.fromkeys(texts)}
    tree, build = Tree(links, lambda path: texts.get(path, b"")), BuildSettings(".", "build.Dockerfile")
    paths = propose_paths(build, Contexts(tree), "k8s")
    assert (paths, breaches(build, tree, paths)) == (["go.mod", "a/**", "b/**"], [])


@settings(deadline=None)
@given(data=st.data(), selected=PATHS.map(quoted), deselected=st.none() | PATHS.map(quoted))
def test_what_a_finding_asks_for_mends_it(data: st.DataObject, selected: str, deselected: str | None) -> None:
    build = BuildSettings(".", "build.Dockerfile")
    tree = data.draw(trees(build.dockerfile))
    paths = [selected, *([f"!{deselected}"] if deselected else [])]
    mended = {COPIED, CONTEXT_COPIED, LINKED, REPLACED}
    for _ in range(3):  # what becomes an input may be a link, which leads to more
        fixes = [one.fix for one in breaches(build, tree, paths) if one.rule in mended]
        paths += [glob for fix in fixes for glob in re.findall(r"`([^`]+)`", fix) if "…" not in glob]
    rules = {one.rule for one in breaches(build, tree, paths) if "leads out of the repository" not in one.message}
    assert rules <= {DEAD_GLOB}


FILES = [
    "Dockerfile",
    "k8s/sql/a.sql",
    "k8s/x",
    "k8s/y.yaml",
    "lib/a",
    "lib/b",
    "svc/Dockerfile",
    "svc/go.mod",
    "svc/main.go",
    "web/x",
]


@pytest.mark.parametrize(
    ("statements", "paths"),
    [
        ("COPY svc/go.mod /\nCOPY lib /l\nCOPY svc /s", ["lib/**", "svc/**"]),
        ("COPY . .", ["**", "!k8s/**"]),
        ("COPY svc/main.go lib/[ab] /", ["svc/main.go", "lib/[ab]"]),
        ("COPY --from=x lib /l", ["svc/Dockerfile"]),
        ("COPY k8s/x web/x /", ["k8s/x", "web/x"]),
        ("COPY k8s/x k8s/y.yaml web/x /", ["k8s/y.yaml", "web/x", "!k8s/**", "k8s/x"]),
        ("COPY k8s/sql /", ["k8s/sql/**"]),
        ("COPY k8s /", ["k8s/**", "!k8s/**"]),
        ("COPY . .\nCOPY k8s/sql /", ["**", "!k8s/**", "k8s/sql/**"]),
        ("COPY nothing /", ["svc/Dockerfile"]),
    ],
)
def test_folders_are_proposed_before_files(statements: str, paths: list[str]) -> None:
    text = f"FROM x\n{statements}\n".encode()
    tree = Tree(dict.fromkeys(FILES), lambda path: text if path == "svc/Dockerfile" else b"")
    assert propose_paths(BuildSettings(".", "svc/Dockerfile"), Contexts(tree), "k8s") == paths


@given(st.sets(PATHS, max_size=20), PATHS | st.just("."))
def test_the_files_in_a_folder_are_found_by_their_names(names: set[str], folder: str) -> None:
    expected = sorted(name for name in names if folder == "." or name.startswith(f"{folder}/"))
    assert Tree(dict.fromkeys(names), lambda _: b"").below(folder) == expected
