"""`rollback`, `hold` and `unhold` against real origins, and what automation does afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hub import Hub
from tests.integration.monorepo import FOLDER, MANIFEST, SERVICES, Monorepo, git, pushed, sha

FLOW = """\
kind: Deployment
spec: {{template: {{spec: {{containers: [{{name: api, image: "{host}/orbit/api:latest"}}]}}}}}}
"""


def release(repo: Monorepo, *services: str) -> str:
    """Change services, put their images into the registry, release them as automation does; return the tag."""
    repo.git("pull", "-q", "origin", "main")
    stem = repo.git("rev-list", "--count", "HEAD")
    commit = repo.push(f"change {' '.join(services)}", {f"{_folder(name)}/{stem}": "1" for name in services})
    for name in services:
        pushed(repo, name, commit)
    ran = repo.run("bump", "--built", *services)
    assert ran.code == 0, ran.err
    repo.git("pull", "-q", "origin", "main")
    return sha(commit)


def _folder(name: str) -> str:
    return "web" if name == "web" else f"services/{name}"


def api(repo: Monorepo) -> str:
    """Return the image line of the api, behind the repository's name."""
    line = next(line for line in repo.at_origin(f"{FOLDER}/api.yaml").splitlines() if "image:" in line)
    return line.partition("/orbit/api:")[2]


def action(repo: Monorepo, name: str = "api") -> str:
    repo.git("fetch", "-q", "origin")
    ran = repo.run("plan", name, "--head", "origin/main", "--format", "json", "--registry")
    (one,) = json.loads(ran.out)["services"]
    return str(one["reason"] if one["action"] == "held" else one["action"])


def subject(repo: Monorepo) -> str:
    return git(repo.origin, "log", "-1", "--format=%s", "main")


def test_a_rollback_goes_back_holds_and_goes_further_back(monorepo: Monorepo) -> None:
    tags = [release(monorepo, "api") for _ in range(3)]
    ran = monorepo.run("rollback", "api", "-m", "crash loop")
    assert (ran.code, api(monorepo)) == (0, f"{tags[1]} # the first one # held: crash loop")
    assert f"api: {tags[2]} -> {tags[1]} takes 1 commit out" in ran.err
    assert "- " + tags[2][4:] + " change api" in ran.err
    assert "api is held: crash loop; once it is mended: orbit-release unhold api" in ran.err
    assert subject(monorepo) == f"rollback: api {tags[1]}"
    assert monorepo.run("rollback", "api").code == 0
    assert api(monorepo) == f"{tags[0]} # the first one # held: rolled back from {tags[1]}"
    ran = monorepo.run("rollback", "api")
    assert (ran.code, f"api has nothing to go back to from {tags[0]}" in ran.err) == (5, True)


def test_what_is_held_stays_while_others_are_released(monorepo: Monorepo) -> None:
    first, _ = release(monorepo, "api", "worker"), release(monorepo, "api")
    monorepo.run("rollback", "api")
    assert action(monorepo).startswith("held: rolled back from sha-")
    newest = release(monorepo, "api", "worker")
    assert (monorepo.deployed()["worker"], api(monorepo).split()[0]) == (newest, first)
    ran = monorepo.run("bump", "api", newest)
    assert (ran.code, "api is held: rolled back from" in ran.err, "--unhold" in ran.err) == (12, True, True)
    ran = monorepo.run("bump", "api", newest, "--unhold")
    assert (ran.code, api(monorepo)) == (0, f"{newest} # the first one")


def test_unhold_says_what_comes_next_and_the_next_run_does_it(monorepo: Monorepo) -> None:
    release(monorepo, "api")
    newest = release(monorepo, "api")
    before = monorepo.at_origin(f"{FOLDER}/api.yaml")
    monorepo.run("rollback", "api")
    ran = monorepo.run("unhold", "api")
    assert (ran.code, f"api: the next run releases {newest}" in ran.err) == (0, True)
    assert (action(monorepo), subject(monorepo)) == ("release", "unhold: api")
    assert monorepo.run("bump", "--built", "api").code == 0
    assert monorepo.at_origin(f"{FOLDER}/api.yaml") == before


