"""`plan` on real repositories: what it says a service needs, and what it says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.monorepo import CONFIG, FOLDER, Monorepo, git, sha


def planned(repo: Monorepo, *arguments: str, directory: Path | None = None) -> dict[str, dict[str, Any]]:
    ran = repo.run("plan", "--format", "json", *arguments, directory=directory)
    assert ran.code == 0, ran.err
    return {service["name"]: service for service in json.loads(ran.out)["services"]}


def actions(repo: Monorepo, *arguments: str, directory: Path | None = None) -> dict[str, str]:
    return {name: service["action"] for name, service in planned(repo, *arguments, directory=directory).items()}


def names(repo: Monorepo, *arguments: str) -> list[str]:
    ran = repo.run("plan", "--format", "names", *arguments)
    assert ran.code == 0, ran.err
    return ran.out.split()


@pytest.fixture
def released(offline: Monorepo) -> Monorepo:
    """Return a monorepo in which every service runs the image of the first commit."""
    first = sha(offline.git("rev-parse", "HEAD"))
    offline.deploy(web=first, api=first, worker=first)
    return offline


def test_a_service_that_runs_latest_was_never_released(offline: Monorepo) -> None:
    plan = planned(offline)
    assert {name: one["action"] for name, one in plan.items()} == {"web": "build", "api": "build", "worker": "build"}
    assert plan["web"]["reason"] == "never released: deployed is latest"
    assert plan["web"]["target"] == offline.git("rev-parse", "HEAD")


def test_nothing_is_to_do_when_no_input_changed_since_the_deployed_commit(released: Monorepo) -> None:
    released.push("docs", {"README.md": "hello"})
    assert set(actions(released).values()) == {"current"}


def test_the_reason_names_the_files_and_the_tag_is_the_last_commit_that_changed_an_input(released: Monorepo) -> None:
    changed = released.push("api", {"services/api/a.go": "1", "services/api/b.go": "2", "services/api/c.go": "3"})
    released.push("docs", {"README.md": "hello"})
    plan = planned(released)
    assert {name: one["action"] for name, one in plan.items()} == {
        "web": "current",
        "api": "build",
        "worker": "current",
    }
    deployed = plan["api"]["deployed"].rpartition(":")[2]
    assert plan["api"]["reason"] == f"3 files changed since {deployed}: services/api/a.go and 2 more"
    assert (plan["api"]["target"], plan["api"]["tag"]) == (changed, sha(changed))


def test_work_that_a_dropped_run_left_behind_is_still_to_do(released: Monorepo) -> None:
    api = released.push("api", {"services/api/a.go": "1"})
    web = released.push("web", {"web/a.ts": "1"})
    plan = planned(released)
    assert (plan["api"]["target"], plan["web"]["target"]) == (api, web)


def test_a_shared_folder_concerns_every_service_that_lists_it(released: Monorepo) -> None:
    released.push("proto", {"proto/api.proto": "changed"})
    assert names(released) == ["api", "worker"]


def test_the_last_glob_that_matches_decides(released: Monorepo) -> None:
    released.push("docs of the worker", {"services/worker/README.md": "x"})
    assert names(released) == []


def test_deleting_and_renaming_and_modes_count(released: Monorepo) -> None:
    released.push("add", {"services/api/old.go": "package main\n" * 20})
    now = sha(released.git("rev-parse", "HEAD"))
    released.deploy(api=now)
    released.git("mv", "services/api/old.go", "web/new.go")
    released.push("move out of the api", {})
    assert names(released) == ["web", "api"]
    (released.clone / "services/worker/Dockerfile").chmod(0o755)
    released.push("mode", {})
    assert names(released) == ["web", "api", "worker"]


@pytest.mark.parametrize("name", ["a b", 'quo"te', "tab\there", "new\nline", "é", "-dash", "*star", "back\\slash"])
def test_any_file_name_counts(released: Monorepo, name: str) -> None:
    released.push("odd", {f"services/worker/{name}": "1"})
    assert names(released) == ["worker"]


def test_a_file_name_that_is_not_utf8_counts_and_is_shown_escaped(released: Monorepo) -> None:
    (released.clone / "web").joinpath(b"\xff\x1b[31m".decode("utf-8", "surrogateescape")).write_text("1")
    released.push("bytes", {})
    plan = planned(released)
    assert plan["web"]["files"] == [{"path": "web/\\xff\\x1b[31m", "status": "A"}]


def test_a_submodule_pointer_in_place_of_the_folder_counts(released: Monorepo) -> None:
    head = released.git("rev-parse", "HEAD")
    released.git("rm", "-rq", "web")
    released.git("update-index", "--add", "--cacheinfo", f"160000,{head},web")
    released.git("commit", "-qm", "submodule")
    released.git("push", "-q", "origin", "HEAD:main")
    assert names(released, "--base", "HEAD~1") == []  # absent: the Dockerfile went with it
    assert actions(released)["web"] == "absent"
    other = released.commit("api becomes a submodule of proto", {})
    released.git("update-index", "--add", "--cacheinfo", f"160000,{other},services/api/lib")
    released.git("commit", "-qm", "pointer")
    released.git("push", "-q", "origin", "HEAD:main")
    assert names(released, "--base", "HEAD~1") == ["api"]


def test_a_symbolic_link_counts(released: Monorepo) -> None:
    (released.clone / "web/link").symlink_to("../proto")
    released.push("link", {})
    assert names(released) == ["web"]


def test_a_merge_is_one_commit_of_the_release_branch(released: Monorepo) -> None:
    released.git("checkout", "-qb", "feature")
    released.commit("one", {"services/api/a.go": "1"})
    released.commit("two", {"services/api/a.go": "2"})
    released.git("checkout", "-q", "main")
    released.commit("meanwhile", {"README.md": "x"})
    released.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    released.git("push", "-q", "origin", "HEAD:main")
    assert planned(released)["api"]["target"] == released.git("rev-parse", "HEAD")


def test_a_change_that_was_undone_needs_nothing(released: Monorepo) -> None:
    released.push("change", {"services/api/a.go": "1"})
    released.push("undo", {"services/api/a.go": None})
    assert names(released) == []


def test_the_ignore_file_that_applies_is_an_input(released: Monorepo) -> None:
    released.push("the context's", {".dockerignore": "*.md"})
    assert names(released) == ["api", "worker"]
    own = released.push("the worker's own", {"services/worker/Dockerfile.dockerignore": "*.md"})
    released.deploy(web=sha(own), api=sha(own), worker=sha(own))
    released.push("the context's again", {".dockerignore": "*.txt"})
    assert names(released) == ["api"]


def test_a_services_own_build_settings_are_an_input_and_its_neighbours_are_not(released: Monorepo) -> None:
    config = CONFIG.format(host=released.host).replace("context: web,", "context: web, build_args: {A: '1'},")
    changed = released.push("settings", {"orbit-release.yaml": config})
    plan = planned(released)
    assert {name: one["action"] for name, one in plan.items()} == {
        "web": "build",
        "api": "current",
        "worker": "current",
    }
    assert plan["web"]["target"] == changed
    assert plan["web"]["reason"].startswith("its build settings changed since sha-")


def test_a_hold_and_a_pin_are_left_alone(released: Monorepo) -> None:
    deployed = sha(released.git("rev-parse", "HEAD~1"))
    released.deploy(web=f"{deployed} # held: crash loop", api="v1.2.3")
    released.push("all", {"web/a": "1", "services/api/a": "1", "services/worker/a": "1"})
    plan = planned(released)
    assert {name: one["action"] for name, one in plan.items()} == {"web": "held", "api": "held", "worker": "build"}
    assert plan["web"]["reason"] == "held: crash loop"
    assert plan["api"]["reason"] == "pinned to v1.2.3 by hand"


def test_a_service_without_a_dockerfile_is_absent(released: Monorepo) -> None:
    released.push("gone", {"services/worker/Dockerfile": None})
    assert actions(released) == {"web": "current", "api": "current", "worker": "absent"}


def test_an_old_run_that_is_run_again_does_not_go_backwards(released: Monorepo) -> None:
    old = released.push("old", {"web/a": "1"})
    new = released.push("new", {"web/a": "2"})
    released.deploy(web=sha(new))
    plan = planned(released, "--head", old)
    assert (plan["web"]["action"], plan["web"]["reason"]) == ("current", f"{sha(new)} is newer than {sha(old)}")


def test_a_head_that_was_forced_off_the_branch_is_superseded(released: Monorepo) -> None:
    lost = released.push("lost", {"web/a": "1"})
    released.git("reset", "-q", "--hard", "HEAD~1")
    released.commit("instead", {"web/b": "1"})
    released.git("push", "-qf", "origin", "HEAD:main")
    ran = released.run("plan", "--head", lost, "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["superseded"] is True
    assert {one["action"] for one in json.loads(ran.out)["services"]} == {"current"}


def test_rewritten_history_goes_forward_with_a_warning(released: Monorepo) -> None:
    lost = released.push("lost", {"web/a": "1"})
    released.git("reset", "-q", "--hard", "HEAD~1")
    released.git("push", "-qf", "origin", "HEAD:main")
    released.deploy(web=sha(lost))
    assert names(released) == []  # the lost commit had other inputs, but nothing on the branch is newer
    kept = released.push("kept", {"web/b": "1"})
    ran = released.run("plan", "--format", "names")
    assert (ran.code, ran.out) == (0, "web\n")
    assert f"warning: {sha(lost)} is not an ancestor of {sha(kept)}" in ran.err


def test_an_unknown_or_ambiguous_tag_means_build(released: Monorepo) -> None:
    released.deploy(web="sha-0123456")
    plan = planned(released)
    assert plan["web"]["action"] == "build"
    assert plan["web"]["reason"] == "sha-0123456 names no commit that is known here"


def test_a_branch_that_is_called_like_a_commit_misleads_nobody(released: Monorepo) -> None:
    old, new = released.git("rev-parse", "HEAD~1"), released.push("web", {"web/a": "1"})
    released.git("branch", old[:7], new)
    assert names(released) == ["web"]


def test_manifests_that_disagree_are_as_behind_as_the_oldest(released: Monorepo) -> None:
    new = released.push("web", {"web/a": "1"})
    second = (released.clone / FOLDER / "web.yaml").read_text()
    released.deploy(web=sha(new))
    released.push("second", {f"{FOLDER}/web-canary.yaml": second})
    assert names(released) == ["web"]


def test_the_first_commit_compared_with_nothing_has_everything(offline: Monorepo) -> None:
    assert names(offline, "--base", "0" * 40) == ["web", "api", "worker"]


def test_an_unborn_branch_has_nothing(tmp_path: Path, offline: Monorepo) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    (tmp_path / "empty/orbit-release.yaml").write_text(CONFIG.format(host="ghcr.io"))
    assert set(actions(offline, directory=tmp_path / "empty").values()) == {"absent"}


def test_a_base_that_nobody_has_is_an_error_and_never_silence(released: Monorepo) -> None:
    ran = released.run("plan", "--base", "1234567" * 5 + "12345")
    assert ran.code == 5
    assert "error: base 1234567" in ran.err
    assert "--base deployed" in ran.err


def test_a_base_that_was_forced_away_is_fetched_while_the_server_has_it(released: Monorepo, tmp_path: Path) -> None:
    lost = released.push("lost", {"web/a": "1"})
    git(released.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    released.git("reset", "-q", "--hard", "HEAD~1")
    released.git("push", "-qf", "origin", "HEAD:main")
    git(tmp_path, "clone", "-q", f"file://{released.origin}", "other")
    assert planned(released, "--base", lost, directory=tmp_path / "other")["web"]["action"] == "build"


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none", "--filter=tree:0"])
@pytest.mark.parametrize("filters", ["true", "false"])
def test_shallow_and_partial_clones_see_what_a_full_clone_sees(
    released: Monorepo, tmp_path: Path, option: str, filters: str
) -> None:
    git(released.origin, "config", "uploadpack.allowFilter", filters)
    target = released.push("api", {"services/api/a.go": "1"})
    released.push("docs", {"README.md": "x"})
    git(tmp_path, "clone", "-q", option, f"file://{released.origin}", "other")
    plan = planned(released, directory=tmp_path / "other")
    assert {name: one["action"] for name, one in plan.items()} == {
        "web": "current",
        "api": "build",
        "worker": "current",
    }
    assert plan["api"]["target"] == target


def test_comparing_trees_in_a_shallow_clone_finds_the_true_target(released: Monorepo, tmp_path: Path) -> None:
    target = released.push("api", {"services/api/a.go": "1"})
    released.push("docs", {"README.md": "x"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{released.origin}", "other")
    plan = planned(released, "--base", "0" * 40, directory=tmp_path / "other")
    assert plan["api"]["target"] == target


def test_a_repository_without_a_remote_uses_its_local_branch(released: Monorepo) -> None:
    released.git("remote", "remove", "origin")
    released.commit("web", {"web/a": "1"})
    assert names(released) == ["web"]


def test_commits_that_are_not_pushed_yet_are_planned_for(released: Monorepo) -> None:
    released.commit("web", {"web/a": "1"})
    assert names(released) == ["web"]


def test_fetching_sees_what_was_deployed_meanwhile(released: Monorepo, tmp_path: Path) -> None:
    new = released.push("web", {"web/a": "1"})
    git(tmp_path, "clone", "-q", f"file://{released.origin}", "other")
    released.deploy(web=sha(new))
    other = tmp_path / "other"
    assert released.run("plan", "--format", "names", directory=other).out == "web\n"
    assert released.run("plan", "--format", "names", "--fetch", directory=other).out == ""


def test_a_config_outside_the_repository_is_fine(offline: Monorepo, tmp_path: Path) -> None:
    config = tmp_path / "elsewhere.yaml"
    config.write_text(CONFIG.format(host=offline.host).replace("services/api/**", "nothing/**"))
    offline.push("api", {"services/api/a.go": "1"})
    ran = offline.run("--config", str(config), "plan", "--base", "HEAD~1", "--format", "names")
    assert (ran.code, ran.out) == (0, "")


def test_the_matrix_has_a_job_for_each_service_to_build(released: Monorepo) -> None:
    commit = released.push("web", {"web/a": "1"})
    released.git("remote", "set-url", "origin", "git@github.com:drewpayment/orbit.git")
    ran = released.run("plan", "--format", "matrix")
    repository, prefix = f"{released.host}/orbit/web", "org.opencontainers.image"
    source = f"{prefix}.source=https://github.com/drewpayment/orbit"
    assert json.loads(ran.out) == {
        "include": [
            {
                "service": "web",
                "image": repository,
                "commit": commit,
                "tag": sha(commit),
                "tags": f"{repository}:{sha(commit)}\n{repository}:latest",
                "context": "web",
                "dockerfile": "web/Dockerfile",
                "platforms": "",
                "build_args": "",
                "labels": f"{source}\n{prefix}.revision={commit}\n{prefix}.title=web",
                "cache_scope": "web",
            }
        ]
    }


def test_an_empty_matrix_is_still_a_matrix(released: Monorepo) -> None:
    assert json.loads(released.run("plan", "--format", "matrix").out) == {"include": []}


def test_the_table_is_for_people(released: Monorepo) -> None:
    released.push("web", {"web/a": "1"})
    lines = released.run("plan").out.splitlines()
    assert lines[0].split() == ["SERVICE", "ACTION", "DEPLOYED", "TARGET", "REASON"]
    assert lines[1].startswith("web      build    sha-")
    assert lines[1].endswith(": web/a")


def test_a_misspelt_service_is_met_with_a_suggestion(offline: Monorepo) -> None:
    ran = offline.run("plan", "wokrer")
    assert (ran.code, ran.err) == (2, "error: no service is called 'wokrer'\nhint: did you mean 'worker'?\n")


def test_only_the_named_services_are_planned(offline: Monorepo) -> None:
    assert names(offline, "worker", "web") == ["web", "worker"]


def test_this_repository_itself_has_nothing_to_do(offline: Monorepo) -> None:
    here = Path(__file__).parents[2]
    assert set(actions(offline, "--base", "0" * 40, directory=here).values()) == {"absent"}


def test_a_constant_number_of_git_processes(released: Monorepo, tmp_path: Path) -> None:
    commit = released.push("all", {"web/a": "1", "services/api/a": "1", "services/worker/a": "1"})
    tag = sha(released.git("rev-parse", "HEAD~2"))

    def processes(*services: str) -> int:
        trace = tmp_path / f"trace-{len(services)}"
        assert len(
            released.run("plan", "--format", "names", *services, GIT_TRACE2_EVENT=str(trace)).out.split()
        ) == len(services)
        return sum('"event":"start"' in line for line in trace.read_text().splitlines())

    assert commit[:7] not in tag
    assert processes("web") == processes("web", "api", "worker") <= 12


def test_the_hot_path_imports_no_heavy_package(released: Monorepo) -> None:
    released.push("web", {"web/a": "1"})
    ran = released.run("plan", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in ran.err.splitlines() if line.startswith("import time")}
    assert imported.isdisjoint({"docker", "git", "github", "requests", "ruamel", "ruamel.yaml", "rich"})
    assert "orbit_release.flows.plan" in imported


def test_a_short_tag_that_several_commits_share_is_not_guessed(released: Monorepo) -> None:
    """Commits are made until two share four digits: after 300 that is likely, after 3,000 certain enough."""
    tree, parent = released.git("rev-parse", "HEAD^{tree}"), released.git("rev-parse", "HEAD")
    seen: dict[str, str] = {}
    for number in range(3000):
        commit = released.git("commit-tree", tree, "-p", parent, "-m", str(number))
        if seen.setdefault(commit[:4], commit) != commit:
            break
    released.git("merge", "-q", "-s", "ours", "-m", "both", commit, seen[commit[:4]])
    released.git("push", "-q", "origin", "HEAD:main")
    released.deploy(web=f"sha-{commit[:4]}")
    assert planned(released)["web"]["reason"] == f"sha-{commit[:4]} names no commit that is known here"
    released.deploy(web=f"sha-{commit[:12]}")
    assert planned(released)["web"]["action"] == "current"


@pytest.mark.parametrize("setting", ["diff.relative", "submodule.recurse", "log.showSignature", "core.quotePath"])
def test_a_persons_git_settings_change_nothing(released: Monorepo, setting: str) -> None:
    target = released.push("api", {"services/api/é.go": "1"})
    released.git("config", setting, "true")
    plan = planned(released, directory=released.clone / "services")
    assert (plan["api"]["action"], plan["api"]["target"]) == ("build", target)


def test_a_branch_whose_name_only_ends_like_the_release_branch_is_not_it(released: Monorepo) -> None:
    released.git("push", "-q", "origin", "HEAD~1:refs/heads/a/refs/heads/main")
    assert names(released, "--fetch") == []


def test_history_that_git_cannot_read_to_its_end_is_an_error(released: Monorepo) -> None:
    lost = released.push("lost", {"README.md": "1"})
    released.push("kept", {"README.md": "2"})
    tree = released.git("rev-parse", f"{lost}^{{tree}}")
    (released.clone / ".git/objects" / tree[:2] / tree[2:]).unlink()
    ran = released.run("plan", "--base", "0" * 40, "--format", "matrix")
    assert (ran.code, ran.out) == (9, "")


def test_settings_that_are_not_committed_never_reach_an_image(released: Monorepo) -> None:
    released.push("web", {"web/a": "1"})
    config = CONFIG.format(host=released.host).replace("context: web,", "context: web, build_args: {A: dirty},")
    (released.clone / "orbit-release.yaml").write_text(config)
    matrix = json.loads(released.run("plan", "--format", "matrix").out)
    assert [(job["service"], job["build_args"]) for job in matrix["include"]] == [("web", "")]


def test_settings_that_changed_at_a_shallow_clones_last_commit_are_seen(released: Monorepo, tmp_path: Path) -> None:
    config = CONFIG.format(host=released.host).replace("context: web,", "context: web, build_args: {A: '1'},")
    target = released.push("settings", {"orbit-release.yaml": config})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{released.origin}", "other")
    assert planned(released, directory=tmp_path / "other")["web"]["target"] == target


def test_trees_are_compared_without_blobs_and_without_a_network(released: Monorepo, tmp_path: Path) -> None:
    git(released.origin, "config", "uploadpack.allowFilter", "true")
    released.push("api", {"services/api/a.go": "1"})
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{released.origin}", "other")
    released.origin.rename(released.origin.with_suffix(".moved"))
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(host=released.host))
    arguments = ("--config", str(config), "plan", "--base", "HEAD~1", "--format", "names")
    assert released.run(*arguments, directory=tmp_path / "other").out == "api\n"


def configured(repo: Monorepo, tag: str) -> str:
    """Set the scheme of tags, and return the commit that does."""
    text = CONFIG.format(host=repo.host).replace("manifests:", f"tag: '{tag}'\nmanifests:")
    return repo.push("scheme", {"orbit-release.yaml": text})


@pytest.mark.parametrize(
    ("scheme", "prefix", "digits"),
    [("linux-{sha}", "linux-", 7), ("{sha}", "", 7), ("{branch}-{sha}", "main-", 7), ("{sha:12}", "", 12)],
)
def test_a_tag_of_the_configured_scheme_names_its_commit_and_the_next_one_is_written_so(
    offline: Monorepo, scheme: str, prefix: str, digits: int
) -> None:
    first = configured(offline, scheme)
    offline.deploy(web=f"{prefix}{first[:9]}", api=sha(first), worker="other-1a2b3c4")
    newest = offline.push("web", {"web/a.ts": "1"})
    plan = planned(offline)
    assert (plan["web"]["action"], plan["web"]["tag"]) == ("build", f"{prefix}{newest[:digits]}")
    assert plan["web"]["reason"].endswith(": web/a.ts")
    assert plan["api"]["reason"] == f"no input changed since {sha(first)}"
    assert (plan["worker"]["action"], plan["worker"]["reason"]) == ("held", "pinned to other-1a2b3c4 by hand")
    matrix = json.loads(offline.run("plan", "--format", "matrix").out)["include"]
    assert [job["tag"] for job in matrix] == [f"{prefix}{newest[:digits]}"]


@pytest.mark.parametrize(
    ("scheme", "action", "reason"),
    [
        ("{sha}", "held", "pinned to 20240101 by hand"),
        ("v{sha}", "build", "v20240101 names no commit that is known here"),
    ],
)
def test_a_date_is_a_pin_where_the_scheme_has_no_letters(
    offline: Monorepo, scheme: str, action: str, reason: str
) -> None:
    configured(offline, scheme)
    offline.deploy(web=scheme.format(sha="20240101"))
    web = planned(offline)["web"]
    assert (web["action"], web["reason"]) == (action, reason)


HINT = "`orbit-release unhold --all` lets automation take them over"


def test_where_every_deployed_service_is_pinned_the_plan_ends_with_what_takes_them_over(offline: Monorepo) -> None:
    offline.deploy(web="v1.4.2", api="v2", worker="v3")
    ran = offline.run("plan")
    assert (ran.code, HINT in ran.err.splitlines()[-1], HINT in ran.out) == (0, True, False)
    assert HINT not in offline.run("plan", "web").err
    offline.push("one is not deployed", {f"{FOLDER}/api.yaml": None})
    assert HINT in offline.run("plan").err
    offline.deploy(worker="latest")
    assert HINT not in offline.run("plan").err


def test_unhold_lets_automation_take_a_pin_over(offline: Monorepo) -> None:
    offline.deploy(web="v1.4.2 # the first one", api="v2", worker="latest")
    newest = offline.git("rev-parse", "HEAD~1")
    ran = offline.run("unhold", "web")
    assert (ran.code, f"web: the next run releases {sha(newest)}" in ran.err) == (0, True)
    assert offline.at_origin(f"{FOLDER}/web.yaml").splitlines()[-1].endswith(":v1.4.2 # the first one # held: no")
    plan = planned(offline)
    assert (plan["web"]["action"], plan["web"]["reason"]) == ("build", "never released: deployed is v1.4.2")
    assert plan["api"]["reason"] == "pinned to v2 by hand"
    ran = offline.run("unhold", "web")
    assert (ran.code, "web is not held" in ran.err, "nothing to do" in ran.err) == (0, True, True)


def test_unhold_all_takes_every_pin_over_and_leaves_what_is_free(offline: Monorepo) -> None:
    offline.deploy(web="v1.4.2", api="v2", worker="latest")
    worker = offline.at_origin(f"{FOLDER}/worker.yaml")
    assert offline.run("unhold", "--all").code == 0
    assert set(actions(offline).values()) == {"build"}
    assert offline.at_origin(f"{FOLDER}/worker.yaml") == worker
    assert "nothing to do" in offline.run("unhold", "--all").err


def test_a_hold_on_top_of_a_pin_goes_with_it_but_the_end_of_a_freeze_leaves_the_pin(offline: Monorepo) -> None:
    offline.deploy(web="v1.4.2", api="v2")
    assert offline.run("hold", "--all", "-m", "freeze").code == 0
    assert offline.run("unhold", "--all", "-m", "freeze").code == 0
    plan = planned(offline)
    assert [plan[name]["reason"] for name in ("web", "api")] == ["pinned to v1.4.2 by hand", "pinned to v2 by hand"]
    assert offline.run("hold", "web", "-m", "crash loop").code == 0
    assert offline.run("unhold", "web").code == 0
    assert "# held: no\n" in offline.at_origin(f"{FOLDER}/web.yaml")
    assert planned(offline)["web"]["reason"] == "never released: deployed is v1.4.2"


def test_a_mark_of_another_time_does_not_let_go_of_a_later_pin(offline: Monorepo) -> None:
    offline.deploy(web="latest # held: no")
    offline.deploy(web="v1.4.2 # held: no")
    pin = offline.git("rev-parse", "--short=7", "HEAD")
    assert planned(offline)["web"]["reason"] == "pinned to v1.4.2 by hand"
    assert offline.run("unhold", "web").code == 0
    assert offline.at_origin(f"{FOLDER}/web.yaml").endswith(f":v1.4.2 # held: no, after {pin}\n")
    assert planned(offline)["web"]["action"] == "build"
