"""`bump --wait --rollback-on-failure`: what turns Degraded with a release goes back, and nothing else ever does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.argocd import DENIED_RESOURCE, FAILED_HOOK, ILL, RUNNING, Serve, World, build, synced
from tests.integration.monorepo import FOLDER, MANIFEST, Ran, environment, git, pushed
from tests.integration.terminal import terminal
from tests.integration.test_schema import document
from tests.servers.argocd import TOKEN
from tests.servers.argocd_life import Hang, LivingServer, Stage
from tests.servers.serving import serving

Health = Mapping[str, tuple[str, str]]
API, WEB, WELL = "Deployment/api", "Deployment/web", ("Healthy", "")
OPTIONS = ("--wait", "--rollback-on-failure", "--allow-unmerged", "--no-verify")
# What Argo CD makes of a wave that does not become healthy.
WAVE = {
    "group": "apps", "version": "v1", "kind": "Deployment", "namespace": "orbit", "name": "api", "status": "Synced",
    "message": ILL[1], "hookPhase": "Failed", "syncPhase": "Sync",
}  # fmt: skip
UNSUCCESSFUL = {"phase": "Failed", "message": "one or more synchronization tasks completed unsuccessfully"}


def failed(world: World, health: Health, **changes: Any) -> Stage:
    """Return the application whose sync of the newest commit failed, with resources in some health since then."""
    results = (WAVE,) if health.get(API) == ILL else ()
    return synced(world, **{**UNSUCCESSFUL, "results": results, "health": health, "since": 25, **changes})


def bump(world: World, known: Mapping[str, Any], *words: str) -> Ran:
    return world.repo.run("bump", *(words or ("api", "sha-0000009")), *OPTIONS, **known)


def image_line(world: World, service: str) -> str:
    text = world.repo.at_origin(f"{FOLDER}/{service}.yaml")
    return next(line for line in text.splitlines() if "image: " in line).strip().removeprefix("image: ")


def subjects(world: World) -> list[str]:
    """Return what was committed after the releases of the world, the oldest first."""
    since = f"{world.commits['replaced']}..main"
    return git(world.repo.origin, "log", "--reverse", "--format=%s", since).splitlines()


def test_what_turned_degraded_goes_back_and_is_held(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = bump(world, serve(lambda: failed(world, {API: ILL, "StatefulSet/db": WELL})))
    released, back = world.commits["released"], git(world.repo.origin, "rev-parse", "main")
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009", "rollback: api sha-0000003"]), ran.err
    assert (
        image_line(world, "api")
        == f"{world.repo.host}/orbit/api:sha-0000003 # held: Degraded with release {released[:7]}"
    )
    assert [line for line in ran.err.splitlines() if line.startswith("published ")] == [
        f"published {released[:7]} on main",
        f"published {back[:7]} on main",
    ]
    assert ran.err.splitlines()[-3:] == [
        f"api is held: Degraded with release {released[:7]}; once it is mended: orbit-release unhold api",
        f"error: orbit does not run {released[:7]}: Deployment/api: {ILL[1]}",
        f"hint: {back[:7]} took api back; once it is mended: orbit-release unhold api",
    ]
    again = world.repo.run("bump", "api", "sha-0000009", "--allow-unmerged", "--no-verify")
    assert (again.code, "api is held" in again.err) == (12, True)


def test_a_sync_that_is_tried_again_stands_in_the_way_of_the_rollback(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    retried = {"phase": "Running", "ended": None, "retries": 1, "message": "Retrying attempt #1 at 7:33PM."}
    ran = bump(world, serve(lambda: failed(world, {API: ILL}, requested=True, **retried)))
    assert ran.code == 10
    assert "once the failed sync has ended: argocd app terminate-op orbit; " in ran.err.splitlines()[-1]


def test_a_person_is_asked_for_the_release_alone(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    known = serve(lambda: failed(world, {API: ILL}))
    ran = terminal(world.repo, "bump", "api", "sha-0000009", *OPTIONS, answers="y\nn\n", **known)
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009", "rollback: api sha-0000003"]), ran.out


def test_both_commits_are_in_the_document(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = bump(world, serve(lambda: failed(world, {API: ILL})), "api", "sha-0000009", "--format", "json")
    found = document(ran, "bump")
    assert (ran.code, found["commit"], found["wait"]["outcome"]) == (10, world.commits["released"], "failed")
    assert found["rolled_back"]["commit"] == git(world.repo.origin, "rev-parse", "main")
    assert [(edit["before"], edit["after"]) for edit in found["rolled_back"]["edits"]] == [
        (f"{world.repo.host}/orbit/api:sha-0000009", f"{world.repo.host}/orbit/api:sha-0000003")
    ]


def test_of_several_services_only_those_go_back_that_turned_degraded(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = bump(world, serve(lambda: failed(world, {API: ILL, WEB: WELL})), "web", "sha-0000009", "api", "sha-0000009")
    assert (ran.code, subjects(world)) == (10, ["release: 2 services sha-0000009", "rollback: api sha-0000003"])
    assert world.repo.deployed() == {"web": "sha-0000009", "api": "sha-0000003", "worker": "sha-0000001"}


MIGRATION = """\
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate, annotations: {{argocd.argoproj.io/hook: PreSync}}}}
spec: {{template: {{spec: {{containers: [{{name: migrate, image: "{host}/orbit/api:{tag}"}}]}}}}}}
"""
NIGHTLY = """\
kind: CronJob
metadata: {{name: nightly}}
spec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: a, image: "{host}/orbit/api:{tag}"}}]}}}}}}}}}}
"""
ELSEWHERE = """\
kind: Deployment
metadata: {{name: api, namespace: elsewhere}}
spec: {{template: {{spec: {{containers: [{{name: a, image: "example.com/api:1"}}]}}}}}}
"""


def migration_failed(world: World) -> Stage:
    health = {API: WELL, "Job/migrate": ("Degraded", "Job has reached its backoff limit")}
    return failed(world, health, results=(FAILED_HOOK,), hooks=("Job/migrate",))


def nightly_failed(world: World) -> Stage:
    return failed(world, {API: WELL, "CronJob/nightly": ("Degraded", "has not completed its last execution")})


def elsewhere_failed(world: World) -> Stage:
    return failed(world, {API: ILL}, results=(), namespace="elsewhere")


DATABASE, FULL = "StatefulSet/db", ("Degraded", "no disk")
PROGRESSING = ("Progressing", "Waiting for 1 pods to be ready...")
NOTHING: list[tuple[str, Callable[[World], Stage], str]] = [
    ("a database is Degraded", lambda w: failed(w, {DATABASE: FULL, API: WELL}), "StatefulSet/db is no"),
    ("a database is Degraded, and so is ours", lambda w: failed(w, {API: ILL, DATABASE: FULL}),
     "StatefulSet/db is Degraded as well"),
    ("a database has lost its pods, and ours waits for it", lambda w: failed(w, {API: ILL, DATABASE: PROGRESSING}),
     "StatefulSet/db is Progressing as well"),
    ("a service that was not released is Degraded", lambda w: failed(w, {WEB: ILL, API: WELL}), "Deployment/web is no"),
    ("ours was Degraded before", lambda w: failed(w, {API: ILL}, since=5), "Deployment/api is no"),
    ("a migration with the image of ours failed", migration_failed, "Job/migrate is no"),
    ("a hook failed, and ours is ill as well", lambda w: failed(w, {API: ILL}, results=(FAILED_HOOK,)),
     "the sync failed on Job/migrate"),
    ("a resource was refused that ours may need", lambda w: failed(w, {API: ILL}, results=(DENIED_RESOURCE, WAVE)),
     "the sync failed on ConfigMap/settings"),
    ("the image of ours does not run yet", lambda w: failed(w, {API: ILL}, images=w.images("replaced")),
     "api does not run sha-0000009 yet"),
    ("its nightly job failed", nightly_failed, "CronJob/nightly is no"),
    ("somebody else's workload of that name is Degraded", elsewhere_failed, "Deployment/api is no"),
    ("a hook failed", lambda w: failed(w, {API: WELL}, results=(FAILED_HOOK,)), "Job/migrate is no workload"),
    ("a resource was refused", lambda w: failed(w, {API: WELL}, results=(DENIED_RESOURCE,)),
     "ConfigMap/settings is no"),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "why"), [row[1:] for row in NOTHING], ids=[row[0] for row in NOTHING])
def test_in_doubt_nothing_is_rolled_back(
    tmp_path: Path, serve: Serve, stage: Callable[[World], Stage], why: str
) -> None:
    world = build(tmp_path)
    files = {"migrate": MIGRATION, "nightly": NIGHTLY, "elsewhere": ELSEWHERE}
    host = world.repo.host
    others = {f"{FOLDER}/{name}.yaml": text.format(host=host, tag="sha-0000003") for name, text in files.items()}
    world.commits["replaced"] = world.repo.push("more", dict(others))
    ran = bump(world, serve(lambda: stage(world)))
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009"])
    assert f"hint: nothing is rolled back ({why}" in ran.err


def test_what_only_shows_the_pods_behind_it_is_no_outage_of_its_own(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    scaler = {"HorizontalPodAutoscaler/api": ("Degraded", "unable to get metrics"), "Service/api": PROGRESSING}
    bump(world, serve(lambda: failed(world, {API: ILL, **scaler})))
    assert subjects(world)[1:] == ["rollback: api sha-0000003"]


def test_a_hook_that_tells_of_the_failure_is_no_outage(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    health = {API: ILL, "Job/notify": ("Progressing", "")}
    bump(world, serve(lambda: failed(world, health, hooks=("Job/notify",))))
    assert subjects(world)[1:] == ["rollback: api sha-0000003"]


def test_what_was_not_released_here_is_not_rolled_back(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = bump(world, serve(lambda: failed(world, {API: ILL})), "api", "sha-0000003")
    assert (ran.code, subjects(world)) == (10, [])
    last = "hint: nothing is rolled back (nothing was released here); orbit-release rollback api"
    assert ran.err.splitlines()[-1] == last


def test_a_release_that_does_well_or_is_late_is_not_rolled_back(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    assert bump(world, serve(lambda: synced(world))).code == 0
    late = bump(world, serve(lambda: synced(world, **RUNNING)), "web", "sha-0000009", "--timeout", "1s")
    assert (late.code, subjects(world)) == (11, ["release: api sha-0000009", "release: web sha-0000009"])


def test_what_somebody_did_in_the_meantime_is_theirs(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")

    def meanwhile() -> Stage:
        stage = failed(world, {API: ILL, WEB: ILL, "Deployment/worker": ILL})
        git(tmp_path, "clone", "-q", str(world.repo.origin), str(elsewhere.clone))
        elsewhere.deploy(api="sha-000000a")
        assert elsewhere.run("hold", "web", "-m", "somebody looks at it").code == 0
        return stage

    ran = bump(world, serve(meanwhile), "api", "sha-0000009", "web", "sha-0000009", "worker", "sha-0000009")
    assert (ran.code, world.repo.deployed()) == (
        10,
        {"api": "sha-000000a", "web": "sha-0000009", "worker": "sha-0000001"},
    )
    assert "api stays: it went on to sha-000000a" in ran.err
    assert "web stays: it is held: somebody looks at it" in ran.err
    assert subjects(world)[-1] == "rollback: worker sha-0000001"


def test_what_is_degraded_because_somebody_changed_its_manifest_stays(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")

    def meanwhile() -> Stage:
        git(tmp_path, "clone", "-q", str(world.repo.origin), str(elsewhere.clone))
        text = world.repo.at_origin(f"{FOLDER}/api.yaml") + "          env: [{name: DATABASE, value: nowhere}]\n"
        elsewhere.push("break its settings", {f"{FOLDER}/api.yaml": text})
        return failed(world, {API: ILL})

    ran = bump(world, serve(meanwhile))
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009", "break its settings"])
    seen = world.commits["released"][:7]
    assert f"nothing is rolled back (deploy/api.yaml has changed as well in {seen}); " in ran.err


CHANGED = {
    f"{FOLDER}/settings.yaml": "kind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{a: {value}}}\n",
    f"{FOLDER}/app.properties": "a={value}\n",  # of a generator
}


FIRST: dict[str, Callable[[World], Stage]] = {
    "at the revision before": lambda world: world.at("before"),
    "about to sync": lambda world: synced(
        world, operated="replaced", phase="Failed", sync="OutOfSync", history=(world.commits["before"],)
    ),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
@pytest.mark.parametrize(("path", "text"), CHANGED.items(), ids=CHANGED)
def test_what_argo_cd_synced_along_with_a_release_may_be_the_cause(
    tmp_path: Path, serve: Serve, path: str, text: str, first: Callable[[World], Stage]
) -> None:
    world = build(tmp_path)
    world.commits["before"] = world.repo.push("settings", {path: text.format(value="b")})
    world.commits["replaced"] = world.repo.push("along with it", {path: text.format(value="c")})
    ran = bump(world, serve(lambda: first(world), lambda: failed(world, {API: ILL})))
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009"])
    assert f"nothing is rolled back ({path} has changed as well in " in ran.err


def test_a_fix_that_somebody_pushed_meanwhile_is_left_alone(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")

    def meanwhile() -> Stage:
        stage = failed(world, {API: ILL})
        git(tmp_path, "clone", "-q", str(world.repo.origin), str(elsewhere.clone))
        text = world.repo.at_origin(f"{FOLDER}/api.yaml") + "          env: [{name: DATABASE, value: right}]\n"
        elsewhere.push("fix its settings", {f"{FOLDER}/api.yaml": text})
        return stage

    ran = bump(world, serve(meanwhile))
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009", "fix its settings"])
    assert "nothing is rolled back (deploy/api.yaml has changed since " in ran.err


@pytest.mark.parametrize("folder", [FOLDER, "."])
def test_the_sources_of_a_release_are_no_other_cause(tmp_path: Path, serve: Serve, folder: str) -> None:
    world = build(tmp_path)
    settings = world.repo.at_origin("orbit-release.yaml").replace(f"manifests: {FOLDER}", f"manifests: {folder!r}")
    world.commits["before"] = world.repo.push("settings", {"orbit-release.yaml": settings, "go.mod": "module a\n"})
    world.commits["replaced"] = world.repo.push("sources", {"go.mod": "module b\n", "services/api/main.go": "main\n"})
    ran = bump(world, serve(lambda: world.at("before"), lambda: failed(world, {API: ILL})))
    assert (ran.code, subjects(world)[1:]) == (10, ["rollback: api sha-0000003"]), ran.err


def test_what_the_image_list_of_a_release_had_before_is_told(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    digest = f"sha-0000003@sha256:{'a' * 64}"
    ran = bump(world, serve(lambda: failed(world, {API: ILL})), "api", digest)
    assert (ran.code, len(subjects(world))) == (10, 1), ran.err
    assert "hint: nothing is rolled back (it had the same tag before); " in ran.err


def test_a_service_without_a_place_for_the_mark_is_let_go_of_by_hand(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    containers = f"[{{name: api, image: '{world.repo.host}/orbit/api:sha-0000003'}}]"
    text = (
        f"{{kind: Deployment, metadata: {{name: api}}, spec: {{template: {{spec: {{containers: {containers}}}}}}}}}\n"
    )
    world.commits["replaced"] = world.repo.push("flow", {f"{FOLDER}/api.yaml": text})
    images = (f"{world.repo.host}/orbit/api:sha-0000009",)
    ran = bump(world, serve(lambda: failed(world, {API: ILL}, images=images)))
    assert (ran.code, subjects(world)[1:]) == (10, ["rollback: api sha-0000003"]), ran.err
    assert ran.err.splitlines()[-1].endswith("once it is mended: bump it by hand")


def test_another_release_in_the_meantime_changes_nothing_of_that(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")

    def meanwhile() -> Stage:
        git(tmp_path, "clone", "-q", str(world.repo.origin), str(elsewhere.clone))
        elsewhere.deploy(web="sha-000000a")
        return failed(world, {API: ILL})

    bump(world, serve(meanwhile))
    assert world.repo.deployed() == {"web": "sha-000000a", "api": "sha-0000003", "worker": "sha-0000001"}


def test_a_service_that_ran_two_images_is_left_to_a_person(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    canary = MANIFEST.format(name="api", host=world.repo.host, tag="sha-0000005").replace("name: api", "name: canary")
    world.commits["replaced"] = world.repo.push("canary", {f"{FOLDER}/canary.yaml": canary})
    ran = bump(world, serve(lambda: failed(world, {API: ILL})))
    assert (ran.code, subjects(world)) == (10, ["release: api sha-0000009"])
    assert "api stays: it ran sha-0000003 and sha-0000005 before" in ran.err


KUSTOMIZED = {
    "newName": ("api", "images:\n  - {{name: api, newName: {host}/orbit/api, newTag: sha-0000003}}\n", API),
    "newTag": ("{host}/orbit/api", "images:\n  - {{name: {host}/orbit/api, newTag: sha-0000003}}\n", API),
    "namePrefix": ("{host}/orbit/api:sha-0000003", "namePrefix: prod-\n", "Deployment/prod-api"),
}


@pytest.mark.parametrize("key", KUSTOMIZED)
def test_what_a_kustomization_changes_is_known(tmp_path: Path, serve: Serve, key: str) -> None:
    world = build(tmp_path)
    image, text, workload = (part.format(host=world.repo.host) for part in KUSTOMIZED[key])
    manifest = MANIFEST.format(name="api", host="x", tag="1").replace("x/orbit/api:1", image)
    files = {f"{FOLDER}/api.yaml": manifest, f"{FOLDER}/kustomization.yaml": f"resources: [api.yaml]\n{text}"}
    world.commits["replaced"] = world.repo.push("kustomize", dict(files))
    images = (f"{world.repo.host}/orbit/api:sha-0000009",)
    ran = bump(world, serve(lambda: failed(world, {workload: ILL}, images=images)))
    assert (ran.code, subjects(world)[1:]) == (10, ["rollback: api sha-0000003"]), ran.err


def test_there_must_be_something_to_go_back_to(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    world.repo.deploy(api="latest")
    ran = bump(world, serve(lambda: failed(world, {API: ILL})))
    assert (ran.code, world.repo.deployed()["api"]) == (10, "sha-0000009")
    assert "api stays: it was deployed with latest, which may be any image" in ran.err


def test_an_image_that_is_gone_is_not_put_back(tmp_path: Path, serve: Serve, registry_host: str) -> None:
    world = build(tmp_path, f"{registry_host}/{uuid4().hex}")
    commit = world.repo.git("rev-parse", "HEAD")
    pushed(world.repo, "api", commit)
    words = ("bump", "api", f"sha-{commit[:7]}", "--wait", "--rollback-on-failure")
    ran = world.repo.run(*words, **serve(lambda: failed(world, {API: ILL})))
    assert (ran.code, len(subjects(world))) == (10, 1), ran.err
    assert "api stays: it cannot: " in ran.err
    assert "api:sha-0000003 is not in the registry any more" in ran.err
    assert ran.err.splitlines()[-1].endswith("; look at it first: orbit-release history")


def test_an_image_that_is_gone_keeps_no_other_service(tmp_path: Path, serve: Serve, registry_host: str) -> None:
    world = build(tmp_path, f"{registry_host}/{uuid4().hex}")
    commit = world.repo.git("rev-parse", "HEAD")
    for name, tag in (("api", ""), ("web", ""), ("web", "sha-0000003")):
        pushed(world.repo, name, commit, tag)
    words = ("bump", "api", f"sha-{commit[:7]}", "web", f"sha-{commit[:7]}", "--wait", "--rollback-on-failure")
    ran = world.repo.run(*words, **serve(lambda: failed(world, {API: ILL, WEB: ILL})))
    assert (ran.code, subjects(world)[1:]) == (10, ["rollback: web sha-0000003"]), ran.err
    assert "api stays: it cannot: " in ran.err


def test_a_summary_that_cannot_be_written_keeps_nothing_from_going_back(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    known = serve(lambda: failed(world, {API: ILL}))
    ran = bump(world, {**known, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert (ran.code, subjects(world)[1:]) == (10, ["rollback: api sha-0000003"]), ran.err
    assert "cannot be written" in ran.err


@pytest.mark.parametrize("deaf", [False, True], ids=["of the table", "of everything"])
def test_a_reader_that_went_away_keeps_nothing_from_going_back(tmp_path: Path, serve: Serve, *, deaf: bool) -> None:
    world = build(tmp_path)
    known = serve(lambda: failed(world, {API: ILL}))
    command = [sys.executable, "-m", "orbit_release", "bump", "api", "sha-0000009", *OPTIONS]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as closed:
        there: dict[str, Any] = {"stdout": closed, "stderr": closed if deaf else subprocess.PIPE}
        done = subprocess.run(command, cwd=world.repo.clone, env=environment(**known), check=False, text=True, **there)
    assert (done.returncode, subjects(world)[1:]) == (10, ["rollback: api sha-0000003"])
    told = [] if deaf else [line.split()[0] for line in done.stderr.splitlines()]
    assert deaf or ([word for word in told if word == "published"], "error:" in told) == (["published"] * 2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_the_wait_learns_that_it_is_published(tmp_path: Path, number: signal.Signals) -> None:
    world = build(tmp_path)
    asked = Event()
    server = LivingServer(asked.set, Hang)
    with serving(server, server.stopping):
        known = {"ARGOCD_SERVER": server.host, "ARGOCD_AUTH_TOKEN": TOKEN, "ARGOCD_OPTS": "--plaintext"}
        command = [sys.executable, "-m", "orbit_release", "bump", "api", "sha-0000009", *OPTIONS, "--format", "json"]
        with subprocess.Popen(
            command,
            cwd=world.repo.clone,
            env=environment(**known),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert asked.wait(600)
            process.send_signal(number)
            out, err = process.communicate(timeout=600)
    commit = git(world.repo.origin, "rev-parse", "main")
    ran = Ran(process.returncode, out, err)
    assert (ran.code, document(ran, "bump")["commit"]) == (130, commit)
    assert f"\n{commit[:7]} is published all the same: orbit-release wait --revision {commit[:7]}\n" in err
    assert f"published {commit[:7]} on main" in err


HOOK = """\
#!/bin/sh
read -r old new name
if git log -1 --format=%s "$new" | grep -q rollback; then
  echo $$ >{fifo}
  exec sleep 600