def test_without_a_hold_the_next_run_brings_it_back(monorepo: Monorepo) -> None:
    first, newest = release(monorepo, "api"), release(monorepo, "api")
    for _ in range(2):  # the mark of last time is no mark of this one
        tip = git(monorepo.origin, "rev-parse", "--short=7", "main")
        assert monorepo.run("rollback", "api", "--no-hold").code == 0
        assert (api(monorepo), action(monorepo)) == (f"{first} # the first one # held: no, after {tip}", "release")
        assert monorepo.run("bump", "--built", "api").code == 0
        assert api(monorepo) == f"{newest} # the first one # held: no, after {tip}"


def test_a_rollback_to_a_tag_that_was_deployed(monorepo: Monorepo) -> None:
    tags = [release(monorepo, "api") for _ in range(3)]
    assert monorepo.run("rollback", "api", tags[0]).code == 0
    assert api(monorepo).startswith(tags[0])
    assert monorepo.run("rollback", "api", tags[1]).code == 0  # it was too far
    assert api(monorepo).startswith(tags[1])
    ran = monorepo.run("rollback", "api", tags[1])
    assert (ran.code, "nothing to do" in ran.err) == (0, True)


def test_a_tag_that_was_never_deployed(monorepo: Monorepo) -> None:
    tag = release(monorepo, "api")
    ran = monorepo.run("rollback", "api", "sha-0000000")
    assert (ran.code, "api was never deployed with sha-0000000" in ran.err, tag in ran.err) == (5, True, True)


def test_an_image_that_is_gone(monorepo: Monorepo) -> None:
    first = release(monorepo, "api")
    gone = sha(monorepo.push("not pushed", {"services/api/gone": "1"}))
    assert monorepo.run("bump", "api", gone, "--no-verify").code == 0
    release(monorepo, "api")
    ran = monorepo.run("rollback", "api")
    assert (ran.code, f"{gone} is not in the registry any more" in ran.err) == (5, True)
    assert f"of what was deployed before, it has {first};" in ran.err
    assert monorepo.run("rollback", "api", "--no-verify").code == 0
    assert api(monorepo).startswith(gone)


def test_everything_goes_back_in_one_commit(monorepo: Monorepo) -> None:
    first = release(monorepo, "api", "worker")
    then = git(monorepo.origin, "rev-parse", "main")
    release(monorepo, "api")
    web = release(monorepo, "web", "worker")
    tip = git(monorepo.origin, "rev-parse", "main")
    ran = monorepo.run("rollback", "--all", "--to", then, "-m", "outage")
    assert ran.code == 0, ran.err
    assert git(monorepo.origin, "rev-parse", "main~") == tip
    assert monorepo.deployed() == {"api": first, "worker": first, "web": web}
    assert "web stays: it was deployed with latest, which may be any image" in ran.err
    assert {name: action(monorepo, name) for name in SERVICES} == {
        "api": "held: outage",
        "worker": "held: outage",
        "web": "current",
    }


def test_everything_goes_back_to_a_time(monorepo: Monorepo) -> None:
    first = release(monorepo, "api")
    then = git(monorepo.origin, "log", "-1", "--format=%cI", "main")
    _at(monorepo, "2099-01-01T00:00:00Z")
    release(monorepo, "api")
    assert monorepo.run("rollback", "--all", "--to", then).code == 0
    assert monorepo.deployed()["api"] == first


def _at(repo: Monorepo, time: str) -> None:
    """Have the commits that follow made at a time."""
    assert isinstance(repo.extra, dict)
    repo.extra.update(GIT_COMMITTER_DATE=time)


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        ("2001-01-01", 5, "the first release was"),
        ("side", 6, "is not on main"),
        ("no such thing", 2, "is not a time"),
    ],
)
def test_a_point_that_is_none(offline: Monorepo, to: str, code: int, said: str) -> None:
    offline.deploy(api=sha(offline.git("rev-parse", "HEAD")))
    offline.git("branch", "side")
    offline.git("checkout", "-q", "side")
    offline.commit("aside", {"aside": "1"})
    tip = git(offline.origin, "rev-parse", "main")
    ran = offline.run("rollback", "--all", "--to", to, "--no-verify")
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert git(offline.origin, "rev-parse", "main") == tip


