"""The globs are git's `:(glob)` pathspecs: git itself is the oracle."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orbit_release.errors import InvalidError
from orbit_release.globs import Globs, quoted

EMPTY_FILE = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
WITH_FILES = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Git:
    """A repository whose index is replaced by the names that a test asks about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self.environment = {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        self.run("init", "-q")

    def run(self, *arguments: str | bytes, stdin: bytes = b"") -> bytes:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, input=stdin, capture_output=True, check=True
        ).stdout

    def track(self, names: Collection[bytes], mode: bytes = b"100644") -> None:
        (self.folder / ".git/index").unlink(missing_ok=True)
        lines = b"".join(mode + b" " + EMPTY_FILE + b"\t" + name + b"\0" for name in names)
        self.run("update-index", "-z", "--index-info", stdin=lines)

    def select(self, glob: str) -> set[bytes]:
        pathspec = b":(glob)" + glob.encode("utf-8", "surrogateescape")
        return set(self.run("ls-files", "-z", "--", pathspec).split(b"\0")) - {b""}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


def select(names: Collection[bytes], *globs: str) -> set[bytes]:
    chosen = Globs(globs)
    return {name for name in names if chosen.match(name)}


def compatible(names: Collection[bytes]) -> set[bytes]:
    """Leave out the files that lie below another file."""
    return {n for n in names if not any(n.startswith(other + b"/") for other in names)}


def valid_part(part: bytes) -> bool:
    return part not in (b".", b"..") and part.lower() != b".git"


ODD = [b".", b"-", b"A", b"1", b"]", b"[", b"*", b"?", b"\\", b"!", b"^", b":", b" ", b'"', b"'", b"#", b"&", b"~"]
ODD += [b"\n", b"\t", b"\x01", b"\xff", b"\xc3\xa9"]
BYTES = st.sampled_from([b"a", b"b", b"c"]) | st.sampled_from([b"a", b"b"]) | st.sampled_from(ODD)
PARTS = st.lists(BYTES, min_size=1, max_size=3).map(b"".join).filter(valid_part)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)
FOLDERS = st.lists(NAMES, min_size=4, max_size=25).map(compatible)

MEMBERS = ["a", "b", "c", "a-c", "c-a", "-", "!", "^", r"\]", r"\\", r"\-", "[", ":", "[:alpha:]", "[:digit:]", "/"]
MEMBERS += ["[:space:]", "[:punct:]", "[:cntrl:]", "[:upper:]", "[:bogus:]", "[:", "*", "?", ".", " -~", "é", "A-z"]
CLASSES = st.builds(
    "[{}{}{}]".format,
    st.sampled_from(["", "!", "^"]),
    st.sampled_from(["", "", "]", "]-a"]),
    st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=3).map("".join),
)
LITERALS = BYTES.map(lambda byte: byte.decode("utf-8", "surrogateescape")).map(lambda c: "\\\\" if c == "\\" else c)
WILDCARDS = st.sampled_from(["*", "*", "**", "?", "***"])
PIECES = st.lists(LITERALS | WILDCARDS | CLASSES | BYTES.map(lambda b: "\\" + b.decode("utf-8", "surrogateescape")))
INVENTED = st.lists(PIECES.map("".join) | st.just("**"), min_size=1, max_size=3).map("/".join)


@st.composite
def derived(draw: st.DrawFn, names: Collection[bytes]) -> str:
    """Return a glob made of a name, so that it is likely to select something."""
    glob = "".join(draw(blurred(bytes([byte]))) for byte in draw(st.sampled_from(sorted(names))))
    cut = draw(st.integers(1, len(glob)))
    return draw(st.sampled_from(["", "", "**/"])) + glob[:cut] + draw(st.sampled_from(["", "/", "**", "/**"]))


def blurred(byte: bytes) -> st.SearchStrategy[str]:
    """Return globs that select this byte, or just not."""
    text = byte.decode("utf-8", "surrogateescape")
    if text == "/":
        return st.sampled_from(["/", "/", "/**/", "**/", "/*/"])
    same = "\\" + text
    others = ["*", "?", "**", f"[{same}-z]", f"[!{same}x]", f"[{same}]", f"[b-{same}]", f"[[:alpha:]{same}]"]
    return st.just(same if text == "\\" else text) | st.sampled_from([same, *others])


def tidy(glob: str) -> bool:
    """Whether git takes the path of a glob as it stands; we refuse what git would shorten."""
    return {"", "\\", ".", ".."}.isdisjoint(glob.removesuffix("/").split("/"))


