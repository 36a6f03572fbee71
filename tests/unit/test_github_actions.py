"""What GitHub Actions reads, read back as its runner does (ActionCommand.cs in actions/runner)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st

from orbit_release.errors import AccessError, ConfigurationError, InvalidError, OrbitReleaseError
from orbit_release.globs import Globs
from orbit_release.image import ImageReference, Repository, Tag
from orbit_release.output.github_actions import command, error_lines, group, harmless, masks, warning_line
from orbit_release.output.plans import plan_summary
from orbit_release.output.releases import release_summary
from orbit_release.planning.actions import Action, Deployment, Plan, ServicePlan
from orbit_release.releases.messages import Notes, Step
from orbit_release.service import BuildSettings, Service

COMMANDS = {"error", "warning", "group", "endgroup", "add-mask", "stop-commands", "debug", "notice", "set-output"}


@dataclass
class Obeyed:
    name: str
    data: str
    properties: dict[str, str]


def obeyed(line: str) -> Obeyed | None:
    """Return the command that the runner finds in a line of the log."""
    found = re.match(r"\s*::(\S+?)(?: (.*?))?::(.*)", line, re.DOTALL)
    if found and found[1] in COMMANDS:
        pairs = (pair.split("=", 1) for pair in (found[2] or "").split(",") if "=" in pair)
        return Obeyed(found[1], _unescaped(found[3]), {key: _unescaped(value) for key, value in pairs})
    old = re.search(r"##\[([^\s\]]+)[^\]]*\](.*)", line, re.DOTALL)
    return Obeyed(old[1], old[2], {}) if old and old[1] in COMMANDS else None


def _unescaped(text: str) -> str:
    for token, escape in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(escape, token)
    return text


FOREIGN = st.lists(
    st.sampled_from(["::", ":", "##[", "]", "error", "add-mask", " ", "\t", "%0A", "%", ",", "=", "\n", "\r"])
    | st.text(max_size=4)
).map("".join)


@given(FOREIGN, FOREIGN)
def test_the_runner_reads_back_any_text_and_any_file(text: str, file: str) -> None:
    line = command("error", text, file=file)
    found = obeyed(line)
    assert found == Obeyed("error", text, {"file": file} if file else {})
    assert len(re.split(r"[\r\n]", line)) == 1


@given(FOREIGN.map(lambda text: re.sub(r"[\r\n]", "", text)))
def test_a_harmless_line_commands_nothing(text: str) -> None:
    assert obeyed(harmless(text)) is None


@pytest.mark.parametrize("line", ["web  build  -  sha-1a2b3c4", "a: b :: c", "## [x]", "", "  indented", "{}"])
def test_an_ordinary_line_stays_as_it_is(line: str) -> None:
    assert harmless(line) == line


def test_a_group_holds_no_command_but_its_own() -> None:
    lines = list(group("web", ["::endgroup::", "  ::add-mask::main", "step ##[error]x", "ok"]))
    assert [found.name if (found := obeyed(line)) else None for line in lines] == [
        "group",
        None,
        None,
        None,
        None,
        "endgroup",
    ]


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            ConfigurationError(
                "orbit-release.yaml:3:5: unknown key `pathz`\norbit-release.yaml:9:1: no services", "mend it."
            ),
            [
                "::error file=orbit-release.yaml,line=3,col=5::unknown key `pathz`",
                "::error file=orbit-release.yaml,line=9,col=1::no services%0Ahint: mend it.",
            ],
        ),
        (
            InvalidError("deploy/a,b.yaml:12: 50% is no tag"),
            ["::error file=deploy/a%2Cb.yaml,line=12::50%25 is no tag"],
        ),
        (AccessError("127.0.0.1:5000: denied", "log in."), ["::error::127.0.0.1:5000: denied%0Ahint: log in."]),
        (ConfigurationError("there is no orbit-release.yaml"), ["::error::there is no orbit-release.yaml"]),
        (AccessError("said\n::add-mask::x"), ["::error::said", "::error::::add-mask::x"]),
        (AccessError(""), ["::error::"]),
    ],
)
def test_an_error_is_an_annotation_at_its_place(error: OrbitReleaseError, lines: list[str]) -> None:
    assert list(error_lines(error)) == lines


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("k8s/api.yaml:13: not valid YAML: no", "::warning file=k8s/api.yaml,line=13::not valid YAML: no"),
        ("registry.test:5000: no answer", "::warning::registry.test:5000: no answer"),
        ("api: behind", "::warning::api: behind"),
    ],
)
def test_a_warning_is_an_annotation_at_the_manifest_that_it_is_about(message: str, line: str) -> None:
    assert warning_line(message) == line


@pytest.mark.parametrize(
    ("secret", "username", "masked"),
    [
        ("correct horse", "ada", ["correct horse"]),
        ("ada-the-user", "ada-the-user", []),
        ("short", "ada", []),
        ("", "ada", []),
        ('{\n"private_key": "x"\n}', "_json_key", ['"private_key": "x"']),
        ("100%-secret", "", ["100%-secret"]),
    ],
)
def test_a_secret_is_masked_and_a_user_name_is_not(secret: str, username: str, masked: list[str]) -> None:
    found = [one for line in masks(secret, username) if (one := obeyed(line))]
    assert [(one.name, one.data) for one in found] == [("add-mask", text) for text in masked]


def service_plan(name: str, action: Action, reason: str = "why", target: str | None = None) -> ServicePlan:
    repository = Repository(f"ghcr.io/acme/{name}")
    service = Service(name, repository, Globs(("x/**",)), BuildSettings(".", "Dockerfile"))
    return ServicePlan(service, action, reason, Deployment(ImageReference(repository, Tag("latest"))), target=target)


def test_a_summary_of_a_plan_names_what_is_pending_and_why() -> None:
    plans = (
        service_plan("web", Action.BUILD, "1 file changed: a|b`c @ada", "1a2b3c4" + "0" * 33),
        service_plan("api", Action.CURRENT),
        service_plan("worker", Action.RELEASE, target="1a2b3c4" + "0" * 33),
    )
    lines = plan_summary(Plan("1a2b3c4" + "0" * 33, plans), merging=False).splitlines()
    assert lines[0] == "### To release: `web`, `worker`"
    assert lines[4].startswith("| `web` | build | `sha-1a2b3c4` | <code>1&#32;file")
    assert lines[5:7] == ["| `api` | current |  | `why` |", "| `worker` | release | `sha-1a2b3c4` | `why` |"]


@pytest.mark.parametrize(
    ("plan", "merging", "title"),
    [
        (Plan("1", (service_plan("web", Action.BUILD),)), True, "### Merging this releases: `web`"),
        (Plan("1", (service_plan("web", Action.HELD),)), True, "### Merging this releases: nothing"),
        (Plan("1", (), superseded=True), True, "### The release branch has moved on: "),
        (Plan("1", (), superseded=True), False, "### Superseded"),
    ],
)
def test_a_summary_says_what_it_is_about(plan: Plan, merging: bool, title: str) -> None:  # noqa: FBT001
    assert plan_summary(plan, merging=merging).startswith(title)


def test_a_summary_of_a_release_tells_what_is_missing() -> None:
    notes = Notes((Step("api", "latest", "sha-1a2b3c4", image="ghcr.io/acme/api:sha-1a2b3c4"),))
    text = release_summary(notes, "on `main`", ["ghcr.io/acme/web:sha-1a2b3c4"])
    assert text.startswith("### `release: api sha-1a2b3c4` on `main`\n\n| Service |")
    assert text.endswith("**Not in the registry**, so not released:\n\n- `ghcr.io/acme/web:sha-1a2b3c4`\n\n")
    assert release_summary(None, "", []) == "### Nothing was released\n\n"