def test_before_the_first_release_there_is_nothing_to_go_back_to(offline: Monorepo) -> None:
    ran = offline.run("rollback", "--all", "--to", "HEAD")
    assert (ran.code, "no service was ever released" in ran.err) == (5, True)
    ran = offline.run("rollback", "api")
    assert (ran.code, "api has nothing to go back to from latest" in ran.err) == (5, True)


@pytest.mark.parametrize(
    "words",
    [(), ("api", "--all"), ("--all",), ("api", "--to", "1h"), ("api", "-m", "x", "--no-hold"), ("api", "a", "b")],
)
def test_words_that_do_not_fit_together(offline: Monorepo, words: tuple[str, ...]) -> None:
    assert offline.run("rollback", *words).code == 2


def test_a_dirty_tree_and_a_shallow_clone_do_not_matter(monorepo: Monorepo, tmp_path: Path) -> None:
    first, _ = release(monorepo, "api"), release(monorepo, "api")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{monorepo.origin}", str(shallow))
    (shallow / FOLDER / "api.yaml").write_text("mine")
    ran = monorepo.run("rollback", "api", directory=shallow)
    assert (ran.code, api(monorepo).split()[0]) == (0, first)
    assert (shallow / FOLDER / "api.yaml").read_text() == "mine"


def test_without_permission_to_push_nothing_changes_and_it_says_so(monorepo: Monorepo) -> None:
    release(monorepo, "api")
    release(monorepo, "api")
    tip = git(monorepo.origin, "rev-parse", "main")
    hook = monorepo.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    ran = monorepo.run("rollback", "api")
    assert (ran.code, "main is protected" in ran.err) == (8, True)
    assert git(monorepo.origin, "rev-parse", "main") == tip


def test_a_dry_run_shows_the_diff_and_what_goes_out(monorepo: Monorepo) -> None:
    first, second = release(monorepo, "api"), release(monorepo, "api")
    tip = git(monorepo.origin, "rev-parse", "main")
    ran = monorepo.run("rollback", "api", "--dry-run")
    assert (ran.code, "takes 1 commit out" in ran.err) == (0, True)
    assert f"-          image: {monorepo.host}/orbit/api:{second} # the first one\n" in ran.out
    assert (
        f"+          image: {monorepo.host}/orbit/api:{first} # the first one # held: rolled back from {second}"
        in ran.out
    )
    assert git(monorepo.origin, "rev-parse", "main") == tip


def test_a_digest_comes_back_with_its_tag(monorepo: Monorepo) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    digest = pushed(monorepo, "api", commit)
    monorepo.deploy(api=f"{sha(commit)}@{digest}")
    monorepo.git("fetch", "-q")
    second = release(monorepo, "api")
    assert api(monorepo).startswith(f"{second}@sha256:")
    assert monorepo.run("rollback", "api").code == 0
    assert api(monorepo).startswith(f"{sha(commit)}@{digest} ")


def test_a_reverted_release_is_held_until_somebody_lets_go(monorepo: Monorepo) -> None:
    first, second = release(monorepo, "api"), release(monorepo, "api")
    monorepo.git("revert", "--no-edit", "HEAD")
    monorepo.git("push", "-q", "origin", "main")
    reverted = git(monorepo.origin, "rev-parse", "--short=7", "main")
    release(monorepo, "worker")
    assert action(monorepo) == f"held: moved back from {second} in {reverted}"
    assert (monorepo.run("bump", "--built", "api").code, api(monorepo).split()[0]) == (0, first)
    before = api(monorepo)
    ran = monorepo.run("unhold", "api")
    assert (ran.code, api(monorepo)) == (0, f"{first} # the first one # held: no, after {reverted}")
    assert action(monorepo) == "release"
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.git("revert", "--no-edit", "HEAD")
    monorepo.git("push", "-q", "origin", "main")
    assert (api(monorepo), action(monorepo).split()[:2]) == (before, ["held:", "moved"])
    assert monorepo.run("unhold", "api").code == 0
    assert monorepo.run("bump", "--built", "api").code == 0
    assert api(monorepo) == f"{second} # the first one # held: no, after {reverted}"
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.git("revert", "--no-edit", "HEAD")  # the mark of last time does not let go this time
    monorepo.git("push", "-q", "origin", "main")
    again = git(monorepo.origin, "rev-parse", "--short=7", "main")
    assert action(monorepo) == f"held: moved back from {second} in {again}"
    assert monorepo.run("unhold", "api").code == 0
    assert (action(monorepo), api(monorepo)) == ("release", f"{first} # the first one # held: no, after {again}")


