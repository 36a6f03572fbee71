"""`bump` through GitHub's API and as a pull request: what ends up on GitHub, and what never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.hub import MINE, ONLY_API, Hub
from tests.integration.monorepo import FOLDER, git, pushed, sha
from tests.servers import github as faults
from tests.servers.github import TOKEN


def bump(tag: str, *more: str) -> tuple[str, ...]:
    return ("bump", "api", tag, "--no-verify", *more)


@pytest.fixture
def tag(hub: Hub) -> str:
    return sha(git(hub.repo.origin, "rev-parse", "main"))


# Through the API


def test_in_actions_github_makes_the_commit(hub: Hub, tag: str) -> None:
    before = hub.repo.at_origin(f"{FOLDER}/api.yaml")
    ran = hub.in_actions(*bump(tag))
    assert ran.code == 0, ran.err
    assert hub.repo.at_origin(f"{FOLDER}/api.yaml") == before.replace(":latest", f":{tag}")
    assert hub.author() == "github-actions[bot]"
    assert f"published {git(hub.repo.origin, 'rev-parse', 'main')[:7]} on main" in ran.err
    changed = git(hub.repo.origin, "diff", "--name-only", "main^", "main")
    assert changed == f"{FOLDER}/api.yaml"


def test_elsewhere_git_pushes_unless_the_api_is_asked_for(hub: Hub, tag: str) -> None:
    assert hub.run(*bump(tag)).code == 0
    assert hub.author() == "Ada"
    hub.repo.git("pull", "-q", "origin", "main")
    newer = hub.repo.push("api", {"services/api/main.go": "1"})
    assert hub.run(*bump(sha(newer), "--via", "api")).code == 0
    assert hub.author() == "github-actions[bot]"


def test_the_remote_of_the_release_branch_is_the_one_at_github(hub: Hub, tag: str) -> None:
    hub.repo.git("remote", "rename", "origin", "upstream")
    hub.repo.git("remote", "add", "origin", "https://github.com/me/orbit")
    hub.repo.git("remote", "set-url", "upstream", "https://github.com/octo/orbit")
    hub.repo.git("config", "branch.main.remote", "upstream")
    hub.repo.git("config", f"url.{hub.repo.origin}.insteadOf", "https://github.com/octo/orbit")
    environment = {"GITHUB_API_URL": hub.server.url, "GITHUB_TOKEN": TOKEN}
    ran = hub.repo.run(*bump(tag, "--via", "api"), directory=None, **environment)
    assert (ran.code, hub.repo.deployed()["api"]) == (0, tag), ran.err


def test_in_actions_git_pushes_where_it_is_asked_to_or_no_token_is_there(hub: Hub, tag: str) -> None:
    assert hub.in_actions(*bump(tag, "--via", "git")).code == 0
    assert hub.author() == "Ada"


def test_in_actions_without_a_token_git_pushes(hub: Hub, tag: str) -> None:
    assert hub.repo.run(*bump(tag), GITHUB_ACTIONS="true", GITHUB_REPOSITORY="octo/orbit").code == 0
    assert hub.author() == "Ada"


def test_what_is_to_stay_here_stays_here_in_actions_too(hub: Hub, tag: str) -> None:
    assert hub.in_actions(*bump(tag, "--no-push")).code == 0
    assert hub.repo.deployed()["api"] == "latest"
    assert f":{tag}" in hub.repo.git("show", f"main:{FOLDER}/api.yaml")


def test_a_change_that_somebody_pushed_meanwhile_is_kept(hub: Hub, tag: str) -> None:
    path = f"{FOLDER}/api.yaml"
    text = hub.repo.at_origin(path).replace("# the first one", "# somebody's note")

    def meanwhile() -> None:
        hub.repo.push("note", {path: text})

    hub.server.before["createCommitOnBranch"] = meanwhile
    ran = hub.in_actions(*bump(tag))
    assert ran.code == 0, ran.err
    assert hub.repo.at_origin(path) == text.replace(":latest", f":{tag}")


def test_what_github_committed_before_its_answer_was_lost_is_reported_as_published(hub: Hub, tag: str) -> None:
    hub.server.fail("createCommitOnBranch", faults.STALE_AFTER_SUCCESS)
    ran = hub.in_actions(*bump(tag, "--format", "json"))
    assert json.loads(ran.out)["commit"] == git(hub.repo.origin, "rev-parse", "main")


def test_an_executable_manifest_keeps_its_mode(hub: Hub, tag: str) -> None:
    hub.repo.git("update-index", "--chmod=+x", f"{FOLDER}/api.yaml")
    hub.repo.git("commit", "-qm", "mode")
    hub.repo.git("push", "-q", "origin", "main")
    ran = hub.in_actions(*bump(tag))
    assert (ran.code, f"{FOLDER}/api.yaml is executable" in ran.err, "--via git" in ran.err) == (4, True, True)
    assert hub.repo.deployed()["api"] == "latest"
    assert hub.run(*bump(tag)).code == 0
    assert git(hub.repo.origin, "ls-tree", "main", f"{FOLDER}/api.yaml").startswith("100755")


def test_a_protected_branch_is_no_reason_to_try_another_way(hub: Hub, tag: str) -> None:
    hub.server.fail("createCommitOnBranch", faults.PROTECTED)
    ran = hub.in_actions(*bump(tag))
    assert (ran.code, hub.repo.deployed()["api"]) == (8, "latest")
    assert "protects main: Repository rule violations found" in ran.err


def test_a_token_is_asked_for(hub: Hub, tag: str) -> None:
    ran = hub.repo.run(*bump(tag, "--via", "api"), GITHUB_API_URL=hub.server.url, GITHUB_REPOSITORY="octo/orbit")
    assert (ran.code, "GITHUB_TOKEN=$(gh auth token)" in ran.err) == (8, True)


@pytest.mark.parametrize("token", [f"{TOKEN}\u2019", f"{TOKEN}\nmore"])
def test_a_token_that_is_none_is_not_shown(hub: Hub, tag: str, token: str) -> None:
    ran = hub.run("-v", *bump(tag, "--via", "api"), GITHUB_TOKEN=token)
    assert (ran.code, "is not a token" in ran.err, TOKEN in ran.out + ran.err) == (8, True, False)


def test_a_token_goes_to_no_server_that_nobody_named(hub: Hub, tag: str) -> None:
    hub.repo.git("remote", "set-url", "--push", "origin", str(hub.repo.origin))
    ran = hub.repo.run(*bump(tag, "--via", "api"), GITHUB_TOKEN=TOKEN)
    assert (ran.code, "set GITHUB_API_URL" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--auto-merge"], "--auto-merge goes with --pr"),
        (["--pr", "--no-push"], "--no-push keeps the release here"),
        (["--via", "api", "--no-push"], "--no-push keeps the release here"),
        (["--pr", "--via", "git"], "--pr goes through GitHub's API"),
    ],
)
def test_ways_that_do_not_go_together(hub: Hub, options: list[str], message: str) -> None:
    ran = hub.run(*bump("sha-1a2b3c4", *options))
    assert (ran.code, message in ran.err) == (2, True)


# Pull requests


def test_a_pull_request_says_what_it_releases(hub: Hub) -> None:
    base = git(hub.repo.origin, "rev-parse", "main")
    hub.repo.deploy(api=sha(base))
    head = hub.repo.push("api", {"services/api/main.go": "1"})
    ran = hub.run(*bump(sha(head), "--pr"), GITHUB_SERVER_URL="https://github.com")
    (pull,) = hub.server.pulls
    assert ran.code == 0, ran.err
    assert (pull.title, pull.head, pull.base) == (f"release: api {sha(head)}", ONLY_API, "main")
    link = f"[1 commit](https://github.com/octo/orbit/compare/{base}...{head})"
    image = f"`{hub.repo.host}/orbit/api:{sha(head)}`"
    assert f"| `api` | `{sha(base)}` | `{sha(head)}` | {link} | {image} |" in (pull.body or "")
    assert f"/pull/{pull.number}" in ran.err
    assert hub.repo.deployed()["api"] == sha(base)
    assert hub.proposed("api") == sha(head)


def test_the_same_release_again_leaves_it_as_it_is(hub: Hub, tag: str) -> None:
    hub.run(*bump(tag, "--pr"))
    head = git(hub.repo.origin, "rev-parse", ONLY_API)
    hub.repo.push("elsewhere", {"README": "1"})
    ran = hub.run(*bump(tag, "--pr", "--format", "json"))
    assert git(hub.repo.origin, "rev-parse", ONLY_API) == head
    assert json.loads(ran.out)["pull_request"].endswith("/pull/1")
    assert len(hub.server.pulls) == 1


def test_a_newer_release_updates_it_in_place(hub: Hub, tag: str) -> None:
    hub.run(*bump(tag, "--pr"))
    newer = hub.repo.push("api", {"services/api/main.go": "1"})
    assert hub.run(*bump(sha(newer), "--pr", "-m", "Mend the login")).code == 0
    (pull,) = hub.server.pulls
    assert (pull.title, pull.state, hub.proposed("api")) == ("Mend the login", "open", sha(newer))
    assert git(hub.repo.origin, "rev-parse", f"{ONLY_API}^") == newer


def test_each_set_of_services_has_its_own(hub: Hub, tag: str) -> None:
    hub.run(*bump(tag, "--pr"))
    hub.run("bump", "web", tag, "worker", tag, "--no-verify", "--pr")
    assert [pull.head for pull in hub.server.pulls] == [ONLY_API, "orbit-release/only/web+worker"]


def test_what_is_built_is_proposed_in_one_that_grows(hub: Hub) -> None:
    commit = git(hub.repo.origin, "rev-parse", "main")
    pushed(hub.repo, "api", commit)
    assert hub.in_actions("bump", "--built", "--pr").code == 5  # the others are not built
    pushed(hub.repo, "web", commit)
    pushed(hub.repo, "worker", commit)
    ran = hub.in_actions("bump", "--built", "--pr")
    (pull,) = hub.server.pulls
    assert (ran.code, pull.head, pull.title) == (0, "orbit-release/all", f"release: 3 services {sha(commit)}")
    assert {hub.proposed(name, "orbit-release/all") for name in ("api", "web", "worker")} == {sha(commit)}


def test_one_that_would_change_nothing_any_more_is_closed(hub: Hub) -> None:
    commit = git(hub.repo.origin, "rev-parse", "main")
    for name in ("api", "web", "worker"):
        pushed(hub.repo, name, commit)
    hub.in_actions("bump", "--built", "--pr")
    assert hub.in_actions("bump", "--built").code == 0  # somebody did not wait for it
    ran = hub.in_actions("bump", "--built", "--pr")
    (pull,) = hub.server.pulls
    assert (ran.code, pull.state, pull.comments) == (0, "closed", [CLOSED])
    assert "closed http" in ran.err
    assert git(hub.repo.origin, "branch", "--list", "orbit-release/*") == ""


def test_a_service_that_is_held_meanwhile_leaves_it(hub: Hub) -> None:
    commit = git(hub.repo.origin, "rev-parse", "main")
    for name in ("api", "web", "worker"):
        pushed(hub.repo, name, commit)
    hub.in_actions("bump", "--built", "--pr")
    held = hub.repo.at_origin(f"{FOLDER}/web.yaml").replace("# the first one", "# held: wait")
    hub.repo.push("hold", {f"{FOLDER}/web.yaml": held})
    assert hub.in_actions("bump", "--built", "--pr").code == 0
    (pull,) = hub.server.pulls
    changed = git(hub.repo.origin, "diff", "--name-only", "main", pull.head)
    assert (pull.title, changed.split()) == (
        f"release: 2 services {sha(commit)}",
        [f"{FOLDER}/api.yaml", f"{FOLDER}/worker.yaml"],
    )


CLOSED = "Closed: there is nothing to release any more."


def test_a_bump_that_is_deployed_already_closes_its_own(hub: Hub, tag: str) -> None:
    hub.run(*bump(tag, "--pr"))
    hub.run(*bump(tag))
    assert hub.run(*bump(tag, "--pr")).code == 0
    assert [(pull.state, pull.comments) for pull in hub.server.pulls] == [("closed", [CLOSED])]


def test_one_whose_image_is_missing_stays_open(hub: Hub) -> None:
    commit = git(hub.repo.origin, "rev-parse", "main")
    for name in ("api", "web", "worker"):
        pushed(hub.repo, name, commit)
    hub.in_actions("bump", "--built", "--pr")
    hub.repo.push("all", {"proto/api.proto": "2", "web/a": "1"})  # not built yet
    assert hub.in_actions("bump", "--built", "--pr").code == 5
    assert [pull.state for pull in hub.server.pulls] == ["open"]


def test_an_old_run_does_not_replace_what_a_newer_one_proposed(hub: Hub) -> None:
    old = git(hub.repo.origin, "rev-parse", "main")
    new = hub.repo.push("api", {"services/api/main.go": "1"})
    for commit in (old, new):
        pushed(hub.repo, "api", commit)
    assert hub.in_actions("bump", "--built", "api", "--pr").code == 0
    assert hub.in_actions("bump", "--built", "api", "--pr", GITHUB_SHA=old).code == 0
    assert hub.proposed("api") == sha(new)


def test_a_late_run_leaves_what_a_newer_one_proposed(hub: Hub) -> None:
    old = git(hub.repo.origin, "rev-parse", "main")
    for name in ("api", "web", "worker"):
        pushed(hub.repo, name, old)
    assert hub.in_actions("bump", "--built").code == 0
    hub.repo.git("pull", "-q", "origin", "main")
    new = hub.repo.push("api", {"services/api/main.go": "1"})
    pushed(hub.repo, "api", new)
    assert hub.in_actions("bump", "--built", "--pr").code == 0
    ran = hub.in_actions("bump", "--built", "--pr", GITHUB_SHA=old)
    assert (ran.code, "left http" in ran.err) == (0, True)
    assert [(pull.state, pull.comments) for pull in hub.server.pulls] == [("open", [])]
    assert hub.proposed("api", "orbit-release/all") == sha(new)


@pytest.mark.parametrize("shape", ["table", "json"])
def test_an_old_run_neither_merges_nor_claims_what_a_newer_one_proposed(hub: Hub, shape: str) -> None:
    old = git(hub.repo.origin, "rev-parse", "main")
    for commit in (old, hub.repo.push("api", {"services/api/main.go": "1"})):
        pushed(hub.repo, "api", commit)
    hub.in_actions("bump", "--built", "api", "--pr")
    hub.server.checks_pending = False
    ran = hub.in_actions("bump", "--built", "api", "--pr", "--auto-merge", "--format", shape, GITHUB_SHA=old)
    (pull,) = hub.server.pulls
    assert (ran.code, pull.state, hub.repo.deployed()["api"]) == (0, "open", "latest")
    if shape == "json":
        told = json.loads(ran.out)
        assert (told["commit"], told["edits"]) == (pull.head_sha, [])
        assert told["pull_request"].endswith("/pull/1")
    else:
        assert (ran.out, "something newer is proposed for main: http" in ran.err) == ("", True)


def test_what_a_force_push_took_away_is_not_newer(hub: Hub) -> None:
    base = git(hub.repo.origin, "rev-parse", "main")
    for commit in (base, hub.repo.push("api", {"services/api/main.go": "a mistake"})):
        pushed(hub.repo, "api", commit)
    hub.in_actions("bump", "--built", "api", "--pr")
    hub.repo.git("push", "-qf", "origin", f"{base}:main")
    assert hub.in_actions("bump", "--built", "api", "--pr").code == 0
    assert hub.proposed("api") == sha(base)


def test_what_a_force_push_took_away_does_not_come_back(hub: Hub) -> None:
    base = git(hub.repo.origin, "rev-parse", "main")
    pushed(hub.repo, "api", base)
    hub.repo.push("a mistake", {"secret": "password"})
    hub.in_actions("bump", "--built", "api", "--pr")
    hub.repo.git("push", "-qf", "origin", f"{base}:main")
    assert hub.in_actions("bump", "--built", "api", "--pr").code == 0
    assert (git(hub.repo.origin, "rev-parse", f"{ONLY_API}^"), hub.proposed("api")) == (base, sha(base))


def test_one_that_another_one_overtook_does_not_stay_in_conflict(hub: Hub) -> None:
    base = git(hub.repo.origin, "rev-parse", "main")
    pushed(hub.repo, "api", base)
    hub.in_actions("bump", "--built", "api", "--pr")
    new = hub.repo.push("api", {"services/api/main.go": "1"})
    for name, commit in {"api": new, "web": base, "worker": base}.items():
        pushed(hub.repo, name, commit)
    hub.in_actions("bump", "--built", "--pr")
    first, second = hub.server.pulls
    hub.server.merge(first, "squash", None, None)
    assert hub.in_actions("bump", "--built", "--pr").code == 0
    assert (second.state, hub.server.git.merged(second.base_sha, second.head_sha) != "") == ("open", True)


def test_what_nobody_can_read_is_replaced(hub: Hub) -> None:
    pushed(hub.repo, "api", git(hub.repo.origin, "rev-parse", "main"))
    hub.in_actions("bump", "--built", "api", "--pr")
    hub.repo.git("fetch", "-q", "origin", ONLY_API)
    hub.repo.git("switch", "-q", "--detach", "FETCH_HEAD")
    broken = hub.repo.at_origin(f"{FOLDER}/api.yaml") + "a: [\n"
    hub.repo.commit("a slip", {f"{FOLDER}/api.yaml": broken})
    hub.repo.git("push", "-q", "origin", f"HEAD:{ONLY_API}")
    hub.repo.git("switch", "-q", "main")
    new = hub.repo.push("api", {"services/api/main.go": "1"})
    pushed(hub.repo, "api", new)
    assert hub.in_actions("bump", "--built", "api", "--pr").code == 0
    assert hub.proposed("api") == sha(new)


def test_whoever_is_held_is_not_said_to_be_on_the_branch(hub: Hub) -> None:
    pushed(hub.repo, "api", git(hub.repo.origin, "rev-parse", "main"))
    hub.in_actions("bump", "--built", "api", "--pr")
    held = hub.repo.at_origin(f"{FOLDER}/api.yaml").replace("# the first one", "# held: wait")
    hub.repo.push("hold", {f"{FOLDER}/api.yaml": held})
    assert hub.in_actions("bump", "--built", "api", "--pr").code == 0
    assert [(pull.state, pull.comments) for pull in hub.server.pulls] == [("closed", [CLOSED])]


@pytest.mark.parametrize("names", [["api", "web", "worker"], ["worker", "api", "web", "api"]])
def test_all_services_have_one_whether_they_are_named_or_not(hub: Hub, names: list[str]) -> None:
    for name in ("api", "web", "worker"):
        pushed(hub.repo, name, git(hub.repo.origin, "rev-parse", "main"))
    hub.in_actions("bump", "--built", "--pr")
    hub.in_actions("bump", "--built", *names, "--pr")
    assert [pull.head for pull in hub.server.pulls] == ["orbit-release/all"]


def test_auto_merge_is_turned_on(hub: Hub, tag: str) -> None:
    assert hub.run(*bump(tag, "--pr", "--auto-merge")).code == 0
    assert [pull.auto_merge for pull in hub.server.pulls] == ["squash"]


def test_a_merged_one_is_on_the_branch_with_its_trailers(hub: Hub, tag: str) -> None:
    hub.server.checks_pending = False
    ran = hub.run(*bump(tag, "--pr", "--auto-merge", "--format", "json"))
    assert json.loads(ran.out)["commit"] == git(hub.repo.origin, "rev-parse", "main")
    assert hub.repo.deployed()["api"] == tag
    assert f"Orbit-Release: api {tag}" in git(hub.repo.origin, "log", "-1", "--format=%B", "main")


@pytest.mark.parametrize(
    ("way", "is_deployed"),
    [(["--pr"], False), (["--pr"], True), (["--pr", "--auto-merge"], False), (["--via", "api"], False)],
)
def test_a_repository_that_was_renamed_is_left_alone(hub: Hub, tag: str, way: list[str], *, is_deployed: bool) -> None:
    if is_deployed:
        assert hub.run(*bump(tag)).code == 0
    hub.stranger()
    hub.server.checks_pending = False
    before = git(hub.repo.origin, "show-ref")
    hub.server.rename("octo/new")
    ran = hub.run(*bump(tag, *way))
    assert (ran.code, "octo/orbit is called octo/new now" in ran.err) == (2, True)
    assert git(hub.repo.origin, "show-ref") == before
    assert [(one.title, one.body, one.state, one.auto_merge) for one in hub.server.pulls] == [MINE]


def test_a_dry_run_asks_github_nothing(hub: Hub, tag: str) -> None:
    ran = hub.repo.run(*bump(tag, "--pr", "--dry-run"))  # without a token, and without its address
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"--- a/{FOLDER}/api.yaml")
    assert hub.in_actions(*bump(tag, "--dry-run")).code == 0
    assert hub.repo.deployed()["api"] == "latest"


def test_tokens_appear_nowhere(hub: Hub, tag: str, tmp_path: Path) -> None:
    hub.server.fail("pulls/create", faults.NOT_PERMITTED_PULLS)
    ran = hub.run("-v", *bump(tag, "--pr"))
    assert (ran.code, TOKEN in ran.out + ran.err) == (8, False)
    assert "Traceback" in ran.err
