"""The globs are git's `:(glob)` pathspecs: git itself is the oracle."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from orbit_release.core.paths import Globs
from orbit_release.errors import InvalidError

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
    pieces = [piece for c in draw(st.sampled_from(sorted(names))) for piece in draw(blurred(bytes([c])))]
    cut = draw(st.integers(1, len(pieces)))
    return (
        draw(st.sampled_from(["", "", "**/"])) + "".join(pieces[:cut]) + draw(st.sampled_from(["", "/", "**", "/**"]))
    )


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
    return {"", ".", ".."}.isdisjoint(glob.removesuffix("/").split("/"))


def check(git: Git, names: Collection[bytes], glob: str) -> None:
    asked = "\\" + glob if glob.startswith("!") else glob  # a leading `!` is ours
    expected = git.select(asked)
    try:
        found = select(names, asked)
    except InvalidError:  # then git can only select what is spelled exactly so
        literal = asked.encode("utf-8", "surrogateescape").removesuffix(b"/")
        assert all(name == literal or name.startswith(literal + b"/") for name in expected)
        return
    if asked.endswith("/**"):  # ours too: the folder itself
        expected |= git.select(asked.removesuffix("/**"))
    assert found == expected


@WITH_FILES
@given(data=st.data(), names=FOLDERS)
def test_a_glob_selects_what_git_selects(git: Git, data: st.DataObject, names: set[bytes]) -> None:
    git.track(names)
    for glob in data.draw(st.lists((derived(names) | INVENTED).filter(tidy), min_size=1, max_size=6), "globs"):
        check(git, names, glob)
