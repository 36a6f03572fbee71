"""`bump` against real origins: what ends up on the release branch, and what never does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.images import push_image
from tests.integration.monorepo import CONFIG, FOLDER, SERVICES, Monorepo, environment, git, pushed, repository, sha


def tip(repo: Monorepo) -> str:
    return git(repo.origin, "rev-parse", "main")


def test_a_bump_changes_the_tag_on_the_release_branch_and_nothing_else(monorepo: Monorepo) -> None:
    commit, before = tip(monorepo), monorepo.at_origin(f"{FOLDER}/api.yaml")
    pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "api", sha(commit))
    assert ran.code == 0, ran.err
    assert monorepo.at_origin(f"{FOLDER}/api.yaml") == before.replace(":latest", f":{sha(commit)}")
    assert git(monorepo.origin, "diff", "--name-only", commit, "main") == f"{FOLDER}/api.yaml"
    assert git(monorepo.origin, "rev-parse", "main~1") == commit


def test_the_release_commit_tells_what_it_does(monorepo: Monorepo) -> None:
    first = tip(monorepo)
    pushed(monorepo, "api", first)
    monorepo.run("bump", "api", sha(first))
    monorepo.git("pull", "-q", "origin", "main")
    second = monorepo.push("api", {"services/api/a.go": "1"})
    pushed(monorepo, "api", second)
    monorepo.git("config", "remote.origin.pushurl", str(monorepo.origin))
    assert monorepo.run("bump", "api", sha(second)).code == 0
    message = git(monorepo.origin, "log", "-1", "--format=%an|%B", "main")
    assert message == (
        f"Ada|release: api {sha(second)}\n\n"
        f"api: {sha(first)} -> {sha(second)} (1 commit)\n\n"
        f"Orbit-Release: api {sha(second)}"
    )


def test_several_services_are_one_commit(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    for name in SERVICES:
        pushed(monorepo, name, commit)
    ran = monorepo.run("bump", *[word for name in SERVICES for word in (name, sha(commit))], "--format", "json")
    assert monorepo.deployed() == dict.fromkeys(SERVICES, sha(commit))
    assert git(monorepo.origin, "log", "-1", "--format=%s", "main") == f"release: 3 services {sha(commit)}"
    document = json.loads(ran.out)
    assert (document["version"], document["commit"]) == (1, tip(monorepo))
    assert [edit["path"] for edit in document["edits"]] == [f"{FOLDER}/{name}.yaml" for name in sorted(SERVICES)]


def test_a_second_bump_has_nothing_to_do_and_makes_no_commit(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    monorepo.run("bump", "api", sha(commit))
    after = tip(monorepo)
    ran = monorepo.run("bump", "api", sha(commit))
    assert (ran.code, ran.err) == (0, f"nothing to do: already at api {sha(commit)}\n")
    assert tip(monorepo) == after


def test_a_dry_run_prints_the_diff_and_publishes_nothing(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "api", sha(commit), "--dry-run")
    assert ran.code == 0
    assert [line for line in ran.out.splitlines() if re.match(r"[-+] ", line)] == [
        f"-          image: {monorepo.host}/orbit/api:latest # the first one",
        f"+          image: {monorepo.host}/orbit/api:{sha(commit)} # the first one",
    ]
    assert tip(monorepo) == commit


def test_the_diff_of_a_dry_run_applies(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    (monorepo.clone / "change.patch").write_text(monorepo.run("bump", "api", sha(commit), "--dry-run").out)
    monorepo.git("apply", "change.patch")
    assert f"api:{sha(commit)} #" in (monorepo.clone / FOLDER / "api.yaml").read_text()


def test_the_clone_is_left_as_it_was(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    (monorepo.clone / "web/a").write_text("staged")
    monorepo.git("add", "web/a")
    (monorepo.clone / FOLDER / "api.yaml").write_text("half-finished")
    for hook in ("pre-commit", "pre-push", "post-commit", "reference-transaction", "post-index-change"):
        file = monorepo.clone / ".git/hooks" / hook
        file.write_text(f"#!/bin/sh\necho {hook} >> {monorepo.clone.parent}/hooks.log\nexit 1\n")
        file.chmod(0o755)
    state = monorepo.git("-c", "core.hooksPath=/dev/null", "status", "--porcelain")
    assert monorepo.run("bump", "api", sha(commit)).code == 0
    assert monorepo.git("-c", "core.hooksPath=/dev/null", "status", "--porcelain") == state
    assert monorepo.git("rev-parse", "HEAD") == commit
    assert (monorepo.clone / FOLDER / "api.yaml").read_text() == "half-finished"
    assert not (monorepo.clone.parent / "hooks.log").exists()
    assert monorepo.deployed()["api"] == sha(commit)


def test_no_push_commits_to_the_local_branch_and_its_files_follow(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    (monorepo.clone / "web/a").write_text("mine")
    assert monorepo.run("bump", "api", sha(commit), "--no-push").code == 0
    assert tip(monorepo) == commit
    assert monorepo.git("rev-parse", "main~1") == commit
    assert monorepo.git("status", "--porcelain") == "?? web/a"
    assert sha(commit) in (monorepo.clone / FOLDER / "api.yaml").read_text()


def test_no_push_refuses_to_run_over_local_changes(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    (monorepo.clone / FOLDER / "api.yaml").write_text("mine")
    ran = monorepo.run("bump", "api", sha(commit), "--no-push")
    assert ran.code == 6
    assert "commit or stash" in ran.err
    assert (monorepo.git("rev-parse", "main"), (monorepo.clone / FOLDER / "api.yaml").read_text()) == (commit, "mine")


def test_a_tag_that_nobody_pushed_is_refused(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "api", "sha-0000000")
    assert ran.code == 5
    assert f"error: {monorepo.host}/orbit/api has no tag sha-0000000\nhint: " in ran.err
    assert sha(commit) in ran.err
    assert tip(monorepo) == commit


def test_a_digest_is_checked_and_written(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    digest = pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "api", f"{sha(commit)}@sha256:{'0' * 64}")
    assert ran.code == 6
    assert monorepo.run("bump", "api", f"{sha(commit)}@{digest}").code == 0
    assert monorepo.deployed()["api"] == f"{sha(commit)}@{digest}"


def test_an_old_digest_beside_the_tag_is_replaced_by_the_registrys(monorepo: Monorepo) -> None:
    monorepo.deploy(api=f"latest@sha256:{'1' * 64}")
    commit = tip(monorepo)
    digest = pushed(monorepo, "api", commit)
    assert monorepo.run("bump", "api", sha(commit)).code == 0
    assert monorepo.deployed()["api"] == f"{sha(commit)}@{digest}"


def test_no_verify_asks_no_registry(offline: Monorepo) -> None:
    commit = tip(offline)
    assert offline.run("bump", "api", sha(commit), "--no-verify").code == 0
    assert offline.deployed()["api"] == sha(commit)


def test_a_registry_that_does_not_answer_stops_the_bump(offline: Monorepo) -> None:
    ran = offline.run("bump", "api", "sha-1234567")
    assert ran.code == 9
    assert len(ran.err.splitlines()) == 2
    assert ran.err.splitlines()[1].startswith("hint: ")


def test_a_bump_never_goes_backwards(offline: Monorepo) -> None:
    old = tip(offline)
    new = offline.push("api", {"services/api/a": "1"})
    offline.run("bump", "api", sha(new), "--no-verify")
    ran = offline.run("bump", "api", sha(old), "--no-verify", "--yes", "--allow-unmerged")
    assert ran.code == 6
    assert f"api runs {sha(new)}, which is newer than {sha(old)}" in ran.err
    assert offline.deployed()["api"] == sha(new)


def test_a_commit_that_is_not_on_the_branch_needs_a_word(offline: Monorepo) -> None:
    offline.git("checkout", "-qb", "feature")
    feature = offline.commit("api", {"services/api/a": "1"})
    ran = offline.run("bump", "api", sha(feature), "--no-verify", "--yes")
    assert (ran.code, "--allow-unmerged" in ran.err) == (6, True)
    assert offline.run("bump", "api", sha(feature), "--no-verify", "--allow-unmerged").code == 0
    assert offline.deployed()["api"] == sha(feature)


def test_a_commit_that_nobody_knows_needs_the_same_word(offline: Monorepo) -> None:
    assert offline.run("bump", "api", "sha-0123456", "--no-verify", "--yes").code == 6


def test_any_tag_can_be_pinned_by_hand(monorepo: Monorepo) -> None:
    push_image(repository(monorepo, "api"), "v1.2.3")
    assert monorepo.run("bump", "api", "v1.2.3").code == 0
    assert monorepo.deployed()["api"] == "v1.2.3"


def test_a_held_service_is_left_alone(offline: Monorepo) -> None:
    offline.deploy(api="latest # held: crash loop")
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert ran.code == 12
    assert "api is held: crash loop" in ran.err
    assert "hint: add --unhold" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("api",), 2, "pairs of a service and a tag"),
        ((), 2, "pairs of a service and a tag"),
        (("apy", "sha-1234567"), 2, "did you mean 'api'?"),
        (("api", "sha-1234567", "api", "sha-1234568"), 2, "named twice"),
        (("api", "no tag"), 4, "invalid tag 'no tag'"),
        (("api", "x@sha256:12"), 4, "invalid digest"),
        (("api", "x", "--head", "HEAD"), 2, "--head goes with --built"),
        (("--built", "--no-verify"), 2, "leave out --no-verify"),
        (("api", "x", "-m", "two\nlines"), 2, "one line"),
    ],
)
def test_what_does_not_fit_is_refused_in_two_lines(
    offline: Monorepo, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = offline.run("bump", *arguments)
    assert ran.code == code
    assert message in ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]


def test_a_service_that_no_manifest_names_is_an_error(offline: Monorepo) -> None:
    offline.push("gone", {f"{FOLDER}/api.yaml": None})
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert (ran.code, "no manifest names" in ran.err) == (5, True)


def test_a_manifest_that_cannot_be_edited_stops_everything(offline: Monorepo) -> None:
    offline.push("twice", {f"{FOLDER}/api.yaml": offline.at_origin(f"{FOLDER}/api.yaml") + "  spec: {}\n  broken: [\n"})
    before = tip(offline)
    ran = offline.run("bump", "web", sha(before), "api", sha(before), "--no-verify")
    assert ran.code == 4
    assert f"{FOLDER}/api.yaml:" in ran.err
    assert tip(offline) == before


def test_a_push_that_the_server_forbids_is_an_access_error(offline: Monorepo) -> None:
    hook = offline.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch: main' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = tip(offline)
    ran = offline.run("bump", "api", sha(before), "--no-verify")
    assert ran.code == 8, ran.err
    assert "refuses the push to main" in ran.err
    assert tip(offline) == before


def test_an_origin_that_is_gone_is_said_so(offline: Monorepo) -> None:
    commit = tip(offline)
    offline.origin.rename(offline.origin.with_suffix(".moved"))
    ran = offline.run("bump", "api", sha(commit), "--no-verify")
    assert ran.code == 5
    assert "git remote -v" in ran.err


def test_somebody_without_a_name_is_told_how_to_get_one(offline: Monorepo) -> None:
    commit = tip(offline)
    command = [sys.executable, "-m", "orbit_release", "bump", "api", sha(commit), "--no-verify"]
    nameless = {k: v for k, v in environment().items() if not k.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "EMAIL"))}
    nameless |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.useConfigOnly", "GIT_CONFIG_VALUE_0": "true"}
    ran = subprocess.run(command, cwd=offline.clone, env=nameless, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "git config user.name" in ran.stderr


def test_the_actions_bot_signs_for_releases_in_a_workflow(offline: Monorepo) -> None:
    nameless = {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": "", "GIT_COMMITTER_NAME": "", "GIT_COMMITTER_EMAIL": ""}
    runner = replace(offline, extra={"GITHUB_ACTIONS": "true", **nameless})
    assert runner.run("bump", "api", sha(tip(offline)), "--no-verify").code == 0
    assert git(offline.origin, "log", "-1", "--format=%an %cn", "main") == "github-actions[bot] github-actions[bot]"


def test_a_release_is_signed_when_the_persons_git_signs(offline: Monorepo, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key)), ("commit.gpgsign", "true")):
        offline.git("config", name, value)
    assert offline.run("bump", "api", sha(offline.git("rev-parse", "HEAD")), "--no-verify").code == 0
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in git(offline.origin, "cat-file", "commit", "main")


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_shallow_and_partial_clones_publish(offline: Monorepo, tmp_path: Path, option: str) -> None:
    git(offline.origin, "config", "uploadpack.allowFilter", "true")
    first = tip(offline)
    offline.push("more", {"README.md": "x"})
    git(tmp_path, "clone", "-q", option, f"file://{offline.origin}", "other")
    ran = offline.run("bump", "api", sha(first), "--no-verify", directory=tmp_path / "other")
    assert ran.code == 0, ran.err
    assert offline.deployed()["api"] == sha(first)
    assert git(offline.origin, "fsck", "--connectivity-only") == ""


def test_a_stale_clone_releases_on_the_fresh_tip(offline: Monorepo, tmp_path: Path) -> None:
    commit = tip(offline)
    git(tmp_path, "clone", "-q", str(offline.origin), "stale")
    offline.push("meanwhile", {"README.md": "kept"})
    assert offline.run("bump", "api", sha(commit), "--no-verify", directory=tmp_path / "stale").code == 0
    assert offline.at_origin("README.md") == "kept"


# The first push of each writer waits until all have come with theirs, which all but one of them must lose.
MEET = """\
#!/bin/sh
[ -e all ] && exit
mkdir -p came
touch came/$$
for _ in $(seq 10000); do
  [ "$(ls came | wc -l)" = 8 ] && exec touch all
  sleep 0.1
