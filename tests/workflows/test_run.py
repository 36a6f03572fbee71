"""Whole runs of the workflow: what main, the registry and the page of the run hold afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.monorepo import LABEL, git, repository, sha
from tests.integration.test_build import contents, labels, served
from tests.servers.github import PROTECTED, PROTECTED_BRANCH, Fault
from tests.workflows.expressions import ROOT
from tests.workflows.lint import load
from tests.workflows.machine import Machine
from tests.workflows.runner import Run, Steps
from tests.workflows.world import World

BROKEN = "FROM scratch\nCOPY missing /\n"
PUSH, AGAIN = "Push", "Push once more, where the registry failed"


def assert_run(run: Run, result: str, *started: str) -> None:
    """Expect how a run ended, and the jobs that ran."""
    assert (run.result, run.started) == (result, list(started)), "\n".join(run.told())


def test_a_push_that_touches_one_service_builds_and_releases_it_alone(world: World) -> None:
    before, old = world.manifests(), world.repo.deployed()["web"]
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "success", "Plan", "Build web", "Release")
    tag = sha(run.event.sha)
    assert world.manifests() == before | {"web": before["web"].replace(old, tag)}
    assert served(world.repo, "web", tag) == served(world.repo, "web", "latest")
    assert labels(world.repo, "web", tag) == {
        f"{LABEL}.source": world.site.remote,
        f"{LABEL}.revision": run.event.sha,
        f"{LABEL}.title": "web",
    }


def test_each_job_says_in_its_summary_what_it_is_about(world: World) -> None:
    run = world.push({"web/index.html": "1"}).play()
    told = {name: run[name].summary for name in run.started}
    assert [name for name, text in told.items() if "`web`" not in text or sha(run.event.sha) not in text] == []
    assert run.annotations == []


def test_github_itself_makes_the_release_commit_for_the_bot(world: World) -> None:
    assert world.push({"web/index.html": "1"}).play().result == "success"
    assert git(world.repo.origin, "log", "-1", "--format=%an by %cn", "main") == "github-actions[bot] by GitHub"


def test_the_run_of_a_release_is_one_plan_with_nothing_pending(world: World) -> None:
    world.push({"web/index.html": "1"}).play()
    state = world.state()
    run = world.run(world.tip).play()
    assert_run(run, "success", "Plan")
    assert (run["Plan"].outputs["pending"], run["Plan"].outputs["any"]) == ("false", "false")
    assert world.state() == state


def test_a_push_that_touches_a_shared_folder_builds_two_services_in_one_release(world: World) -> None:
    run = world.push({"proto/api.proto": "changed"}).play()
    assert_run(run, "success", "Plan", "Build api", "Build worker", "Release")
    deployed = world.repo.deployed()
    assert deployed["api"] == deployed["worker"] == sha(run.event.sha) != deployed["web"]
    assert git(world.repo.origin, "rev-parse", "main^") == run.event.sha


def test_a_failed_build_holds_up_nobody_else_and_is_released_once_it_is_mended(world: World) -> None:
    before = world.repo.deployed()
    red = world.push({"services/api/Dockerfile": BROKEN, "web/index.html": "1"}).play()
    assert_run(red, "failure", "Plan", "Build web", "Build api", "Release")
    assert (red["Build web"].result, red["Build api"].result) == ("success", "failure")
    assert world.repo.deployed() == before | {"web": sha(red.event.sha)}
    green = world.push({"services/api/Dockerfile": "FROM scratch\nCOPY proto /\n"}).play()
    assert_run(green, "success", "Plan", "Build api", "Release")
    assert world.repo.deployed()["api"] == sha(green.event.sha)


def test_what_a_dropped_run_has_built_is_released_by_the_next_without_building_it_again(world: World) -> None:
    dropped = world.push({"web/index.html": "1"}).play(before="release")
    tag = sha(dropped.event.sha)
    digest = served(world.repo, "web", tag)
    assert_run(world.push({"README.md": "more"}).play(), "success", "Plan", "Release")
    assert (world.repo.deployed()["web"], served(world.repo, "web", tag)) == (tag, digest)


def test_an_image_is_built_from_the_commit_of_its_tag_whatever_the_commit_of_the_run(world: World) -> None:
    files = {"services/api/Dockerfile": "FROM scratch\nCOPY README.md /\n", "README.md": "then"}
    commit = world.push(files).event.sha
    assert_run(world.push({"README.md": "now"}).play(), "success", "Plan", "Build api", "Release")
    assert contents(world.repo, "api", sha(commit)) == {"README.md": b"then"}
    assert world.repo.deployed()["api"] == sha(commit)


def test_an_old_run_that_is_run_again_moves_nothing_back(world: World) -> None:
    old = world.push({"web/index.html": "1"}).play()
    world.push({"web/index.html": "2"}).play()
    state = world.state()
    assert_run(old.again().play(), "success", "Plan")
    assert world.state() == state


def test_the_failed_build_of_an_old_run_that_is_run_again_moves_nothing_back(world: World) -> None:
    world.site.broken_pushes += ["web", "web"]
    old = world.push({"web/index.html": "1"}).play()
    assert (old.result, old["Build web"].result) == ("failure", "failure"), "\n".join(old.told())
    world.push({"web/index.html": "2"}).play()
    state = world.state()
    again = old.again(failed=True).play()
    assert again["Build web"].steps[PUSH] == "skipped"
    assert again.result == "success", "\n".join(again.told())
    assert world.state() == state


def test_an_older_build_that_comes_late_leaves_latest_at_the_newer_one(world: World) -> None:
    world.site.broken_pushes += ["web", "web"]
    old = world.push({"web/index.html": "1"}).play()
    new = world.push({"web/index.html": "2"}).play(before="release")
    latest = world.images()["web"]
    again = old.again(failed=True).play()
    assert again.result == "success", "\n".join(again.told())
    assert (world.images()["web"], world.repo.deployed()["web"]) == (latest, sha(old.event.sha))
    assert new.play().result == "success"
    assert (world.images()["web"], world.repo.deployed()["web"]) == (latest, sha(new.event.sha))


def test_two_releases_at_the_same_time_both_arrive(world: World) -> None:
    runs = [world.push({path: "1"}).play(before="release") for path in ("web/index.html", "services/api/main")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(Run.play, runs))
    assert [run.result for run in runs] == ["success", "success"], "\n".join([*runs[0].told(), *runs[1].told()])
    deployed = world.repo.deployed()
    assert (deployed["web"], deployed["api"]) == tuple(sha(run.event.sha) for run in runs)


def test_what_another_run_built_since_the_plan_is_not_built_again(world: World) -> None:
    first = world.push({"web/index.html": "1"}).play(before="build")
    second = world.push({"services/api/main": "1"}).play(before="build")
    assert_run(first.play(), "success", "Plan", "Build web", "Release")
    digest = served(world.repo, "web", "latest")
    assert_run(second.play(), "success", "Plan", "Build web", "Build api", "Release")
    assert (second["Build web"].steps[PUSH], served(world.repo, "web", "latest")) == ("skipped", digest)
    assert world.repo.deployed()["web"] == sha(first.event.sha)
    assert world.repo.deployed()["api"] == sha(second.event.sha)


def test_a_run_whose_commit_was_forced_off_main_does_nothing_and_is_green(world: World) -> None:
    late = world.push({"web/index.html": "1"}).play(before="build")
    world.repo.git("reset", "-q", "--hard", "HEAD~1")
    world.repo.commit("instead", {"README.md": "more"})
    world.repo.git("push", "-q", "--force", "origin", "HEAD:main")
    state = world.state()
    assert_run(late.play(), "success", "Plan", "Build web", "Release")
    assert_run(late.again().play(), "success", "Plan")
    assert world.state() == state
    assert served(world.repo, "web", sha(late.event.sha)) is None


def test_one_service_can_be_released_by_hand(world: World) -> None:
    before = world.repo.deployed()
    commit = world.push({"web/index.html": "1", "services/api/main": "1"}).event.sha
    assert_run(world.run(commit, {"services": "api"}).play(), "success", "Plan", "Build api", "Release")
    assert world.repo.deployed() == before | {"api": sha(commit)}
    assert served(world.repo, "web", sha(commit)) is None


def test_a_build_can_be_forced_although_the_image_exists(world: World) -> None:
    state, tag = world.state(), world.repo.deployed()["api"]
    before = served(world.repo, "api", tag)
    run = world.run(world.tip, {"services": "api", "force": True}).play()
    assert_run(run, "success", "Plan", "Build api", "Release")
    assert run["Build api"].steps[PUSH] == "success"
    assert served(world.repo, "api", tag) == served(world.repo, "api", "latest") != before
    assert (world.tip, world.manifests()) == (state["tip"], state["manifests"])


def test_another_branch_is_refused(world: World) -> None:
    state = world.state()
    run = world.run(world.tip, {}, "refs/heads/topic").play()
    assert_run(run, "failure", "Plan")
    assert run.annotations == ["Releases are made from main: run this workflow there."]
    assert world.state() == state


def test_a_service_that_does_not_exist_is_named_on_the_page_of_the_run(world: World) -> None:
    run = world.run(world.tip, {"services": "web, nowhere"}).play()
    assert_run(run, "failure", "Plan")
    (annotation,) = run.annotations
    assert "no service is called 'nowhere'" in annotation


def test_a_push_that_fails_once_is_repeated_and_what_is_attested_is_what_is_there(world: World) -> None:
    world.site.broken_pushes += ["web"]
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "success", "Plan", "Build web", "Release")
    steps = run["Build web"].steps
    assert (steps[PUSH], steps[AGAIN]) == ("failure", "success")
    digest = served(world.repo, "web", sha(run.event.sha))
    assert world.site.attested == [(str(repository(world.repo, "web")), digest)]
    assert world.site.logins == ["ghcr.io"]


def test_an_attestation_that_failed_is_made_up_for_when_the_job_is_run_again(world: World) -> None:
    name = str(repository(world.repo, "web"))
    world.site.broken_attestations += [name]
    red = world.push({"web/index.html": "1"}).play()
    assert_run(red, "failure", "Plan", "Build web", "Release")
    assert world.site.attested == []
    again = red.again(failed=True).play()
    assert again.result == "success", "\n".join(again.told())
    assert world.site.attested == [(name, served(world.repo, "web", sha(red.event.sha)))]


def test_a_latest_that_stayed_behind_is_made_up_for_when_the_job_is_run_again(world: World) -> None:
    before = world.images()["web"]
    world.site.broken_pushes += ["web:latest", "web:latest"]
    red = world.push({"web/index.html": "1"}).play()
    assert_run(red, "failure", "Plan", "Build web", "Release")
    assert (world.repo.deployed()["web"], world.images()["web"]) == (sha(red.event.sha), before)
    assert red.again(failed=True).play().result == "success"
    assert served(world.repo, "web", sha(red.event.sha)) == world.images()["web"] != before


def test_two_runs_that_race_for_one_service_leave_the_newer_one_deployed(world: World) -> None:
    old = world.push({"web/index.html": "1"}).play(before="release")
    new = world.push({"web/index.html": "2"}).play(before="release")
    with ThreadPoolExecutor() as pool:
        list(pool.map(Run.play, (new, old)))
    assert (old.result, new.result) == ("success", "success"), "\n".join([*old.told(), *new.told()])
    assert world.repo.deployed()["web"] == sha(new.event.sha)


def test_a_pull_request_is_told_what_merging_it_releases(world: World) -> None:
    world.repo.git("fetch", "-q", "origin", "main")
    world.repo.git("switch", "-qc", "topic", "FETCH_HEAD")
    world.repo.commit("topic", {"web/index.html": "1"})
    world.repo.git("push", "-q", "origin", "HEAD:refs/pull/1/merge")
    merged = world.repo.git("rev-parse", "HEAD")
    about = {"event_name": "pull_request", "ref": "refs/pull/1/merge", "base_ref": "main"}
    machine = Machine(world.folder / "preview", world.run(world.tip).github | about | {"sha": merged}, world.site)
    steps = load(ROOT / ".github/workflows/ci.yml")["jobs"]["preview"]["steps"]
    assert not Steps(machine, {"github": machine.github}).play(steps).failed, machine.log
    assert machine.summary.startswith("### Merging this releases: `web`\n")


@pytest.mark.parametrize("fault", [PROTECTED, PROTECTED_BRANCH], ids=["rules", "protection"])
def test_a_release_that_github_refuses_says_what_to_do(world: World, fault: Fault) -> None:
    world.api.fail("createCommitOnBranch", fault)
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "failure", "Plan", "Build web", "Release")
    (annotation,) = run.annotations
    assert "main" in annotation
    assert "GitHub App" in annotation
    assert world.tip == run.event.sha
