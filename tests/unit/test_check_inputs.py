"""Each fault planted into a small monorepo is found, alone; what is no fault stays quiet."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from orbit_release import config
from orbit_release.check.configuration_file import ConfigurationFile, lines
from orbit_release.check.finding import Finding, Note
from orbit_release.check.inputs.input_rules import check_inputs
from orbit_release.check.tree import Tree

CONFIGURATION = """\
image: ghcr.io/acme/{service}
manifests: k8s
services:
  api:
    context: CONTEXT
    dockerfile: services/api/Dockerfile
    build_args: {DIR: lib}
    paths:
PATHS
"""
DOCKERFILE = "services/api/Dockerfile"
FILES = {
    "go.work": "go 1.24\nuse (\n\t./lib // ours\n\t./services/api\n)\n",
    "k8s/api.yaml": "image: ghcr.io/acme/api\n",
    "lib/go.mod": "module lib\n",
    "lib/a.go": "",
    "lib/deep/b.go": "",
    "lib/README.md": "",
    "proto/go.mod": "module proto\n",
    "proto/x.proto": "",
    "services/api/go.mod": "module api\nreplace (\n\tproto => ../../proto\n)\n",
    "services/api/main.go": "",
    "services/api/my file.txt": "",
    "web/[id].ts": "",
    "web/package.json": "",
    "vendored": "",  # a submodule
    ".gitignore": "*.jar\n/dist/\n",
}
OWN = "services/api/**"


def found(
    dockerfile: str | bytes | None,
    *paths: str,
    files: Mapping[str, str | None] | None = None,
    context: str = ".",
) -> list[Finding | Note]:
    """Return what is found in the monorepo with this Dockerfile; `files` puts others, `-> target` links, or none."""
    globs = "\n".join(f"      - {glob!r}" for glob in (paths or (OWN,)))
    data = CONFIGURATION.replace("CONTEXT", context).replace("PATHS", globs).encode()
    there = {**FILES, DOCKERFILE: dockerfile, **(files or {})}
    texts = {path: text for path, text in there.items() if text is not None}
    links = {
        path: text[3:] if isinstance(text, str) and text.startswith("-> ") else None for path, text in texts.items()
    }

    def read(path: str) -> bytes:
        text = texts[path]
        return text if isinstance(text, bytes) else text.encode()

    configuration = ConfigurationFile("orbit-release.yaml", lines(data))
    services = config.load(data, "orbit-release.yaml").services
    return list(check_inputs(services, Tree(links, read), configuration, made_later))


def made_later(paths: Collection[str]) -> set[str]:
    """Return what git would ignore by the .gitignore of the monorepo."""
    return {path for path in paths if path.endswith(".jar") or path.partition("/")[0] == "dist"}


@pytest.mark.parametrize(
    ("dockerfile", "line", "fix"),
    [
        ("FROM a\nCOPY lib /l\n", 2, "`lib/**`"),
        ("FROM a\nCOPY ./lib/ services/api/main.go /l/\n", 2, "`lib/**`"),
        ("FROM a\nADD /lib/a.go /l/\n", 2, "`lib/a.go`"),
        ("FROM a\nCOPY ../../lib/deep/ /l/\n", 2, "`lib/deep/**`"),
        ("FROM a\nCOPY lib/*.go /l/\n", 2, "`lib/*.go`"),
        ("FROM a\nCOPY [^s]*/deep /l/\n", 2, "`[^s]*/deep/**`"),
        ("FROM a\nCOPY --parents lib/**/b.go /l/\n", 2, "`lib/**/b.go`"),
        ("FROM a\nCOPY --exclude=*.md --exclude=*.mod --exclude=a.go lib /l/\n", 2, "`lib/**`"),
        ("FROM a\nCOPY --link --chown=1:1 lib/a.go lib/deep /l/\n", 2, "`lib/a.go`, `lib/deep/**`"),
        ('FROM a\nCOPY ["lib/a.go", "/l/"]\n', 2, "`lib/a.go`"),
        ("FROM a\nCOPY web/[[]id].ts /l/\n", 2, "`web/[[]id].ts`"),
        ("FROM a\nCOPY web/*.ts web/package.json /l/\n", 2, "`web/*.ts`, `web/package.json`"),
        ("FROM a\nARG DIR=proto\nCOPY $DIR/a.go /l\n", 3, "`lib/a.go`"),
        ("FROM a\nARG D\nENV D=lib\nCOPY ${D}/a.go /l\n", 4, "`lib/a.go`"),
        ("ARG D=lib\nFROM a\nARG D\nCOPY $D/a.go /l\n", 4, "`lib/a.go`"),
        ("FROM a AS b\nENV D lib\nFROM b\nCOPY $D/a.go /l\n", 4, "`lib/a.go`"),
        ('FROM a\nENV D="lib" E=x\nCOPY ${E:+$D}/${F:-a}.go /l\n', 3, "`lib/a.go`"),
        ("FROM a\nRUN --mount=type=bind,source=lib/a.go,target=/l make\n", 2, "`lib/a.go`"),
        ("FROM a\nRUN --mount=src=lib/deep,target=/l make\n", 2, "`lib/deep/**`"),
        ("FROM a\nCOPY \\\n  # why\n\n  services/api/main.go \\\n  lib/a.go /l/\n", 2, "`lib/a.go`"),
        ("# escape=`\nFROM a\nCOPY `\n  lib\\a.go C:\\l\\\n", 3, "`lib/a.go`"),
        ("\ufeffFROM a\r\ncopy lib/a.go \\\r\n  /l\r\n", 2, "`lib/a.go`"),
        ("FROM a\nCOPY <<EOF lib/a.go /l/\nCOPY proto /p\nEOF\n", 2, "`lib/a.go`"),
        ("FROM a AS dev\nCOPY lib/a.go /l\nFROM b\n", 2, "`lib/a.go`"),
        ("FROM a\nCOPY vendored/x /v\n", 2, "`vendored`"),
    ],
)
def test_what_is_copied_and_no_input_is_found_at_its_statement(dockerfile: str, line: int, fix: str) -> None:
    (one,) = found(dockerfile)
    assert isinstance(one, Finding)
    assert (one.rule.name, one.path, one.line) == ("inputs-copied", DOCKERFILE, line)
    assert one.fix == f"add {fix} to the paths of api."


YAML = "orbit-release.yaml"
D2 = f"{DOCKERFILE}:2"
IGNORE = f"{DOCKERFILE}.dockerignore"
GOMOD = "services/api/go.mod"
WITH_PROTO = (OWN, "proto/**")
OUR = "COPY services/api /api"
Row = tuple[str, str, str, str, tuple[str, ...], dict[str, str | None]]
LIB_WANTS_WEB: dict[str, str | None] = {"lib/go.mod": "replace c => ../web"}
MANY: dict[str, str | None] = {f"lib/{name}": "" for name in "cdefghij"}
ROWS: list[Row] = [
    ("copied", D2, "`lib/a.go`, `lib/deep/**`, `lib/go.mod`", "COPY lib /l", (OWN, "lib/*.md"), {}),
    ("copied", D2, "`here`, `lib/deep/**`", "COPY here /l", (), {"here": "-> lib/deep"}),
    ("copied", D2, "`here`, `lib/deep/b.go`", "COPY here/b.go /l", (), {"here": "-> lib/deep"}),
    ("copied", D2, "`a[*]b`", "COPY a[*]b /l", (), {"a*b": ""}),
    ("copied", D2, "`lib/**`", "COPY lib /l", (), MANY),
    ("copied", D2, "`here`, `lib/**`", "COPY here /l", (OWN, "lib/*.md"), {"here": "-> lib", **MANY}),
    ("copied", D2, r"`\!xy`", "COPY !xy /", (), {"!xy": ""}),
    ("copied", D2, r"`\!xy`", "COPY !x* /", (), {"!xy": ""}),
    ("context-copied", D2, "add `**` to the paths of api, with a `!…`", "COPY . .", (), {}),
    ("context-copied", D2, f"out by {IGNORE}", "RUN --mount=target=. make", (), {}),
    ("context-copied", D2, "out by .dockerignore", "ADD . .", (), {".dockerignore": "web\n"}),
    ("missing", D2, "commit it", "COPY libs /l", (), {}),
    ("missing", D2, "commit it", "RUN --mount=source=l*b,target=/l make", (), {}),
    ("missing", D2, "add `!lib/a.go`", "COPY lib/a.go /l", ("lib/**",), {".dockerignore": "**/*.go\n"}),
    ("missing", D2, f"`!lib` at the end of {IGNORE}", "COPY lib /l", ("lib/**",), {IGNORE: "lib"}),
    ("missing", D2, "commit it", "COPY gone /l", ("gone",), {"gone": "-> nowhere"}),
    ("context", f"{YAML}:5", "write `context: services/api`.", "COPY main.go go.mod /api/", (), {}),
    ("replaced", "services/api/go.mod:3", "`proto/**`", OUR, (), {}),
    ("replaced", "services/api/go.mod:2", "`proto/**`", OUR, (), {GOMOD: "module a\nreplace proto v1 => ../../proto"}),
    ("replaced", "go.work:3", "`lib/**`", "COPY go.work /\nCOPY proto /p", (OWN, "proto/**", "go.work"), {}),
    ("dead-glob", f"{YAML}:10", "`doc/**` meant?", "COPY proto /p", ("proto/**", "doc"), {}),
    ("dead-glob", f"{YAML}:9", "remove it", "COPY proto /p", ("docs/**", "proto/**"), {}),
    ("dead-glob", f"{YAML}:9", "remove it", "COPY proto /p", ("**/*.rs", "proto/**"), {}),
    ("linked", f"{YAML}:8", "`lib/deep/**`", OUR, WITH_PROTO, {"services/api/l": "-> ../../lib/deep"}),
    ("linked", f"{YAML}:8", "`lib/a.go`", OUR, WITH_PROTO, {"services/api/l": "-> ../../lib/a.go"}),
    ("linked", f"{YAML}:8", "mend or remove", OUR, WITH_PROTO, {"services/api/l": "-> ../../../x"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "place", "fix", "statements", "paths", "files"), ROWS)
def test_a_fault_is_found_alone(
    rule: str, place: str, fix: str, statements: str, paths: tuple[str, ...], files: dict[str, str | None]
) -> None:
    (one,) = found(f"FROM a\n{statements}\n", *paths, files=files)
    assert isinstance(one, Finding)
    assert (one.rule.name, f"{one.path}:{one.line}") == (f"inputs-{rule}", place)
    assert fix in one.fix


def test_a_context_that_is_not_there_is_found_alone() -> None:
    (one,) = found("FROM a\nCOPY a /\n", context="servces")
    assert isinstance(one, Finding)
    assert (one.rule.name, one.path, one.line) == ("inputs-no-context", YAML, 5)


def test_the_context_may_be_wrong_the_other_way_round() -> None:
    (one,) = found("FROM a\nCOPY services/api/main.go lib/a.go /\n", context="services/api")
    assert isinstance(one, Finding)
    assert (one.rule.name, one.fix) == ("inputs-context", "write `context: .`.")


def test_what_is_missing_on_one_line_is_one_finding() -> None:
    (one,) = found("FROM a\nCOPY main.rs proto gone /\n", "proto/**")
    assert isinstance(one, Finding)
    assert one.message == "main.rs, gone: not there in the context"


@pytest.mark.parametrize(
    ("dockerfile", "paths", "files"),
    [
        ("COPY services/api/main.go /", (), {}),
        ('COPY ["services/api/my file.txt", "/"]', (), {}),
        ("COPY services/*/main.go nothing* [z]x /", (), {}),
        ("COPY <<EOF <<-'X' /f\nCOPY lib /l\nEOF\n\tX", (), {}),
        ("RUN <<EOF\nCOPY lib /l\nEOF", (), {}),
        ("COPY --from=a lib /l\nCOPY --from=image:1 --link /lib /l", (), {}),
        ("ONBUILD COPY lib /l\nONBUILD ADD gone /l", (), {}),
        ("ADD https://host/x git@host:o/r.git#main ssh://git@host/r /", (), {}),
        ("ADD https://host/v$VERSION/x.jar /", (), {}),
        ("RUN --mount=type=cache,source=lib,target=/c --mount=type=secret,id=x make", (), {}),
        ("RUN --mount=type=bind,from=a,source=lib,target=/c make", (), {}),
        ("# COPY lib /l\nRUN make \\\n # COPY lib /l\n && true", (), {}),
        ("COPY lib /l", (OWN, "lib/**", "proto/**"), {}),
        ("COPY lib /l", (), {".dockerignore": "lib/*\n"}),
        ("COPY lib /l", (OWN, "lib/a.go"), {".dockerignore": "**\n!lib/a.go\n"}),
        ("COPY lib /l", (OWN, "lib/a.go"), {".dockerignore": "*", IGNORE: "lib\n!lib/a.go\n"}),
        ("COPY --exclude=*.go --exclude=deep --exclude=go.mod lib /l", (OWN, "lib/*.md"), {}),
        ("COPY . .", ("**", "!k8s/**"), {}),
        ("COPY . .", (OWN,), {".dockerignore": "*\n!services/api/main.go\n"}),
        ("COPY proto lib/*.go /p/", ("proto/**", "**/*.go", "!lib/**"), {}),
        (f"{OUR}\nCOPY lib /l", (OWN, "lib/**"), {GOMOD: "replace b => ../../lib", **LIB_WANTS_WEB}),
        (OUR, (OWN,), {"services/api/vendor/modules.txt": ""}),
        (OUR, (OWN,), {GOMOD: "module a\nreplace b => example.com/b v1\n"}),
        (OUR, (OWN,), {GOMOD: "module a\n// replace b => ../../lib\n"}),
        (OUR, (OWN,), {GOMOD: "replace b => ../../../b\n"}),
        ("COPY services/api lib /l/", (OWN, "lib/**"), {GOMOD: "replace b => ../../lib\n"}),
        (OUR, WITH_PROTO, {"services/api/l": "-> /usr/share/x"}),
        (OUR, WITH_PROTO, {"services/api/l": "-> main.go"}),
        (OUR, WITH_PROTO, {".dockerignore": "**/l", "services/api/l": "-> ../../lib"}),
        (OUR, WITH_PROTO, {"services/api/l": "-> ../../p/x.proto", "p": "-> proto"}),
        ("COPY proto /p", ("proto/**", "!nothing/**"), {}),
        ("COPY proto /p", ("proto", "vendored/**"), {}),
        ("COPY .dockerignore services/api/Dockerfile /x/", ("proto/**",), {".dockerignore": "\n"}),
    ],
)  # fmt: skip
def test_what_is_no_fault_stays_quiet(dockerfile: str, paths: tuple[str, ...], files: dict[str, str | None]) -> None:
    assert found(f"FROM a\n{dockerfile}\n", *paths, files=files) == []


@pytest.mark.parametrize(
    ("dockerfile", "files", "note"),
    [
        (None, {}, f"api is absent: {DOCKERFILE} is not there"),
        ("COPY out/$UNKNOWN/x /", {}, f"{DOCKERFILE}:2: out/$UNKNOWN/x depends on a variable that has no value here"),
        ("ENV D=$HOME\nCOPY $D/x /", {}, f"{DOCKERFILE}:3: $D/x depends on a variable that has no value here"),
        ("COPY ${DIR##*/} /", {}, f"{DOCKERFILE}:2: ${{DIR##*/}} depends on a variable that has no value here"),
        ("COPY services/api/x.jar /", {}, f"{DOCKERFILE}:2: services/api/x.jar must be made before the build: git"),
        ("COPY dist/web /", {}, f"{DOCKERFILE}:2: dist/web must be made before the build: git ignores it"),
        ("COPY lib /", {".dockerignore": "[z-a]"}, "api: what its Dockerfile copies cannot be told: ignore file"),
        ("COPY [z-a] /", {}, "api: what its Dockerfile copies cannot be told: line 2: invalid pattern '[z-a]'"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_a_note(dockerfile: str | None, files: dict[str, str | None], note: str) -> None:
    notes = found(f"FROM a\n{dockerfile}\n" if dockerfile else None, files=files)
    assert [type(one) for one in notes] == [Note]
    assert notes[0].message.startswith(note)


def test_links_that_lead_to_nothing_are_noted_together() -> None:
    files = {f"services/api/{name}": "-> nothing" for name in "xy"}
    (one,) = found(f"FROM a\n{OUR}\n", *WITH_PROTO, files=files)
    assert isinstance(one, Note)
    assert one.message == "api: links in the image lead to nothing that git knows: services/api/x and 1 more"


def test_a_context_that_git_ignores_is_a_note() -> None:
    (one,) = found("FROM a\nCOPY a /\n", context="dist")
    assert isinstance(one, Note)
    assert one.message == "api: its context dist must be made before the build: git ignores it"


def test_a_dockerfile_is_read_over_a_link_whose_target_is_an_input() -> None:
    files = {"services/base.Dockerfile": "FROM a\nCOPY lib/a.go /l\n"}
    copied, linked = found("-> ../base.Dockerfile", files=files)
    assert isinstance(copied, Finding)
    assert isinstance(linked, Finding)
    assert (copied.rule.name, linked.rule.name) == ("inputs-copied", "inputs-linked")
    assert linked.fix == "add `services/base.Dockerfile` to the paths of api."


def test_a_dockerfile_may_hold_any_bytes() -> None:
    assert found(b"FROM a\n# \xff\xfe\nCOPY services/api/main.go /\n") == []


def test_what_no_release_changes_may_be_an_input_beside_the_manifests() -> None:
    assert found("FROM a\nCOPY k8s/a.sql /\n", OWN, "k8s/*.sql", files={"k8s/a.sql": ""}) == []


def test_all_may_be_inputs_for_what_a_release_edits_is_none() -> None:
    assert found("FROM a\nCOPY . .\n", "**") == []