def revert(repo: Monorepo) -> None:
    """Revert the newest commit with git, as a person does."""
    repo.git("pull", "-q", "origin", "main")
    repo.git("revert", "--no-edit", "HEAD")
    repo.git("push", "-q", "origin", "main")


def test_the_end_of_a_freeze_does_not_bring_a_reverted_release_back(monorepo: Monorepo) -> None:
    _, second = release(monorepo, "api"), release(monorepo, "api")
    revert(monorepo)
    assert monorepo.run("hold", "--all", "-m", "freeze").code == 0
    ran = monorepo.run("unhold", "--all", "-m", "freeze")
    assert (ran.code, f"api stays held: moved back from {second}" in ran.err) == (0, True)
    assert action(monorepo).startswith(f"held: moved back from {second}")
    ran = monorepo.run("hold", "api", "-m", "freeze")
    assert (monorepo.run("unhold", "api").code, action(monorepo)) == (0, "release")


def test_a_release_that_is_reverted_within_a_freeze_stays_reverted_after_it(monorepo: Monorepo) -> None:
    _, second = release(monorepo, "api"), release(monorepo, "api")
    monorepo.git("revert", "-n", "HEAD")
    path = monorepo.clone / FOLDER / "api.yaml"
    reverted = path.read_text()
    monorepo.git("reset", "-q", "--hard")
    assert monorepo.run("hold", "--all", "-m", "freeze").code == 0
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.push(
        "revert", {f"{FOLDER}/api.yaml": reverted.replace("# the first one", "# the first one # held: freeze")}
    )
    assert monorepo.run("unhold", "--all", "-m", "freeze").code == 0
    assert action(monorepo).startswith(f"held: moved back from {second}")


@pytest.mark.parametrize("later", ["another manifest", "a digest", "a comment", "broken for a while", "another folder"])
def test_what_comes_later_does_not_let_go_of_a_reverted_release(monorepo: Monorepo, later: str) -> None:
    first, second = release(monorepo, "api"), release(monorepo, "api")
    revert(monorepo)
    path = f"{FOLDER}/api.yaml"
    text = monorepo.at_origin(path)
    match later:
        case "another manifest":
            monorepo.push(later, {f"{FOLDER}/canary.yaml": text})
        case "a digest":
            digest = pushed(monorepo, "api", monorepo.git("rev-parse", first[4:]))
            monorepo.push(later, {path: text.replace(first, f"{first}@{digest}")})
        case "a comment":
            monorepo.push(later, {path: "# why\n" + text})
        case "broken for a while":
            monorepo.push("break", {path: text + "\n  - ]: {"})
            monorepo.push("mend", {path: text})
        case _:
            config = monorepo.at_origin("orbit-release.yaml").replace("manifests: deploy", "manifests: k8s/prod")
            moved = {f"k8s/prod/{name}.yaml": monorepo.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES}
            gone = {f"{FOLDER}/{name}.yaml": None for name in SERVICES}
            monorepo.push(later, {**gone, **moved, "orbit-release.yaml": config})
            assert json.loads(monorepo.run("history", "api", "--format", "json").out)["releases"][0]["rollback"]
    assert action(monorepo).startswith(f"held: moved back from {second}")


def test_the_first_release_can_be_reverted_as_well(monorepo: Monorepo) -> None:
    first = release(monorepo, "api")
    revert(monorepo)
    assert (api(monorepo).split()[0], action(monorepo).split(" in ")[0]) == ("latest", f"held: moved back from {first}")
    assert monorepo.run("unhold", "api").code == 0
    assert action(monorepo) == "release"