def folder_of(glob: str) -> str:
    """Return what stands before `/**`, whose slash may be quoted as well."""
    folder = glob.removesuffix("/**")
    quotes = len(folder) - len(folder.rstrip("\\"))
    return folder[: len(folder) - quotes % 2]


def check(git: Git, names: Collection[bytes], glob: str) -> None:
    asked = "\\" + glob if glob.startswith("!") else glob  # a leading `!` is ours
    expected = git.select(asked)
    try:
        found = select(names, asked)
    except InvalidError:  # then git can only select what is spelled exactly so
        literal = asked.encode("utf-8", "surrogateescape").removesuffix(b"/")
        assert all(name == literal or name.startswith(literal + b"/") for name in expected)
        return
    if asked.endswith("/**") and folder_of(asked):  # ours too: the folder itself
        expected |= git.select(folder_of(asked))
    assert found == expected


@WITH_FILES
@given(data=st.data(), names=FOLDERS)
def test_a_glob_selects_what_git_selects(git: Git, data: st.DataObject, names: set[bytes]) -> None:
    git.track(names)
    for glob in data.draw(st.lists((derived(names) | INVENTED).filter(tidy), min_size=1, max_size=6), "globs"):
        check(git, names, glob)


@pytest.mark.parametrize(
    ("glob", "names", "selected"),
    [
        ("**/*.go", {b"a.go", b"x/a.go", b"x/y/a.go", b"a.c"}, {b"a.go", b"x/a.go", b"x/y/a.go"}),
        ("a/**/b", {b"a/b", b"a/x/b", b"a/x/y/b", b"ab"}, {b"a/b", b"a/x/b", b"a/x/y/b"}),
        ("a**/b", {b"a/b", b"ab", b"ax/y/b"}, {b"a/b", b"ab", b"ax/y/b"}),
        ("a**b", {b"ab", b"axb", b"a/b"}, {b"ab", b"axb"}),
        (r"**\/b", {b"b", b"a/b", b"a/x/b"}, {b"a/b", b"a/x/b"}),
        ("*", {b"a", b".hidden", b"d/a"}, {b"a", b".hidden"}),
        ("a?c", {b"abc", b"a/c", b"ac", b"a\nc"}, {b"abc", b"a\nc"}),
        ("?", {b"a", "é".encode()}, {b"a"}),
        ("d", {b"d/x", b"d/y/z", b"dx"}, {b"d/x", b"d/y/z"}),
        ("d/", {b"d/x", b"d/y/z", b"dx"}, {b"d/x", b"d/y/z"}),
        ("d*", {b"d/x", b"dx"}, {b"dx"}),
        ("d*/", {b"d/x", b"dx"}, set()),
        ("[]a]x", {b"]x", b"ax", b"bx"}, {b"]x", b"ax"}),
        ("[!]a]x", {b"]x", b"ax", b"bx"}, {b"bx"}),
        ("[^a-c]x", {b"ax", b"dx", b"x"}, {b"dx"}),
        ("[c-a]x", {b"ax", b"bx", b"cx"}, {b"cx"}),
        ("[a-[:digit:]]x", {b"ax", b":]x", b"1x", b"bx"}, {b":]x"}),
        ("[[:digit:][:upper:]_]x", {b"1x", b"Ax", b"_x", b"ax"}, {b"1x", b"Ax", b"_x"}),
        ("a[/]b", {b"a/b", b"ab"}, set()),
        (r"\*", {b"*", b"a"}, {b"*"}),
        (r"\!a", {b"!a", b"a"}, {b"!a"}),
        ("a b/\"c'", {b"a b/\"c'", b"a"}, {b"a b/\"c'"}),
        ("größe/*", {"größe/x".encode(), "größer/x".encode()}, {"größe/x".encode()}),
        ("*.md", {b"\xff.md", b"a\n.md", b"a.MD"}, {b"\xff.md", b"a\n.md"}),
        ("é[é-ü]", {"éé".encode()}, set()),
    ],
)
def test_a_glob_means_what_it_means_to_git(git: Git, glob: str, names: set[bytes], selected: set[bytes]) -> None:
    kept = compatible(names)
    git.track(kept)
    assert select(kept, glob) == git.select(glob) == selected & kept


POSIX_CLASSES = ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper"]


def test_every_byte_is_in_the_same_posix_classes_as_in_git(git: Git) -> None:
    names = {bytes([byte]) for byte in range(1, 256) if bytes([byte]) not in (b".", b"/")}
    git.track(names)
    for name in (*POSIX_CLASSES, "xdigit"):
        for glob in (f"[[:{name}:]]", f"[![:{name}:]]"):
            assert select(names, glob) == git.select(glob), glob