done
"""


def test_eight_writers_lose_nothing(offline: Monorepo, tmp_path: Path) -> None:
    """50 bumps of 25 services by 8 writers at once: each is in the history, none is empty, only tags change."""
    names = [f"s{number:02}" for number in range(25)]
    image = f"{offline.host}/orbit"
    services = "".join(f"  {name}: {{paths: ['{name}/**']}}\n" for name in names)
    config = f"image: {image}/{{service}}\nmanifests: {FOLDER}\nservices:\n{services}"
    template = "kind: Pod\nspec: {{containers: [{{name: a, image: {image}/{name}:latest}}]}} # kept\n"
    files: dict[str, str | bytes | None] = {"orbit-release.yaml": config}
    files |= {f"{FOLDER}/{name}.yaml": template.format(image=image, name=name) for name in names}
    offline.push("25 services", files)
    commits = [offline.commit(f"commit {number}", {"n": str(number)}) for number in range(2)]
    offline.git("push", "-q", "origin", "HEAD:main")
    before = tip(offline)
    clones = [tmp_path / f"clone{number}" for number in range(4)]  # two writers share each clone
    for clone in clones:
        git(tmp_path, "clone", "-q", str(offline.origin), clone.name)
    hook = offline.origin / "hooks/pre-receive"
    hook.write_text(MEET)
    hook.chmod(0o755)
    git(offline.origin, "config", "core.filesRefLockTimeout", "600000")  # milliseconds, however busy the machine is

    def write(writer: int) -> list[int]:
        own = names[writer::8]
        steps = [(name, commit) for commit in commits for name in own]
        runs = [
            offline.run("bump", name, sha(commit), "--no-verify", directory=clones[writer % 4])
            for name, commit in steps
        ]
        assert [ran.err for ran in runs if ran.code] == []
        return [ran.code for ran in runs]

    with ThreadPoolExecutor(8) as pool:
        codes = [code for codes in pool.map(write, range(8)) for code in codes]
    assert codes == [0] * 50
    for name in names:
        assert offline.at_origin(f"{FOLDER}/{name}.yaml") == template.format(image=image, name=name).replace(
            ":latest", f":{sha(commits[-1])}"
        )
    log = git(offline.origin, "log", "--first-parent", "--format=%s", "--shortstat", f"{before}..main")
    assert len(re.findall("^release: ", log, re.MULTILINE)) == 50
    assert log.count("1 file changed, 1 insertion(+), 1 deletion(-)") == 50
    assert git(offline.origin, "diff", "--name-only", before, "main").split() == [f"{FOLDER}/{n}.yaml" for n in names]
    assert len(set().union(*map(commits_of, clones)) - {*git(offline.origin, "rev-list", "main").split()}) >= 7


def commits_of(clone: Path) -> set[str]:
    """Return all commits that a clone has, also those that nothing leads to: what was made and came too late."""
    kinds = git(clone, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    return {line.removeprefix("commit ") for line in kinds.splitlines() if line.startswith("commit ")}


def test_built_releases_what_the_registry_has_in_one_commit(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    for name in SERVICES:
        pushed(monorepo, name, commit)
    ran = monorepo.run("bump", "--built")
    assert ran.code == 0, ran.err
    assert monorepo.deployed() == dict.fromkeys(SERVICES, sha(commit))
    assert git(monorepo.origin, "rev-parse", "main~1") == commit


def test_built_publishes_what_exists_and_names_what_is_missing(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "web", commit)
    pushed(monorepo, "worker", commit)
    ran = monorepo.run("bump", "--built")
    assert ran.code == 5
    assert f"not in the registry: {monorepo.host}/orbit/api:{sha(commit)}" in ran.err
    assert monorepo.deployed() == {"web": sha(commit), "api": "latest", "worker": sha(commit)}


def test_built_leaves_held_and_absent_services_out(monorepo: Monorepo) -> None:
    monorepo.deploy(api="latest # held: crash loop")
    commit = monorepo.push("gone", {"services/worker/Dockerfile": None})
    web = git(monorepo.origin, "rev-list", "main").split()[-1]
    pushed(monorepo, "web", web)
    ran = monorepo.run("bump", "--built", "--head", commit)
    assert ran.code == 0, ran.err
    assert monorepo.deployed() == {"web": sha(web), "api": "latest", "worker": "latest"}
    assert "api stays: held: crash loop" in ran.err


def test_built_with_nothing_new_makes_no_commit(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    for name in SERVICES:
        pushed(monorepo, name, commit)
    monorepo.run("bump", "--built")
    after = tip(monorepo)
    ran = monorepo.run("bump", "--built")
    assert (ran.code, tip(monorepo)) == (0, after)
    assert "nothing to do" in ran.err


def test_an_old_run_that_is_run_again_deploys_nothing(monorepo: Monorepo) -> None:
    old = tip(monorepo)
    new = monorepo.push("api", {"services/api/a": "1"})
    for name, commit in (("api", old), ("api", new), ("web", old), ("worker", old)):
        pushed(monorepo, name, commit)
    assert monorepo.run("bump", "--built", "--head", new).code == 0
    after = tip(monorepo)
    assert monorepo.run("bump", "--built", "--head", old).code == 0
    assert tip(monorepo) == after


def test_a_head_that_was_forced_away_deploys_nothing(monorepo: Monorepo) -> None:
    lost = monorepo.push("lost", {"web/a": "1"})
    pushed(monorepo, "web", lost)
    monorepo.git("push", "-qf", "origin", "HEAD~1:main")
    before = tip(monorepo)
    ran = monorepo.run("bump", "--built", GITHUB_ACTIONS="true", GITHUB_SHA=lost)
    assert (ran.code, tip(monorepo)) == (0, before)
    assert "not on the release branch any more" in ran.err


def test_a_tag_of_another_commit_is_never_taken_for_ours(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "web", commit, revision=commit[:7] + "0" * 33)
    ran = monorepo.run("bump", "--built", "web")
    assert ran.code == 6
    assert "nothing is overwritten" in ran.err


def test_a_deployed_tag_that_git_cannot_resolve_is_found_by_its_label(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "web", commit, "sha-0123456")
    monorepo.deploy(web="sha-0123456")
    ran = monorepo.run("plan", "web", "--registry", "--format", "json")
    assert json.loads(ran.out)["services"][0]["action"] == "current"


def test_plan_asks_the_registry_and_says_release(monorepo: Monorepo) -> None:
    pushed(monorepo, "web", tip(monorepo))
    ran = monorepo.run("plan", "--registry", "--format", "json")
    assert {one["name"]: one["action"] for one in json.loads(ran.out)["services"]} == {
        "web": "release",
        "api": "build",
        "worker": "build",
    }


def test_the_outputs_of_the_plan_step(monorepo: Monorepo, tmp_path: Path) -> None:
    pushed(monorepo, "web", tip(monorepo))
    output = tmp_path / "output"
    assert monorepo.run("plan", "--format", "github", GITHUB_OUTPUT=str(output)).code == 0
    values = dict(re.findall(r"(?m)^(\w+)<<(?:EOF_\w+)\n(.*)\nEOF_\w+$", output.read_text()))
    assert (values["any"], values["pending"]) == ("true", "true")
    assert json.loads(values["services"]) == ["web", "api", "worker"]
    assert [job["service"] for job in json.loads(values["matrix"])["include"]] == ["api", "worker"]


def test_a_service_in_two_manifests_never_goes_backwards_in_one_of_them(monorepo: Monorepo) -> None:
    first = tip(monorepo)
    canary = monorepo.at_origin(f"{FOLDER}/api.yaml")
    middle = monorepo.push("api", {"services/api/a": "1"})
    newest = monorepo.push("api again", {"services/api/a": "2"})
    for commit in (first, middle, newest):
        pushed(monorepo, "api", commit)
    monorepo.deploy(api=sha(newest))
    before = monorepo.push("canary", {f"{FOLDER}/canary.yaml": canary.replace(":latest", f":{sha(first)}")})
    ran = monorepo.run("bump", "--built", "api", "--head", middle)
    assert (ran.code, tip(monorepo)) == (0, before)
    assert monorepo.run("bump", "--built", "api").code == 0
    assert sha(newest) in monorepo.at_origin(f"{FOLDER}/canary.yaml")


def test_a_tag_that_is_called_like_a_commit_does_not_open_the_way_back(offline: Monorepo) -> None:
    old = tip(offline)
    new = offline.push("api", {"services/api/a": "1"})
    offline.run("bump", "api", sha(new), "--no-verify")
    offline.git("tag", new[:7], old)
    assert offline.run("bump", "api", sha(old), "--no-verify").code == 6


def test_a_stale_clone_knows_that_a_commit_was_merged_meanwhile(offline: Monorepo, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(offline.origin), "stale")
    new = offline.push("api", {"services/api/a": "1"})
    assert offline.run("bump", "api", sha(new), "--no-verify", directory=tmp_path / "stale").code == 0


def test_built_in_a_shallow_clone_knows_that_an_older_head_is_on_the_branch(monorepo: Monorepo, tmp_path: Path) -> None:
    head = tip(monorepo)
    pushed(monorepo, "web", head)
    monorepo.push("docs", {"README.md": "x"})
    git(monorepo.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{monorepo.origin}", "other")
    assert monorepo.run("bump", "--built", "web", "--head", head, directory=tmp_path / "other").code == 0
    assert monorepo.deployed()["web"] == sha(head)


def test_an_image_that_is_deployed_by_its_digest_alone_goes_forward_and_not_back(monorepo: Monorepo) -> None:
    old = tip(monorepo)
    new = monorepo.push("api", {"services/api/a": "1"})
    digest = pushed(monorepo, "api", new)
    pushed(monorepo, "api", old)
    entry = f"images:\n  - name: {monorepo.host}/orbit/api\n    digest: {digest}\n"
    before = monorepo.push("pin", {f"{FOLDER}/api.yaml": None, f"{FOLDER}/kustomization.yaml": entry})
    ran = monorepo.run("plan", "api", "--registry", "--format", "json")
    assert json.loads(ran.out)["services"][0]["action"] == "current"
    assert monorepo.run("bump", "--built", "api", "--head", old).code == 0
    assert tip(monorepo) == before


def test_a_persons_own_tags_are_not_published_with_a_release(offline: Monorepo) -> None:
    offline.git("config", "push.followTags", "true")
    offline.git("tag", "-a", "-m", "mine", "mine")
    assert offline.run("bump", "api", sha(tip(offline)), "--no-verify").code == 0
    assert git(offline.origin, "tag") == ""


def test_several_writers_of_a_local_branch_lose_nothing(offline: Monorepo) -> None:
    offline.git("remote", "remove", "origin")
    offline.git("checkout", "-q", "--detach")
    tag = sha(offline.git("rev-parse", "HEAD"))
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda name: offline.run("bump", name, tag, "--no-verify"), SERVICES))
    assert [ran.err for ran in runs if ran.code] == []
    assert offline.git("grep", "-c", tag, "main", "--", FOLDER).count(":1") == 3


def test_a_manifest_that_was_only_touched_is_no_obstacle(offline: Monorepo) -> None:
    (offline.clone / FOLDER / "api.yaml").touch()
    assert offline.run("bump", "api", sha(tip(offline)), "--no-verify", "--no-push").code == 0


@pytest.mark.parametrize("is_resolved", [False, True])
def test_an_unfinished_merge_is_not_committed_over(offline: Monorepo, *, is_resolved: bool) -> None:
    commit = tip(offline)
    offline.git("switch", "-qc", "topic")
    offline.commit("theirs", {"notes": "theirs"})
    offline.git("switch", "-q", "main")
    head = offline.commit("ours", {"notes": "ours"})
    with pytest.raises(subprocess.CalledProcessError):
        offline.git("merge", "-q", "topic")
    if is_resolved:
        offline.git("add", "notes")
    state = offline.git("status", "--porcelain")
    ran = offline.run("bump", "api", sha(commit), "--no-verify", "--no-push")
    assert (ran.code, "in the middle of a merge" in ran.err) == (6, True)
    assert (offline.git("rev-parse", "main"), offline.git("status", "--porcelain")) == (head, state)


def test_a_lock_that_a_crash_left_behind_is_no_race(offline: Monorepo) -> None:
    (offline.origin / "refs/heads/main.lock").touch()
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert (ran.code, "origin cannot move main" in ran.err, "main.lock" in ran.err) == (9, True, True)


def test_a_branch_that_another_worktree_has_checked_out_is_not_moved(offline: Monorepo, tmp_path: Path) -> None:
    commit = tip(offline)
    offline.git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "tree"))
    ran = offline.run("bump", "api", sha(commit), "--no-verify", "--no-push", directory=tmp_path / "tree")
    assert (ran.code, offline.git("rev-parse", "main")) == (6, commit)


def test_a_pinned_digest_is_never_dropped_without_a_word(offline: Monorepo) -> None:
    offline.deploy(api=f"latest@sha256:{'1' * 64}")
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert (ran.code, "is pinned to a digest" in ran.err) == (4, True)


def test_a_tag_that_lies_about_its_commit_is_not_deployed(monorepo: Monorepo) -> None:
    old = tip(monorepo)
    new = monorepo.push("api", {"services/api/a": "1"})
    pushed(monorepo, "api", new, revision=old)
    ran = monorepo.run("bump", "api", sha(new))
    assert (ran.code, f"was built from {old}" in ran.err) == (6, True)


def test_a_clash_concerns_its_own_service_only(monorepo: Monorepo) -> None:
    commit = tip(monorepo)
    pushed(monorepo, "web", commit, revision=commit[:7] + "0" * 33)
    pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "--built", "web", "api")
    assert (ran.code, monorepo.deployed()["api"]) == (6, sha(commit))
    assert "was built from" in ran.err


def test_a_placeholder_in_place_of_a_tag_is_named(offline: Monorepo) -> None:
    offline.deploy(api="${TAG}")
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    where = f"error: {FOLDER}/api.yaml:11: '{offline.host}/orbit/api:${{TAG}}' holds no plain tag"
    assert (ran.code, ran.err.splitlines()[0], offline.deployed()["api"]) == (4, where, "${TAG}")


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_of_two_digests_has_a_veto_when_a_person_bumps(monorepo: Monorepo, *, newest_first: bool) -> None:
    commits = [tip(monorepo), *(monorepo.push(f"api {n}", {"services/api/a": str(n)}) for n in range(2))]
    digests = [pushed(monorepo, "api", commit) for commit in commits]
    pins = [digests[-1], digests[0]] if newest_first else [digests[0], digests[-1]]
    entries = [f"images: [{{name: {monorepo.host}/orbit/api, digest: '{pin}'}}]\n" for pin in pins]
    files = {f"{FOLDER}/{number}/kustomization.yaml": entry for number, entry in enumerate(entries)}
    before = monorepo.push("pins", {f"{FOLDER}/api.yaml": None, **files})
    ran = monorepo.run("bump", "api", sha(commits[1]))
    assert (ran.code, tip(monorepo)) == (6, before)
    assert f"api runs {digests[-1]}, which is newer" in ran.err


def line(repo: Monorepo, name: str) -> str:
    """Return what stands behind a service's repository at the origin."""
    return repo.at_origin(f"{FOLDER}/{name}.yaml").partition(f"/orbit/{name}:")[2].rstrip("\n")