def test_tags_whose_commits_nobody_knows_any_more(monorepo: Monorepo) -> None:
    """After the sources' history was rewritten, what came again is what went back."""
    monorepo.deploy(api="sha-1111111")
    monorepo.deploy(api="sha-2222222")
    monorepo.git("revert", "--no-edit", "HEAD")
    monorepo.git("push", "-q", "origin", "main")
    assert action(monorepo).startswith("held: moved back from sha-2222222")
    monorepo.deploy(api="sha-3333333")
    assert monorepo.run("rollback", "api", "--no-verify").code == 0
    assert api(monorepo).startswith("sha-1111111 # held: rolled back from sha-3333333")


def test_a_bump_by_hand_ends_the_hold_of_a_revert(monorepo: Monorepo) -> None:
    _, second = release(monorepo, "api"), release(monorepo, "api")
    monorepo.git("revert", "--no-edit", "HEAD")
    monorepo.git("push", "-q", "origin", "main")
    assert monorepo.run("bump", "api", second).code == 0
    assert action(monorepo) == "current"
    assert release(monorepo, "api") == api(monorepo).split()[0]


def test_a_reverted_release_stays_held_where_its_manifest_moves(monorepo: Monorepo) -> None:
    _, second = release(monorepo, "api"), release(monorepo, "api")
    monorepo.git("revert", "--no-edit", "HEAD")
    text = (monorepo.clone / FOLDER / "api.yaml").read_text()
    monorepo.push("move", {f"{FOLDER}/api.yaml": None, f"{FOLDER}/apps/api.yaml": text})
    assert action(monorepo).startswith(f"held: moved back from {second}")


def test_hold_and_unhold_restore_every_byte(offline: Monorepo) -> None:
    before = {name: offline.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES}
    ran = offline.run("hold", "--all", "-m", "freeze until Monday", "--format", "json")
    found: dict[str, Any] = json.loads(ran.out)
    assert [(one["before"], one["after"]) for one in found["holds"]] == [(None, "freeze until Monday")] * 3
    assert api(offline) == "latest # the first one # held: freeze until Monday"
    ran = offline.run("hold", "api", "-m", "another")
    assert (ran.code, "api is held already: freeze until Monday" in ran.err) == (0, True)
    assert offline.run("unhold", "--all").code == 0
    assert {name: offline.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES} == before
    ran = offline.run("unhold", "api")
    assert (ran.code, ran.err) == (0, "api is not held\nnothing to do\n")


def test_the_end_of_a_freeze_leaves_what_was_rolled_back(offline: Monorepo) -> None:
    offline.run("hold", "api", "-m", "crash loop")
    offline.run("hold", "--all", "-m", "freeze")
    ran = offline.run("unhold", "--all", "-m", "freeze")
    assert (ran.code, "api stays held: crash loop" in ran.err) == (0, True)
    assert api(offline).endswith("# held: crash loop")
    assert "held" not in offline.at_origin(f"{FOLDER}/web.yaml")


def test_where_no_comment_can_stand_a_rollback_holds_all_the_same(monorepo: Monorepo) -> None:
    monorepo.push("flow", {f"{FOLDER}/api.yaml": FLOW.format(host=monorepo.host)})
    first, second = release(monorepo, "api"), release(monorepo, "api")
    ran = monorepo.run("hold", "api", "-m", "why")
    assert (ran.code, f"{FOLDER}/api.yaml:2: no comment can stand" in ran.err) == (4, True)
    ran = monorepo.run("rollback", "api")
    assert (ran.code, "warning: api has no place for the comment" in ran.err) == (0, True)
    assert api(monorepo).startswith(f'{first}"')
    assert action(monorepo).startswith(f"held: moved back from {second}")
    assert monorepo.run("unhold", "api").code == 4
    assert monorepo.run("bump", "api", second).code == 0


