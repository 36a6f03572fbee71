"""The command line as people, scripts and shells use and misuse it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orbit_release import __version__
from tests.integration.monorepo import CONFIG, FOLDER, SERVICES, Monorepo, Ran, environment, git, sha
from tests.integration.terminal import terminal

COMMANDS = ("plan", "build", "bump", "demo")
SECRET = "s3cr3t"
# A right-to-left override and a zero-width space: YAML allows them, a terminal obeys the first.
ODD = "crash \u202e\u200bloop"
BROKEN = """\
import sys
from orbit_release.cli import entry as cli
@cli.cli.command("broken")
def broken():
    raise RuntimeError("two\\nlines \\x1b[31m")
cli.main()
"""


def assert_two_lines(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == ["error", "hint"], ran.err
    assert [word for word in words if word not in ran.err] == []
    assert "\x1b" not in ran.err


def tip(repo: Monorepo) -> str:
    return git(repo.origin, "rev-parse", "main")


def complete(repo: Monorepo, words: str, *, directory: Path | None = None) -> list[str]:
    """Return what Bash would offer for the last of the words."""
    count = str(len(words.split(" ")) - 1)
    asked = {"_ORBIT_RELEASE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    result = subprocess.run(
        [sys.executable, "-m", "orbit_release"],
        cwd=directory or repo.clone,
        env=environment(**asked),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


# Help, version, completion


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_anywhere(offline: Monorepo, tmp_path: Path, command: str, option: str) -> None:
    ran = offline.run(command, option, directory=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: orbit-release {command} [OPTIONS]")


def test_without_a_command_it_shows_them_all(offline: Monorepo) -> None:
    asked, bare = offline.run("--help"), offline.run()
    assert (asked.code, bare.code) == (0, 2)
    assert asked.out.strip() == bare.err.strip()
    assert [command for command in COMMANDS if f"\n  {command} " not in asked.out] == []


def test_the_version_is_the_packages(offline: Monorepo) -> None:
    assert offline.run("--version").out == f"orbit-release {__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("orbit-release b", ["build", "bump"]),
        ("orbit-release plan ", list(SERVICES)),
        ("orbit-release plan w", ["web", "worker"]),
        ("orbit-release build a", ["api"]),
        ("orbit-release bump web sha-1 a", ["api"]),
        ("orbit-release plan --format m", ["matrix"]),
    ],
)
def test_a_shell_completes_commands_services_and_choices(offline: Monorepo, words: str, offered: list[str]) -> None:
    assert complete(offline, words) == offered


def test_completion_follows_the_folder_and_is_silent_where_there_is_nothing(offline: Monorepo, tmp_path: Path) -> None:
    assert complete(offline, "orbit-release -C clone plan a", directory=tmp_path) == ["api"]
    assert complete(offline, "orbit-release plan a", directory=tmp_path) == []
    (offline.clone / "orbit-release.yaml").write_text("broken: [")
    assert complete(offline, "orbit-release plan a") == []


# Where it runs


def test_a_folder_that_does_not_exist(offline: Monorepo) -> None:
    assert_two_lines(offline.run("-C", "nowhere", "plan"), 2, "there is no folder nowhere", "-C")


def test_a_folder_that_is_no_repository(offline: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    ran = offline.run("-C", str(tmp_path / "plain"), "plan", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert_two_lines(ran, 5, "not a git repository", "-C DIR")


def test_any_folder_of_the_clone_will_do(offline: Monorepo, tmp_path: Path) -> None:
    whole = offline.run("plan").out
    assert offline.run("plan", directory=offline.clone / "services/api").out == whole
    assert offline.run("-C", "clone/services", "plan", directory=tmp_path).out == whole


def test_a_bare_repository_is_planned_with_a_configuration_beside_it(offline: Monorepo, tmp_path: Path) -> None:
    shutil.copy(offline.clone / "orbit-release.yaml", tmp_path)
    base = tip(offline)
    offline.push("api", {"services/api/a": "1"})
    arguments = ("--config", "../orbit-release.yaml", "plan", "--base", base, "--head", "main", "--format", "names")
    ran = offline.run(*arguments, directory=offline.origin)
    assert (ran.code, ran.out) == (0, "api\n"), ran.err
    assert_two_lines(offline.run("plan", directory=offline.origin), 3, "there is no", "--config FILE")


def test_a_repository_of_somebody_else_is_said_so(offline: Monorepo) -> None:
    assert_two_lines(offline.run("plan", GIT_TEST_ASSUME_DIFFERENT_OWNER="1"), 5, "safe.directory")


def test_without_git_it_says_what_to_install(offline: Monorepo, tmp_path: Path) -> None:
    assert_two_lines(offline.run("plan", PATH=str(tmp_path)), 9, "git is not installed", "install git")


# What configures it


def test_a_configuration_that_is_missing(offline: Monorepo) -> None:
    assert_two_lines(
        offline.run("--config", "nowhere.yaml", "plan"), 3, "there is no", "nowhere.yaml", "configuration.md"
    )


def test_a_configuration_that_is_a_folder(offline: Monorepo) -> None:
    assert_two_lines(offline.run("--config", "web", "plan"), 3, "web cannot be read")


def test_every_fault_of_a_configuration_is_told_at_once_with_its_place(offline: Monorepo) -> None:
    faulty = "imag: x\nbranch: a..b\nmanifests: /etc\nservices:\n  Web: {paths: [a], image: Q}\n"
    (offline.clone / "orbit-release.yaml").write_text(faulty)
    ran = offline.run("plan")
    *faults, hint = ran.err.splitlines()
    places = [fault.removeprefix("error: ").split(":")[:3] for fault in faults]
    assert (ran.code, ran.out, hint.startswith("hint: mend the ")) == (3, "", True)
    assert [int(line) for _, line, _ in places] == sorted(int(line) for _, line, _ in places)
    assert {(file, line) for file, line, _ in places} == {("orbit-release.yaml", line) for line in "1235"}
    assert "did you mean 'image'?" in faults[0]


@pytest.mark.parametrize(
    ("variables", "out"),
    [
        ({"ORBIT_RELEASE_PLAN_FORMAT": "names"}, "web\napi\nworker\n"),
        ({"ORBIT_RELEASE_PLAN_FORMAT": "names", "ORBIT_RELEASE_PLAN_BASE": "HEAD"}, ""),
        ({"ORBIT_RELEASE_PLAN_FORMAT": "names", "ORBIT_RELEASE_CONFIG": "only.yaml"}, "web\n"),
    ],
)
def test_every_option_has_an_environment_variable(offline: Monorepo, variables: dict[str, str], out: str) -> None:
    only = CONFIG.format(host=offline.host).partition("  api:")[0]
    (offline.clone / "only.yaml").write_text(only)
    ran = Monorepo(offline.clone, offline.origin, offline.host, variables).run("plan")
    assert (ran.code, ran.out) == (0, out), ran.err


def test_a_variable_with_a_wrong_value_is_refused_like_the_option(offline: Monorepo) -> None:
    assert_two_lines(offline.run("plan", ORBIT_RELEASE_PLAN_FORMAT="xml"), 2, "'xml'", "orbit-release plan --help")


# What is typed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "--formt", "x"), ("--formt", "--format", "orbit-release plan --help")),
        (("plan", "--format", "xml"), ("'xml'", "orbit-release plan --help")),
        (("plam",), ("plam", "orbit-release --help")),
        (("build", "--jobs", "many"), ("'many'", "orbit-release build --help")),
        (("plan", "--base"), ("--base", "--help")),
        (("plan", "apy"), ("did you mean 'api'?",)),
        (("plan", "\x1b[31m"), ("known: web, api, worker.",)),
        (("plan", "--head", "a\nb"), ("is not a revision",)),
    ],
)
def test_what_is_mistyped_is_told_in_two_lines(
    offline: Monorepo, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_two_lines(offline.run(*arguments), 2, *words)


def test_names_that_are_not_utf8_are_told_like_any_other(offline: Monorepo) -> None:
    odd = b"\xff\x1b".decode("utf-8", "surrogateescape")
    assert_two_lines(offline.run("plan", odd), 2, "no service")
    assert_two_lines(offline.run("plan", "--head", odd), 5, "names no commit")
    assert_two_lines(offline.run("-C", odd, "plan"), 2, "no folder")


# What is printed


def test_nothing_is_coloured_where_nobody_looks(offline: Monorepo) -> None:
    for arguments in (("plan",), ("bump", "api", sha(tip(offline)), "--no-verify", "--dry-run"), ("plan", "x")):
        ran = offline.run(*arguments, TERM="xterm")
        assert "\x1b" not in ran.out + ran.err


def test_a_terminal_gets_colours_unless_no_color_is_set(offline: Monorepo) -> None:
    assert "\x1b[31m" in terminal(offline, "plan", "x").out
    assert "\x1b" not in terminal(offline, "plan", "x", NO_COLOR="1").out
    arguments = ("bump", "api", sha(tip(offline)), "--no-verify")
    assert "\x1b[32m" in terminal(offline, *arguments, answers="n\n").out
    assert "\x1b" not in terminal(offline, *arguments, answers="n\n", NO_COLOR="1").out


def test_what_others_wrote_never_reaches_a_terminal_as_it_is(offline: Monorepo) -> None:
    offline.git("checkout", "-qb", f"b-{ODD.replace(' ', '')}")
    offline.push(f"subject {ODD}\x1b[31m", {"services/api/\u202e\x1b[2J": "1"})
    offline.deploy(web=f"latest # held: {ODD}", api=f"latest # {ODD}", worker=f"{sha(tip(offline))} # {ODD}")
    shown = [
        terminal(offline, "plan", NO_COLOR="1"),
        terminal(offline, "plan", "--base", "HEAD~2", NO_COLOR="1"),
        terminal(offline, "plan", "--format", "json", NO_COLOR="1"),
        terminal(offline, "bump", "web", sha(tip(offline)), "--no-verify", NO_COLOR="1"),
        terminal(offline, "bump", "api", sha(tip(offline)), "--no-verify", "--dry-run", NO_COLOR="1"),
        terminal(offline, "bump", "api", sha(tip(offline)), "--no-verify", answers="n\n", NO_COLOR="1"),
    ]
    assert [ran.code for ran in shown] == [0, 0, 0, 12, 0, 130]
    assert [ran.out for ran in shown if {"\x1b", "\u202e", "\u200b"} & set(ran.out)] == []
    assert "crash" in shown[0].out


def test_a_reader_that_has_read_enough_is_no_error(offline: Monorepo) -> None:
    for shape in ("table", "json", "names"):
        command = f'"{sys.executable}" -m orbit_release plan --format {shape} | head -0'
        result = subprocess.run(
            ["sh", "-c", command], cwd=offline.clone, env=environment(), capture_output=True, check=True
        )
        assert (result.stdout, result.stderr) == (b"", b"")


def test_a_disk_that_is_full_is_no_bug(offline: Monorepo) -> None:
    command = [sys.executable, "-m", "orbit_release", "plan"]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command, cwd=offline.clone, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert_two_lines(Ran(result.returncode, "", result.stderr), 9, "No space left on device")


def test_an_output_file_that_cannot_be_written(offline: Monorepo) -> None:
    ran = offline.run("plan", "--base", "HEAD", "--format", "github", "--no-registry", GITHUB_OUTPUT="/dev/null/file")
    assert_two_lines(ran, 9, "/dev/null/file cannot be written", "GITHUB_OUTPUT")


@pytest.mark.parametrize("option", [(), ("-v",)])
def test_a_bug_says_that_it_is_one_and_shows_its_traceback_only_when_asked(
    offline: Monorepo, option: tuple[str, ...]
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", BROKEN, *option, "broken"],
        cwd=offline.clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 70
    error, hint = result.stderr.splitlines()[-2:]
    assert error == "error: RuntimeError: two lines \ufffd[31m"
    assert hint.startswith("hint: this is a bug of orbit-release; run it again with -v")
    assert ("Traceback" in result.stderr) == bool(option)


def test_an_error_shows_its_traceback_only_when_asked(offline: Monorepo) -> None:
    assert_two_lines(offline.run("plan", "x"), 2)
    assert "Traceback" in offline.run("-v", "plan", "x").err


@pytest.mark.parametrize(
    "address",
    [
        f"https://user:{SECRET}@127.0.0.1:1/x.git",
        f"http://user:{SECRET}@127.0.0.1:1/x.git",
        f"ssh://user:{SECRET}@127.0.0.1:1/x.git",
        f"https://user:{SECRET}/slash@127.0.0.1:1/x.git",
        f"git://user:{SECRET}@127.0.0.1:1/x.git",
    ],
)
@pytest.mark.parametrize("option", [(), ("-v",)])
def test_a_password_in_the_remotes_address_is_never_printed(
    offline: Monorepo, address: str, option: tuple[str, ...]
) -> None:
    offline.git("remote", "set-url", "origin", address)
    tag = sha(offline.git("rev-parse", "HEAD"))
    for arguments in (("bump", "api", tag, "--no-verify"), ("plan", "--fetch"), ("plan", "--format", "matrix")):
        ran = offline.run(*option, *arguments)
        assert SECRET not in ran.out + ran.err
        assert ran.code == (0 if "matrix" in arguments else 9), ran.err


# What a person is asked


def test_a_person_sees_the_change_and_may_refuse_it(offline: Monorepo) -> None:
    before = tip(offline)
    ran = terminal(offline, "bump", "api", sha(before), "--no-verify", answers="n\n", NO_COLOR="1")
    assert ran.code == 130
    assert f"+          image: {offline.host}/orbit/api:{sha(before)} # the first one" in ran.out
    assert "publish it on the release branch? [Y/n]" in ran.out
    assert tip(offline) == before


@pytest.mark.parametrize("answer", ["y\n", "\n"])
def test_a_person_who_agrees_gets_it_published(offline: Monorepo, answer: str) -> None:
    commit = tip(offline)
    ran = terminal(offline, "bump", "api", sha(commit), "--no-verify", answers=answer)
    assert (ran.code, offline.deployed()["api"]) == (0, sha(commit)), ran.out
    assert f"published {tip(offline)[:7]} on main" in ran.out


def test_ctrl_c_and_ctrl_d_at_the_question_publish_nothing(offline: Monorepo) -> None:
    before = tip(offline)
    ran = terminal(offline, "bump", "api", sha(before), "--no-verify", answers="\x04")
    assert (ran.code, "interrupted" in ran.out, "Traceback" in ran.out) == (130, True, False)
    assert tip(offline) == before


def test_yes_is_not_asked(offline: Monorepo) -> None:
    commit = tip(offline)
    ran = terminal(offline, "bump", "api", sha(commit), "--no-verify", "--yes")
    assert (ran.code, "[Y/n]" in ran.out, offline.deployed()["api"]) == (0, False, sha(commit))


def test_a_commit_that_is_not_merged_is_asked_for_even_with_yes(offline: Monorepo) -> None:
    before = tip(offline)
    offline.git("checkout", "-qb", "feature")
    feature = offline.commit("api", {"services/api/a": "1"})
    arguments = ("bump", "api", sha(feature), "--no-verify", "--yes")
    refused = terminal(offline, *arguments, answers="\n", NO_COLOR="1")
    assert (refused.code, "is not on main. Deploy it all the same? [y/N]" in refused.out) == (6, True)
    assert tip(offline) == before
    assert terminal(offline, *arguments, answers="y\n").code == 0
    assert offline.deployed()["api"] == sha(feature)


def test_without_a_terminal_nobody_is_asked(offline: Monorepo) -> None:
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert (ran.code, "?" in ran.err) == (0, False)
    assert f"{FOLDER}/api.yaml:11" in ran.out


# Where the output goes


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_a_reader_takes_slowly_is_complete(offline: Monorepo, unbuffered: str) -> None:
    offline.push("many", {f"web/{number:04}-{'x' * 150}": "" for number in range(600)})
    command = f"ulimit -f 50; exec {sys.executable} -m orbit_release plan --base HEAD~1 --format json > ../plan.json"
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=offline.clone,
        env=environment(PYTHONUNBUFFERED=unbuffered),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0, "a file that may not grow so large must not be taken for the whole output"
    whole = offline.run("plan", "--base", "HEAD~1", "--format", "json", PYTHONUNBUFFERED=unbuffered)
    assert whole.out.endswith("}\n")


@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 0), ("2>&-", 0), ("nosuch 2>&-", 2), ("nosuch 2>/dev/full", 2)]
)
def test_a_closed_or_full_stream_changes_no_exit_code(offline: Monorepo, redirection: str, code: int) -> None:
    command = f"exec {sys.executable} -m orbit_release plan {redirection}"
    ran = subprocess.run(
        ["bash", "-c", command], cwd=offline.clone, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)