fi
"""


def test_who_interrupts_the_rollback_learns_that_it_may_have_arrived(tmp_path: Path, serve: Serve) -> None:
    world, fifo = build(tmp_path), tmp_path / "fifo"
    os.mkfifo(fifo)
    hook = world.repo.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK.format(fifo=fifo))
    hook.chmod(0o755)
    command = [sys.executable, "-m", "orbit_release", "bump", "api", "sha-0000009", *OPTIONS, "--format", "json"]
    known = serve(lambda: failed(world, {API: ILL}))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=world.repo.clone, env=environment(**known), stdout=pipe, stderr=pipe, text=True
    ) as process:
        hanging = int(fifo.read_text())
        process.send_signal(signal.SIGINT)
        os.kill(hanging, signal.SIGTERM)
        out, err = process.communicate(timeout=600)
    assert (process.returncode, "orbit-release history tells whether it arrived" in err) == (130, True), err
    assert "rolled_back" not in document(Ran(130, out, err), "bump")


def test_the_summary_of_a_step_tells_it(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    summary = tmp_path / "summary"
    known = serve(lambda: failed(world, {API: ILL}))
    bump(world, {**known, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})
    headings = [line for line in summary.read_text().splitlines() if line.startswith("### ")]
    released = world.commits["released"][:7]
    assert headings == [
        "### `release: api sha-0000009` on `main`",
        f"### Not live: `orbit` at `{released}`",
        "### `rollback: api sha-0000003` on `main`",
    ]
    assert "`Deployment/api: Deployment " in summary.read_text()
    assert "orbit-release unhold api`" in summary.read_text()


def test_it_goes_with_wait_alone(tmp_path: Path) -> None:
    world = build(tmp_path)
    ran = world.repo.run("bump", "api", "sha-0000009", "--rollback-on-failure")
    assert (ran.code, "--rollback-on-failure goes with --wait" in ran.err, subjects(world)) == (2, True, [])