def test_a_freeze_holds_all_that_can_be_held_and_names_the_others(offline: Monorepo) -> None:
    offline.push("flow", {f"{FOLDER}/api.yaml": FLOW.format(host=offline.host)})
    ran = offline.run("hold", "--all", "-m", "freeze")
    assert (ran.code, "api: deploy/api.yaml:2: no comment can stand" in ran.err) == (4, True)
    assert "# held: freeze" in offline.at_origin(f"{FOLDER}/web.yaml")
    assert "# held: freeze" in offline.at_origin(f"{FOLDER}/worker.yaml")


@pytest.mark.parametrize(
    ("reason", "said"),
    [("", "is not one line"), ("a\nb", "is not one line"), ("No", "is no reason"), ("  ", "is not one")],
)
def test_a_reason_is_one_line(offline: Monorepo, reason: str, said: str) -> None:
    ran = offline.run("hold", "api", "-m", reason)
    assert (ran.code, said in ran.err) == (4, True)


@pytest.mark.parametrize("command", [("hold", "-m", "why"), ("unhold",), ("hold", "api", "--all", "-m", "x")])
def test_hold_and_unhold_want_services_or_all(offline: Monorepo, command: tuple[str, ...]) -> None:
    assert offline.run(*command).code == 2


def test_a_service_that_no_manifest_names_cannot_be_held(offline: Monorepo) -> None:
    offline.push("away", {f"{FOLDER}/api.yaml": None})
    for words, code in ((("hold", "api", "-m", "x"), 5), (("rollback", "api"), 5), (("hold", "--all", "-m", "x"), 0)):
        assert offline.run(*words).code == code


def test_a_clone_that_is_gone(offline: Monorepo) -> None:
    shutil.rmtree(offline.origin)
    ran = offline.run("rollback", "api")
    assert (ran.code, "hint: " in ran.err) in {(5, True), (9, True)}


def test_a_rollback_through_the_api_and_as_a_pull_request(hub: Hub) -> None:
    tags = [release(hub.repo, "api") for _ in range(3)]
    ran = hub.in_actions("rollback", "api", "-m", "too slow")
    assert (ran.code, hub.author()) == (0, "github-actions[bot]"), ran.err
    assert api(hub.repo) == f"{tags[1]} # the first one # held: too slow"
    ran = hub.run("rollback", "api", "--pr")
    assert (ran.code, api(hub.repo).split()[0]) == (0, tags[1]), ran.err
    (pull,) = hub.server.pulls
    assert (pull.head, pull.title) == ("orbit-release/rollback/only/api", f"rollback: api {tags[0]}")
    assert f"| `api` | `{tags[1]}` | `{tags[0]}` | 1 commit out |" in (pull.body or "")
    assert hub.proposed("api", pull.head) == tags[0]


def test_a_freeze_as_a_pull_request(hub: Hub) -> None:
    ran = hub.run("hold", "--all", "-m", "@everyone: Fixes #1", "--pr")
    (pull,) = hub.server.pulls
    assert (ran.code, pull.head, pull.title) == (0, "orbit-release/hold/all", "hold: 3 services"), ran.err
    assert pull.body == "".join(f"- `{name}`: `held: @everyone: Fixes #1`\n" for name in ("api", "web", "worker"))


DIGESTS = """\
kind: Kustomization
images:
- name: {host}/orbit/api
  digest: {digest}
"""


def test_an_image_that_is_deployed_by_its_digest_alone(monorepo: Monorepo) -> None:
    commits = [monorepo.push(name, {f"services/api/{name}": "1"}) for name in ("a", "b")]
    digests = [pushed(monorepo, "api", commit) for commit in commits]
    files = [DIGESTS.format(host=monorepo.host, digest=digest) for digest in digests]
    path = f"{FOLDER}/kustomization.yaml"
    gone = {f"{FOLDER}/api.yaml": None}
    for text in files:
        monorepo.push("pin", {path: text, **gone})
        gone = {}
    revert(monorepo)
    assert action(monorepo).startswith(f"held: moved back from {digests[1]}")
    revert(monorepo)
    assert monorepo.run("rollback", "api").code == 0
    assert monorepo.at_origin(path) == files[0].rstrip() + f" # held: rolled back from {digests[1]}\n"