@pytest.mark.parametrize("glob", ["dir/**", "d*/**", "**/dir/**"])
def test_everything_in_a_folder_includes_a_submodule_in_its_place(git: Git, glob: str) -> None:
    git.track({b"dir"}, mode=b"160000")
    assert git.select(glob) == set()
    assert select({b"dir"}, glob) == {b"dir"}


@pytest.mark.parametrize(
    ("globs", "selected"),
    [
        (("**", "!docs/**"), {b"a.go", b"a.md"}),
        (("!docs/**", "**"), {b"a.go", b"a.md", b"docs/x.md", b"docs/keep"}),
        (("**", "!**/*.md", "docs/**"), {b"a.go", b"docs/x.md", b"docs/keep"}),
        (("**", "!docs/**", "docs/keep"), {b"a.go", b"a.md", b"docs/keep"}),
        (("a.*", "!a.*"), set()),
        (("*.go", "!docs"), {b"a.go"}),
    ],
)
def test_a_leading_exclamation_mark_deselects_and_the_last_match_wins(
    globs: tuple[str, ...], selected: set[bytes]
) -> None:
    assert select({b"a.go", b"a.md", b"docs/x.md", b"docs/keep"}, *globs) == selected


def test_the_quoted_name_of_a_folder_does_not_select_what_is_in_it(git: Git) -> None:
    git.track({b"[ab/a", b"c/a"})
    assert git.select(r"\[ab") == select({b"[ab/a", b"c/a"}, r"\[ab") == set()
    assert git.select("c") == select({b"[ab/a", b"c/a"}, "c") == {b"c/a"}


@given(st.lists(NAMES.filter(bytes.strip), min_size=1, max_size=4), st.data())
def test_the_last_glob_that_matches_decides(names: list[bytes], data: st.DataObject) -> None:
    literal = [re.sub(r"([*?\[\\!])", r"\\\1", name.decode("utf-8", "surrogateescape")) for name in names]
    marks = data.draw(st.lists(st.sampled_from(["", "!"]), min_size=len(names), max_size=len(names)))
    globs = ["a*", *map(str.__add__, marks, literal)]
    # What is in a folder is selected by its name as it stands: git compares it as text, a quoting backslash included.
    below = [
        index
        for index, (name, glob) in enumerate(zip(names, literal, strict=True))
        if names[0] == name or ("\\" not in glob and names[0].startswith(name + b"/"))
    ]
    assert Globs(tuple(globs)).match(names[0]) == (marks[max(below)] == "")


@pytest.mark.parametrize(
    ("glob", "rule"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("/a", "leading slash"),
        ("a//b", "empty parts"),
        (r"a/\/**", "empty parts"),
        ("./a", "'.'"),
        ("a/../b", "'..'"),
        ("a/.", "'.'"),
        ("[a", "not closed"),
        ("[]", "not closed"),
        ("[[:alpha:]", "not closed"),
        ("a\\", "backslash"),
        ("[[:bogus:]]", "unknown class"),
        ("[[:ALPHA:]]", "unknown class"),
    ],
)
def test_a_glob_that_can_match_nothing_is_refused_with_the_rule(glob: str, rule: str) -> None:
    with pytest.raises(InvalidError, match="can match nothing") as refused:
        Globs(("ok", glob))
    assert repr(glob) in refused.value.message
    assert rule in refused.value.hint


@pytest.mark.parametrize("globs", [(), ("!a",), ("!a", "!b")])
def test_globs_that_select_nothing_together_are_refused(globs: tuple[str, ...]) -> None:
    with pytest.raises(InvalidError, match="can match nothing"):
        Globs(globs)


@pytest.mark.parametrize("glob", ["**/" * 20 + "b", "**/a*" * 8, "*a" * 12])
def test_a_glob_with_many_stars_is_matched_in_no_time(glob: str) -> None:
    assert not Globs((glob,)).match(b"a/" * 30 + b"c")


@pytest.mark.parametrize(("path", "verdict"), [(b"a/x", True), (b"a/x.md", False), (b"b", None)])
def test_a_deselected_file_is_told_from_one_that_no_glob_names(path: bytes, verdict: bool | None) -> None:  # noqa: FBT001
    assert Globs(("a/**", "!**/*.md")).verdict(path) is verdict


@given(NAMES.filter(bytes.strip))
def test_a_quoted_path_selects_that_file(name: bytes) -> None:
    glob = quoted(name.decode("utf-8", "surrogateescape"))
    assert select({name, b"zz", name + b"z"}, glob) == {name}