def planned_reason(repo: Monorepo, name: str) -> str:
    services = json.loads(repo.run("plan", "--fetch", "--format", "json").out)["services"]
    return next(f"{service['action']}: {service['reason']}" for service in services if service["name"] == name)


def test_the_release_that_takes_a_pin_over_takes_its_mark_away(monorepo: Monorepo) -> None:
    target = tip(monorepo)
    monorepo.deploy(api="v1.4.2 # the first one")
    pushed(monorepo, "api", target)
    assert monorepo.run("unhold", "api").code == 0
    assert line(monorepo, "api").startswith("v1.4.2 ")
    ran = monorepo.run("bump", "--built", "api")
    assert ran.code == 0, ran.err
    assert line(monorepo, "api") == f"{sha(target)} # the first one"
    message = git(monorepo.origin, "log", "-1", "--format=%B", "main")
    assert message == f"release: api {sha(target)}\n\napi: v1.4.2 -> {sha(target)}\n\nOrbit-Release: api {sha(target)}"
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.deploy(api="v1.5.0")  # a later pin by hand holds again
    assert planned_reason(monorepo, "api") == "held: pinned to v1.5.0 by hand"


def test_a_reverted_takeover_of_a_pin_stays_reverted_until_somebody_lets_go_again(monorepo: Monorepo) -> None:
    target = tip(monorepo)
    monorepo.deploy(api="v1.4.2 # the first one")
    pushed(monorepo, "api", target)
    assert [monorepo.run(*words).code for words in (("unhold", "api"), ("bump", "--built", "api"))] == [0, 0]
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.git("revert", "--no-edit", "HEAD")
    monorepo.git("push", "-q", "origin", "main")
    assert line(monorepo, "api") == "v1.4.2 # the first one # held: no"
    assert planned_reason(monorepo, "api") == "held: pinned to v1.4.2 by hand"
    assert monorepo.run("bump", "--built", "api").code == 0
    assert line(monorepo, "api").startswith("v1.4.2 ")
    assert monorepo.run("unhold", "api").code == 0
    assert planned_reason(monorepo, "api") == "build: never released: deployed is v1.4.2"
    assert monorepo.run("bump", "--built", "api").code == 0
    assert line(monorepo, "api").startswith(sha(target))