def test_a_rollback_writes_a_digest_only_where_one_stands(monorepo: Monorepo) -> None:
    plain = MANIFEST.format(name="api", host=monorepo.host, tag="latest")
    first = monorepo.git("rev-parse", "HEAD")
    digest = pushed(monorepo, "api", first)
    pinned = plain.replace("api:latest", f"api:{sha(first)}@{digest}")
    monorepo.push("two", {f"{FOLDER}/api.yaml": pinned, f"{FOLDER}/job.yaml": plain.replace("latest", sha(first))})
    release(monorepo, "api")
    assert monorepo.run("rollback", "api").code == 0
    assert f":{sha(first)}@{digest} #" in monorepo.at_origin(f"{FOLDER}/api.yaml")
    assert f":{sha(first)} #" in monorepo.at_origin(f"{FOLDER}/job.yaml")


def test_a_service_that_need_not_move_does_not_stop_the_others(monorepo: Monorepo) -> None:
    first = release(monorepo, "api")
    monorepo.deploy(worker="sha-0000000")  # no such image
    then = git(monorepo.origin, "rev-parse", "main")
    monorepo.git("fetch", "-q")
    release(monorepo, "api")
    ran = monorepo.run("rollback", "--all", "--to", then)
    assert (ran.code, api(monorepo).split()[0]) == (0, first), ran.err


def test_what_names_no_certain_image_is_not_rolled_back_to(monorepo: Monorepo) -> None:
    tag = release(monorepo, "api")
    ran = monorepo.run("rollback", "api", "latest")
    assert (ran.code, api(monorepo).split()[0]) == (4, tag)


def test_somebody_who_was_faster_is_not_rolled_back_over(monorepo: Monorepo, tmp_path: Path) -> None:
    """Between the look and the push, automation releases a newer tag, or a second person rolls back."""
    tags = [release(monorepo, "api") for _ in range(3)]
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(monorepo.origin), str(other))
    git(other, "config", "user.name", "Bo")
    git(other, "config", "user.email", "bo@example.com")
    text = (other / FOLDER / "api.yaml").read_text()
    for tag, code in (("sha-4444444", 6), (tags[1], 0)):
        (other / FOLDER / "api.yaml").write_text(text.replace(tags[2], tag))
        git(other, "commit", "-qam", "faster")
        hook = monorepo.origin / "hooks/pre-receive"
        hook.write_text(
            f'#!/bin/sh\nrm -f hooks/pre-receive; env -i PATH="$PATH" git -C {other} push -q origin HEAD:main\n'
        )
        hook.chmod(0o755)
        ran = monorepo.run("rollback", "api")
        assert (ran.code, api(monorepo).split()[0]) == (code, tag), ran.err
        git(other, "reset", "-q", "--hard", "HEAD~1")
        git(other, "push", "-qf", "origin", "HEAD:main")


def test_a_registry_that_is_down_is_named_with_the_way_around_it(offline: Monorepo) -> None:
    for tag in ("sha-1111111", "sha-2222222"):
        offline.deploy(api=tag)
    ran = offline.run("rollback", "api")
    assert (ran.code, "--no-verify rolls back without asking" in ran.err) == (9, True)


def test_a_commit_with_a_time_that_no_calendar_has(offline: Monorepo) -> None:
    tree, parent = offline.git("rev-parse", "HEAD^{tree}"), offline.git("rev-parse", "HEAD")
    for time in ("-1", "99999999999999"):
        raw = f"tree {tree}\nparent {parent}\nauthor A <a@b> {time} +0000\ncommitter A <a@b> {time} +0000\n\nodd\n"
        (offline.clone / "raw").write_text(raw)
        parent = offline.git("hash-object", "-t", "commit", "-w", "--literally", "raw")
    offline.git("update-ref", "refs/heads/main", parent)
    offline.push("manifest", {f"{FOLDER}/api.yaml": MANIFEST.format(name="api", host=offline.host, tag="v1")})
    assert [offline.run(*words).code for words in (("history",), ("status", "--offline"))] == [0, 0]
