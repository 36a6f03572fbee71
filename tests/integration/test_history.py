"""`history` of real repositories: what it tells, whoever wrote the history and however."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orbit_release.cli.time_arguments import parse_moment
from orbit_release.errors import UsageError
from tests.integration.monorepo import FOLDER, MANIFEST, SERVICES, Monorepo, git, sha


def releases(repo: Monorepo, *arguments: str, **extra: Any) -> list[dict[str, Any]]:
    ran = repo.run("history", "--format", "json", *arguments, **extra)
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["releases"]
    return found


def tags(repo: Monorepo, service: str = "api", *arguments: str) -> list[str]:
    """Return what a service was deployed with, the newest first; what went back is marked."""
    return [f"{'<' if one['rollback'] else ''}{one['tag']}" for one in releases(repo, service, "-n0", *arguments)]


def release(repo: Monorepo, *services: str) -> str:
    """Change services, release them by the tool, and return their tag."""
    repo.git("pull", "-q", "origin", "main")
    stem = repo.git("rev-list", "--count", "HEAD")
    commit = repo.push(f"change {' '.join(services)}", {f"services/{name}/{stem}": "1" for name in services})
    words = [word for name in services for word in (name, sha(commit))]
    ran = repo.run("bump", *words, "--no-verify")
    assert ran.code == 0, ran.err
    repo.git("pull", "-q", "origin", "main")
    return sha(commit)


def test_a_release_tells_who_made_it_when_and_what_came_in(offline: Monorepo) -> None:
    first = release(offline, "api")
    offline.push("Fix <script> & more", {"services/api/x": "1"})
    second = release(offline, "api")
    offline.git("remote", "set-url", "--push", "origin", str(offline.origin))
    newest, older, oldest = releases(offline, "api", GITHUB_SERVER_URL="https://x.test", GITHUB_REPOSITORY="o/r")
    assert [one["tag"] for one in (newest, older, oldest)] == [second, first, "latest"]
    assert (newest["commit"], newest["until"], newest["author"]) == (offline.git("rev-parse", "HEAD"), None, "Ada")
    assert [one["subject"] for one in newest["commits"]] == [
        "change api",
        "Fix <script> & more",
    ]
    base, head = (offline.git("rev-parse", tag.removeprefix("sha-")) for tag in (first, second))
    assert newest["compare"] == f"https://x.test/o/r/compare/{base}...{head}"
    assert (older["until"], older["before"]) == (newest["since"], f"{offline.host}/orbit/api:latest")
    assert (oldest["commits"], oldest["before"], oldest["compare"]) == ([], None, None)


def test_the_table_shows_the_newest_first_and_how_many_are_left_out(offline: Monorepo) -> None:
    made = [release(offline, "api", "worker"), release(offline, "api")]
    ran = offline.run("history", "-n", "2", "-v")
    head, newest, *subjects, older = ran.out.splitlines()
    assert head.split()[:2] == ["SERVICE", "TAG"]
    assert newest.split()[:2] == ["api", made[1]]
    assert [line.split(" ", 6)[4:] for line in subjects[:1]] == [["+", made[1][4:], "change api"]]
    assert older.split()[:2] == ["api", made[0]]
    assert ran.err == "4 more: -n 0 shows all\n"


def test_since_leaves_out_what_is_older(offline: Monorepo) -> None:
    release(offline, "api")
    assert len(tags(offline, "api", "--since", "1h")) == len(tags(offline)) == 2
    assert tags(offline, "api", "--since", "2999-01-01") == []
    assert offline.run("history", "--since", "2999-01-01").err == "nothing was deployed\n"


def test_several_services_in_one_commit(offline: Monorepo) -> None:
    tag = release(offline, "api", "worker")
    found = [one for one in releases(offline) if one["tag"] == tag]
    assert ({one["service"] for one in found}, len({one["commit"] for one in found})) == ({"api", "worker"}, 1)


def test_a_hand_edit_counts_and_a_revert_is_a_rollback(offline: Monorepo) -> None:
    first, second = release(offline, "api"), release(offline, "api")
    offline.git("revert", "--no-edit", "HEAD")
    offline.git("push", "-q", "origin", "main")
    offline.deploy(api="v1")
    assert tags(offline) == ["v1", f"<{first}", second, first, "latest"]


def test_squash_merges_and_merge_commits_count_when_they_reach_the_branch(offline: Monorepo) -> None:
    first = release(offline, "api")
    for number, how in enumerate(("--squash", "--no-ff")):
        offline.git("checkout", "-q", "-b", f"side{number}")
        path = offline.clone / FOLDER / "api.yaml"
        for tag in (f"v{number}.1", f"v{number}.2"):  # what a branch did in between was never deployed
            path.write_text(MANIFEST.format(name="api", host=offline.host, tag=tag))
            offline.git("commit", "-qam", tag)
        offline.git("checkout", "-q", "main")
        offline.git("merge", "-q", how, *(["-m", "merged"] if how == "--no-ff" else []), f"side{number}")
        offline.git("commit", "-q", "--allow-empty", "-m", "squashed")
        offline.git("push", "-q", "origin", "main")
    assert tags(offline) == ["v1.2", "v0.2", first, "latest"]


def test_a_manifest_that_moves_keeps_its_history(offline: Monorepo) -> None:
    first = release(offline, "api")
    text = offline.at_origin(f"{FOLDER}/api.yaml")
    offline.push("move", {f"{FOLDER}/api.yaml": None, f"{FOLDER}/apps/api/deployment.yaml": text})
    second = release(offline, "api")
    assert tags(offline) == [second, first, "latest"]


def test_a_service_that_was_away_and_a_manifest_that_was_broken(offline: Monorepo) -> None:
    path, text = f"{FOLDER}/api.yaml", offline.at_origin(f"{FOLDER}/api.yaml")
    offline.push("break", {path: text + "\n  - ]: {"})
    offline.push("mend", {path: text})
    offline.push("remove", {path: None})
    offline.push("again", {path: text.replace(":latest", ":v2")})
    now, *before = releases(offline, "api")
    assert (now["tag"], now["before"], now["until"]) == ("v2", None, None)
    assert all(one["until"] for one in before)


def test_several_manifests_of_a_service_are_one_history(offline: Monorepo) -> None:
    canary = MANIFEST.format(name="api", host=offline.host, tag="v1")
    offline.push("canary", {f"{FOLDER}/canary.yaml": canary})
    offline.push("canary is good", {f"{FOLDER}/api.yaml": canary})
    offline.push("canary goes", {f"{FOLDER}/canary.yaml": None})
    assert tags(offline) == ["v1", "latest"]


def test_digests_are_told(offline: Monorepo) -> None:
    digest = f"sha256:{'a' * 64}"
    offline.deploy(api=f"v1@{digest}")
    assert [(one["tag"], one["digest"]) for one in releases(offline, "api", "-n1")] == [("v1", digest)]


def test_a_shallow_clone_is_completed(offline: Monorepo, tmp_path: Path) -> None:
    release(offline, "api")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{offline.origin}", str(shallow))
    ran = offline.run("history", "api", "--format", "json", directory=shallow)
    assert [one["tag"] for one in json.loads(ran.out)["releases"]] == tags(offline)


def processes(repo: Monorepo, folder: Path, clone: Path) -> list[str]:
    """Return the git commands that `history` runs, as git itself tells them."""
    trace = folder / "trace"
    trace.unlink(missing_ok=True)
    ran = repo.run("history", "-n0", directory=clone, GIT_TRACE2_EVENT=str(trace))
    assert ran.code == 0, ran.err
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    return [one["argv"][1:] for one in events if one["event"] == "start"]


def test_the_processes_do_not_grow_with_the_history(offline: Monorepo, tmp_path: Path) -> None:
    for _ in range(2):  # with the second one commits come in
        release(offline, "api")
    few = processes(offline, tmp_path, offline.clone)
    for _ in range(4):
        release(offline, "api", "worker")
    assert len(processes(offline, tmp_path, offline.clone)) == len(few)


def test_a_clone_without_blobs_fetches_the_manifests_at_once(offline: Monorepo, tmp_path: Path) -> None:
    for _ in range(4):
        release(offline, "api", "worker")
    git(offline.origin, "config", "uploadpack.allowFilter", "true")
    git(offline.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{offline.origin}", str(partial))
    (partial / "orbit-release.yaml").write_text(offline.at_origin("orbit-release.yaml"))
    fetches = [one for one in processes(offline, tmp_path, partial) if "fetch" in one]
    assert len(fetches) == 1


@pytest.mark.parametrize("name", ["nope", "API"])
def test_an_unknown_service(offline: Monorepo, name: str) -> None:
    ran = offline.run("history", name)
    assert (ran.code, f"no service is called '{name}'" in ran.err) == (2, True)


def test_every_service_is_told_without_a_name(offline: Monorepo) -> None:
    assert {one["service"] for one in releases(offline)} == set(SERVICES)


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", NOW - 5400),
        ("2h", NOW - 7200),
        ("2 hours ago", NOW - 7200),
        ("3 days ago", NOW - 259200),
        ("1 week", NOW - 604800),
        ("2026-11-24", 1795478400),
        ("2026-11-24T03:00", 1795489200),
        ("2026-11-24 03:00Z", 1795489200),
        ("2026-11-24T04:00+01:00", 1795489200),
    ],
)
def test_times_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_moment(text, NOW + 0.5) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2h30", "2026-13-01", "-1h", "3 months"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_moment(text, NOW)
