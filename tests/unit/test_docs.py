"""The manual is true as far as a program can tell: links, generated parts, commands, exit codes, variables."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import orbit_release
from orbit_release import config, errors
from orbit_release.check.run_rules import RULES
from orbit_release.cli.doctor import GROUPS
from orbit_release.cli.entry import cli
from orbit_release.cli.session import INTERRUPTED
from orbit_release.planning.actions import Action
from tests.manual import DOCS, README, ROOT, blocks, tokens

PACKAGE = Path(orbit_release.__file__).parent
MANUAL = (README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md")))
PAGES = (*MANUAL, *sorted((ROOT / "infrastructure").rglob("README.md")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCHEMA = json.loads((PACKAGE / "configuration.schema.json").read_bytes())
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
EVERY_PAGE_OF_THE_MANUAL = pytest.mark.parametrize("page", MANUAL, ids=lambda page: str(page.relative_to(ROOT)))

MOST_LINES = 200  # of the README
LARGEST_PICTURE = 200_000  # bytes
# Variables that libraries and other programs read, and we pass on.
FOREIGN_VARIABLES = {"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "HTTPS_PROXY", "NO_PROXY"}
FOREIGN_VARIABLES |= {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
# Variables of runners and tests that the command itself does not know.
OTHER_OWN_VARIABLES = {"ORBIT_RELEASE_COMPLETE", "ORBIT_RELEASE_TEST_REGISTRY"}
# Options of argocd, in ARGOCD_OPTS.
FOREIGN_OPTIONS = {"--insecure", "--plaintext", "--grpc-web-root-path", "--header", "--server-crt", "--auth-token"}
FOREIGN_OPTIONS |= {"--argocd-context"}


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# Links


@cache
def anchors(page: Path) -> set[str]:
    """Return what GitHub lets links to a page name: its headings, with a number where one comes again."""
    found = tokens(page)
    titles = [found[place + 1] for place, token in enumerate(found) if token.type == "heading_open"]
    seen: Counter[str] = Counter()
    names = set()
    for title in titles:
        words = "".join(part.content for part in title.children or ())
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        names.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def links(page: Path) -> Iterator[str]:
    for token in tokens(page):
        yield from (str(token.attrs[name]) for name in ("href", "src") if name in token.attrs)


def leads_somewhere(page: Path, link: str) -> bool:
    address = urlsplit(link)
    if address.scheme:
        return address.scheme in {"https", "mailto"}
    target = (page.parent / unquote(address.path)).resolve() if address.path else page
    inside = target.is_relative_to(ROOT) and target.exists()
    return inside and (not address.fragment or address.fragment in anchors(target))


@EVERY_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("link", ["docs/nothing.md", "#nothing", "docs/model.md#nothing", "http://x.org", "../up.md"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert not leads_somewhere(README, link)


def test_headings_that_are_alike_have_a_number(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` c!\n## Same\n## Same\n\n```sh\n# none\n```\n")
    assert anchors(page) == {"a-b-c", "same", "same-1"}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [README]
    while left:
        page = left.pop()
        reached.add(page)
        targets = [(page.parent / urlsplit(link).path).resolve() for link in links(page) if not urlsplit(link).scheme]
        left += [target for target in targets if target in set(PAGES) - reached]
    assert set(PAGES) - reached == set()


def test_what_the_program_says_of_the_manual_is_there() -> None:
    sources = [*PACKAGE.rglob("*.py"), *PACKAGE.glob("*.json")]
    named = {link for source in sources for link in re.findall(r"\bdocs/[\w-]+\.md(?:#[\w-]+)?", text(source))}
    named |= {
        f"docs/{link}"
        for source in sources
        for link in re.findall(r"\{MANUAL\}/([\w-]+\.md(?:#[\w-]+)?)", text(source))
    }
    assert [link for link in named if not leads_somewhere(README, link)] == []


# Sizes and addresses


def test_the_readme_can_be_read_at_one_sitting() -> None:
    assert len(text(README).splitlines()) <= MOST_LINES


def test_pictures_are_small_and_say_what_they_show() -> None:
    pictures = [(page, token) for page in PAGES for token in tokens(page) if token.type == "image"]
    assert pictures
    assert [token.attrs["src"] for _, token in pictures if len(token.content) < len("a picture of")] == []
    files = [page.parent / str(token.attrs["src"]) for page, token in pictures]
    assert [file.name for file in files if file.stat().st_size > LARGEST_PICTURE] == []


def test_the_readme_installs_from_the_projects_own_address() -> None:
    assert set(re.findall(r"git\+(https://\S+)", text(README))) == {PROJECT["urls"]["Source"]}
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in text(README)


# Generated parts


def docs(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(folder / "scripts/docs"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stderr


def test_what_is_generated_is_fresh() -> None:
    assert docs(ROOT, "--check") == (0, "")


def test_what_is_stale_is_named_and_written_again(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/docs", tmp_path / "scripts/docs")
    shutil.copytree(DOCS, tmp_path / "docs")
    page = tmp_path / "docs/commands.md"
    page.write_text(text(page).replace("| `--force` |", "| `--farce` |"), encoding="utf-8")
    assert docs(tmp_path, "--check") == (
        1,
        "scripts/docs: stale: commands.md\nhint: run .venv/bin/python scripts/docs\n",
    )
    assert docs(tmp_path) == (0, "")
    assert text(page) == text(DOCS / "commands.md")


def test_check_names_every_rule_and_why() -> None:
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \| ([a-z]+) \| (.*) \|$", text(DOCS / "check.md"))
    assert rows == [(rule.name, rule.group.value, rule.why) for rule in RULES]


# Commands


COMMANDS = {
    name: command
    for name in cli.list_commands(click.Context(cli))
    if (command := cli.get_command(click.Context(cli), name))
}


def options(command: click.Command) -> dict[str, click.Option]:
    shown = [option for option in command.params if isinstance(option, click.Option)]
    names = {name: option for option in shown for name in (*option.opts, *option.secondary_opts)}
    help_ = click.Option(["-h", "--help"], is_flag=True)
    return {**names, "-h": help_, "--help": help_}


def calls(page: Path) -> Iterator[list[str]]:
    """Yield the command lines of a page, in code, without `orbit-release`."""
    for token in tokens(page):
        if token.type in {"fence", "code_block", "code_inline"} and token.info not in {"mermaid", "text"}:
            for line in token.content.replace("\\|", "|").splitlines():
                yield from map(words, re.findall(r"(?:^|[\s;&\"'`(])orbit-release ([^`;&#>]+)", line))
            if token.type == "code_inline" and token.content.partition(" ")[0] in COMMANDS:  # as in `plan --fetch`
                yield words(token.content.replace("\\|", "|"))


def words(call: str) -> list[str]:
    try:
        return shlex.split(call)
    except ValueError:  # half of what is quoted belongs to something else
        return call.split()


def faults(call: list[str]) -> Iterator[str]:
    """Yield what the command line does not know of a call; capitals and `…` stand for something else."""
    known, command = options(cli), ""
    rest = iter(call)
    for word in rest:
        name, _, value = word.partition("=")
        if word == "--":
            return
        if not word.startswith("-"):
            if not command:
                command = word
                if command not in COMMANDS:
                    yield f"no command {command}" * (command not in {"COMMAND", "…"})
                    return
                known = options(COMMANDS[command])
        elif not (option := known.get(name)):
            yield f"{command} has no option {name}"
        elif not option.is_flag:
            yield from unknown_choices(option, value or next(rest, ""))


def unknown_choices(option: click.Option, value: str) -> Iterator[str]:
    if isinstance(option.type, click.Choice) and not value.isupper():
        yield from (f"{option.opts[0]} is never {word}" for word in value.split("|") if word not in option.type.choices)


@EVERY_PAGE
def test_every_command_that_is_shown_can_be_typed(page: Path) -> None:
    assert [fault for call in calls(page) for fault in faults(call) if fault] == []


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("plant", "no command plant"),
        ("plan --based HEAD", "plan has no option --based"),
        ("-x plan", " has no option -x"),
        ("plan --format=yaml", "--format is never yaml"),
        ("bump api v1 --via git|ftp", "--via is never ftp"),
    ],
)
def test_a_command_that_cannot_be_typed_is_found(call: str, fault: str) -> None:
    assert list(faults(call.split())) == [fault]


@pytest.mark.parametrize(
    "call", ["-C DIR plan api --head HEAD~1", "build -- --no-such", "plan --format NAME", "COMMAND -h"]
)
def test_a_command_that_can_be_typed_is_none(call: str) -> None:
    assert list(filter(None, faults(call.split()))) == []


@EVERY_PAGE_OF_THE_MANUAL
def test_every_option_that_is_named_alone_exists(page: Path) -> None:
    known = {name for command in (cli, *COMMANDS.values()) for name in options(command)} | FOREIGN_OPTIONS
    inline = [token.content for token in tokens(page) if token.type == "code_inline"]
    named = [word for code in inline if code.startswith("--") for word in re.findall(r"(?<!\S)--[a-z][\w-]*", code)]
    assert [name for name in named if name not in known] == []


def test_the_manual_calls_every_command() -> None:
    called = {word for page in MANUAL if page != DOCS / "commands.md" for call in calls(page) for word in call[:1]}
    assert set(COMMANDS) - called == set()


# Configuration


def configurations() -> list[str]:
    return [block for page in MANUAL for block in blocks(page, "yaml") if re.search("(?m)^services:", block)]


@pytest.mark.parametrize("block", configurations())
def test_every_configuration_that_is_shown_is_valid(block: str) -> None:
    assert config.load(block.encode(), "orbit-release.yaml").services


def test_the_configuration_of_the_readme_has_ten_lines() -> None:
    (block,) = (block for block in blocks(README, "yaml") if "services:" in block)
    assert len(block.splitlines()) == 10


def test_every_key_is_described() -> None:
    top = SCHEMA["properties"]
    service = top["services"]["additionalProperties"]
    service = SCHEMA["$defs"][service["$ref"].rpartition("/")[2]] if "$ref" in service else service
    keys = {*(set(top) - {"argocd"}), *(f"argocd.{key}" for key in top["argocd"]["properties"])}
    keys |= {f"services.*.{key}" for key in service["properties"]}
    table = text(DOCS / "configuration.md").partition("## Keys\n")[2].partition("\n## ")[0]
    first = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    assert {key for cell in first for key in re.findall("`([^`]+)`", cell)} == keys


def test_the_step_of_the_readme_is_that_of_the_page() -> None:
    (step,) = (block for block in blocks(README, "yaml") if "uses: OWNER/" in block)
    assert step in blocks(DOCS / "github-actions.md", "yaml")


# Reference


def subclasses(kind: type[errors.OrbitReleaseError]) -> Iterator[type[errors.OrbitReleaseError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from subclasses(sub)


def test_every_exit_code_is_described() -> None:
    section = text(DOCS / "reference.md").partition("## Exit codes\n")[2].partition("\n## ")[0]
    described = [int(code) for code in re.findall(r"(?m)^\| (\d+) \|", section)]
    raised = {kind.exit_code for kind in subclasses(errors.OrbitReleaseError)}
    assert described == sorted({0, 1, INTERRUPTED} | raised)


def variables_that_are_read() -> tuple[set[str], set[str]]:
    """Return the variables that `cli` asks the environment for, and how the names begin that it puts together."""
    names, beginnings = set(), set()
    for file in (PACKAGE / "cli").glob("*.py"):
        for call in ast.walk(ast.parse(text(file))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "os.environ.get":
                match call.args[0]:
                    case ast.Constant(str(name)):
                        names.add(name)
                    case ast.JoinedStr([ast.Constant(str(beginning)), *_]):
                        beginnings.add(beginning)
    return names, beginnings


def test_every_environment_variable_is_described() -> None:
    section = text(DOCS / "reference.md").partition("## Environment variables\n")[2].partition("\n## ")[0]
    cells = re.findall(r"(?m)^\| (`.*?) \|", section)
    described = {name for cell in cells for name in re.findall("`([A-Z_]+)`", cell)}
    names, beginnings = variables_that_are_read()
    assert {"GITHUB_TOKEN", "NO_COLOR"} < names
    assert names - described == set()
    assert {start for start in beginnings if not any(name.startswith(start) for name in described)} == set()
    unread = described - names - FOREIGN_VARIABLES
    assert {name for name in unread if not name.startswith(tuple(beginnings))} == set()


def test_every_variable_of_an_option_exists() -> None:
    named = {
        f"ORBIT_RELEASE_{command}{option.name}".upper()
        for command, about in [("", cli), *((f"{name}_", about) for name, about in COMMANDS.items())]
        for option in about.params
        if isinstance(option, click.Option) and option.name
    }
    shown = {name for page in PAGES for name in re.findall(r"ORBIT_RELEASE_[A-Z_]*[A-Z]", text(page))}
    assert shown - named == OTHER_OWN_VARIABLES & shown


@pytest.mark.parametrize(
    ("page", "names"),
    [("model.md", list(Action)), ("doctor.md", list(GROUPS)), ("github-actions.md", ["Plan", "Build", "Release"])],
)
def test_a_page_has_a_row_for_each(page: str, names: list[str]) -> None:
    rows = re.findall(r"(?m)^\| `?([\w-]+)", text(DOCS / page))
    assert [name for name in names if name not in rows] == []


def test_development_names_every_room() -> None:
    (layout,) = (block for block in blocks(DOCS / "development.md", "text") if block.startswith("orbit_release/"))
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert set(re.findall(r"(?m)^  (\w+)/", layout)) == rooms