def test_a_bump_by_hand_from_one_pin_to_another_holds_again(monorepo: Monorepo) -> None:
    monorepo.deploy(api="v1.4.2 # the first one")
    for tag in ("v1.4.2", "v1.5.0"):
        pushed(monorepo, "api", tip(monorepo), tag)
    assert monorepo.run("unhold", "api").code == 0
    assert monorepo.run("bump", "api", "v1.4.2").code == 0  # which is there already: its mark stays
    assert line(monorepo, "api").endswith("# held: no")
    assert monorepo.run("bump", "api", "v1.5.0").code == 0
    assert line(monorepo, "api") == "v1.5.0 # the first one"
    assert planned_reason(monorepo, "api") == "held: pinned to v1.5.0 by hand"


@pytest.mark.parametrize(("scheme", "prefix"), [("linux-{sha:9}", "linux-"), ("{sha:9}", "")])
def test_what_is_built_is_released_under_the_tag_of_the_scheme(monorepo: Monorepo, scheme: str, prefix: str) -> None:
    text = CONFIG.format(host=monorepo.host).replace("manifests:", f"tag: '{scheme}'\nmanifests:")
    monorepo.push("scheme", {"orbit-release.yaml": text})
    target = monorepo.push("api", {"services/api/a.go": "1"})
    tag = f"{prefix}{target[:9]}"
    pushed(monorepo, "api", target, tag)
    ran = monorepo.run("bump", "--built", "api")
    assert ran.code == 0, ran.err
    assert line(monorepo, "api").split()[0] == tag
    ran = monorepo.run("bump", "api", f"{prefix}{'0' * 9}")
    assert (ran.code, f"Tags there: {tag}." in ran.err) == (5, True)
