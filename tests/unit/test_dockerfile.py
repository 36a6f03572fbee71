from __future__ import annotations

import pytest

from orbit_release.builders.dockerfile import BuildKitNeed, buildkit_needs
from orbit_release.builders.ignore_file import ignore_rules, is_ignored
from orbit_release.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("FROM a\nRUN --mount=type=cache,target=/c make\n", 2, "RUN --mount"),
        ("FROM a\nrun --network=none make\n", 2, "RUN --network"),
        ("FROM a\nRUN --security=insecure make\n", 2, "RUN --security"),
        ("FROM a\nRUN \\\n  # why\n\n  --mount=type=secret,id=x \\\n  make\n", 2, "RUN --mount"),
        ("FROM a\nRUN <<EOF\nmake\nEOF\n", 2, "RUN <<EOF"),
        ("FROM a\nRUN cat <<-'END' > /f\n\tx\n\tEND\n", 2, "RUN <<-'END'"),
        ("FROM a\nCOPY <<a.txt <<b.txt /\n1\na.txt\n2\nb.txt\n", 2, "COPY <<a.txt"),
        ("FROM a\nCOPY --link a b\n", 2, "COPY --link"),
        ("FROM a\nCOPY --chown=1:1 --chmod=755 a b\n", 2, "COPY --chmod"),
        ("FROM a\nCOPY --parents a b\n", 2, "COPY --parents"),
        ("FROM a\nCOPY --exclude=*.md a b\n", 2, "COPY --exclude"),
        ("FROM a\nADD --checksum=sha256:0 https://host/f f\n", 2, "ADD --checksum"),
        ("FROM a\nADD https://host/o/r.git#main /src\n", 2, "ADD https://host/o/r.git#main"),
        ("FROM a\nADD git@host:o/r.git /src\n", 2, "ADD git@host:o/r.git"),
        ("FROM a\nONBUILD RUN --mount=type=ssh make\n", 2, "RUN --mount"),
        ("FROM --platform=$BUILDPLATFORM a\n", 1, "FROM --platform=$BUILDPLATFORM"),
        ("FROM a\nARG TARGETARCH\n", 2, "ARG TARGETARCH"),
        ("# syntax=example/other:1\nFROM a\n", 1, "syntax=example/other:1"),
        ("# escape=`\r\nFROM a\r\nRUN `\r\n  --mount=type=ssh x\r\n", 3, "RUN --mount"),
        ("\ufeffFROM a\nRUN --mount=type=ssh x\n", 2, "RUN --mount"),
    ],
)
def test_what_only_buildkit_can_do_is_found_with_its_line(text: str, line: int, what: str) -> None:
    assert buildkit_needs(text) == (BuildKitNeed(line, what),)


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=docker/dockerfile:1.7\nFROM --platform=linux/amd64 a AS b\nCOPY --from=b --chown=1 a b\n",
        "FROM a\nHEALTHCHECK --interval=5s CMD x\n",
        "FROM a\nRUN echo \"<<EOF\"\nRUN echo '\n<<EOF'\nEOF\n",
        'FROM a\nRUN ["sh", "-c", "cat <<EOF"]\nEOF\n',
        "FROM a\nRUN echo $((1 <<2))\n",
        "FROM a\nRUN cat <<<word\nword\n",
        "FROM a\nRUN make --mount=x\n",
        "FROM a\n# RUN --mount=type=ssh x\nRUN make\n",
        "FROM a\nRUN make \\\n # --mount=type=ssh\n && true\n",
        "FROM a\nRUN echo C:\\\\\nENV RUN --mount\n",
        "FROM a\nARG TARGETARCH=amd64\nADD https://host/r.tgz /src\n",
        "\\\n",
        "",
    ],
)
def test_what_the_engine_builds_itself_is_left_alone(text: str) -> None:
    assert buildkit_needs(text) == ()


def test_the_lines_of_a_heredoc_are_no_instructions() -> None:
    text = "FROM a\nRUN <<EOF\nRUN --mount=x y\nEOF\nCOPY --link a b\n"
    assert buildkit_needs(text) == (BuildKitNeed(2, "RUN <<EOF"), BuildKitNeed(5, "COPY --link"))


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("", "a", False),
        ("a", "a/b/c", True),
        ("a", "b/a", False),
        ("/a/", "a", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/x.md", False),
        ("**/*.md", "docs/x.md", True),
        ("**/node_modules", "a/b/node_modules/c/d", True),
        ("docs/**", "docs/a/b", True),
        ("*.md\n!README.md", "README.md", False),
        ("!README.md\n*.md", "README.md", True),
        ("*\n!src/**", "src/a", False),
        ("**/node_modules\n!a/node_modules/keep", "a/node_modules/lose", True),
        ("**/keys\n!a/b/keys/public", "a/b/keys/private", True),
        ("*\n!**/*.go", "src/a.go", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a]x", "bx", True),
        (r"\*", "a", False),
        ("#a", "#a", False),
        (" a ", "a", True),
        ("A", "a", False),
        ("a.c", "abc", False),
        ("b/../a", "a", True),
        (".", "a", False),
    ],
)
def test_an_ignore_file_means_what_docker_reads_in_it(rules: str, path: str, *, ignored: bool) -> None:
    assert is_ignored(ignore_rules(rules), path) is ignored


def test_a_pattern_that_means_nothing_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"invalid pattern '\[z-a\]'"):
        ignore_rules("[z-a]")
