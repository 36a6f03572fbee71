"""`build` with a real engine and a real registry: what the registry serves afterwards, and what it never gets."""

from __future__ import annotations

import gzip
import io
import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from tests.images import push_image
from tests.integration.monorepo import CONFIG, LABEL, SERVICES, Monorepo, Ran, environment, git, pushed, repository, sha
from tests.integration.test_docker import READ_ONLY, Gate, ask, tags
from tests.servers.serving import serving

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@pytest.fixture
def gate(registry_host: str) -> Iterator[Gate]:
    """Return a way to the real registry that can misbehave."""
    with Gate(registry_host) as server, serving(server, server.released):
        yield server


@pytest.fixture
def gated(tmp_path: Path, gate: Gate) -> Monorepo:
    """Return a monorepo whose images go through the gate."""
    return Monorepo.create(tmp_path, f"{gate.host}/{uuid4().hex}")


@pytest.fixture
def without_buildx(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which git is the only program."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(str(shutil.which("git")))
    return {"PATH": str(tmp_path / "bin")}


def served(repo: Monorepo, name: str, tag: str) -> str | None:
    """Return the digest that the registry serves a tag with."""
    return ask(repository(repo, name), f"manifests/{tag}").headers.get("Docker-Content-Digest")


def labels(repo: Monorepo, name: str, tag: str) -> dict[str, str]:
    config = ask(repository(repo, name), f"manifests/{tag}").json()["config"]["digest"]
    return dict(ask(repository(repo, name), f"blobs/{config}").json()["config"]["Labels"])


def contents(repo: Monorepo, name: str, tag: str) -> dict[str, bytes]:
    """Return the files of an image."""
    found: dict[str, bytes] = {}
    for layer in ask(repository(repo, name), f"manifests/{tag}").json()["layers"]:
        blob = gzip.decompress(ask(repository(repo, name), f"blobs/{layer['digest']}").content)
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            files = ((member.name, archive.extractfile(member)) for member in archive)
            found |= {name: file.read() for name, file in files if file}
    return found


def built(ran: Ran) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in json.loads(ran.out)["services"]}


def head(repo: Monorepo) -> str:
    return repo.git("rev-parse", "HEAD")


def assert_error(ran: Ran, code: int, *words: str) -> None:
    """Expect what went wrong, and a hint: two lines, whatever was told before them."""
    error, hint = ran.err.splitlines()[-2:]
    assert (ran.code, error.startswith("error: "), hint.startswith("hint: ")) == (code, True, True), ran.err
    assert [word for word in words if word not in ran.err] == []


def test_every_service_is_pushed_under_the_tag_of_its_commit_and_latest(monorepo: Monorepo) -> None:
    tag = sha(head(monorepo))
    ran = monorepo.run("build", "--format", "json")
    assert ran.code == 0, ran.err
    for name, service in built(ran).items():
        assert sorted(tags(repository(monorepo, name))) == ["latest", tag]
        assert service["digest"] == served(monorepo, name, tag) == served(monorepo, name, "latest")
        assert (service["status"], service["latest"], service["commit"]) == ("built", True, head(monorepo))
    assert list(built(ran)) == list(SERVICES)


def test_the_labels_tell_where_an_image_comes_from(monorepo: Monorepo) -> None:
    address = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r"}
    assert replace(monorepo, extra=address).run("build", "api").code == 0
    assert labels(monorepo, "api", "latest") == {
        f"{LABEL}.source": "https://github.com/o/r",
        f"{LABEL}.revision": head(monorepo),
        f"{LABEL}.title": "api",
    }


def test_an_image_is_built_from_its_commit_whatever_the_folder_holds(monorepo: Monorepo) -> None:
    dockerfile = "FROM scratch\nCOPY . /\n"
    target = monorepo.push("api", {"services/api/Dockerfile": dockerfile, "services/api/main": "committed"})
    monorepo.push("not the api", {"README.md": "later", "web/a": "1"})
    (monorepo.clone / "services/api/main").write_text("dirty")
    (monorepo.clone / "services/api/Dockerfile").write_text("broken")
    (monorepo.clone / "services/api/staged").write_text("")
    monorepo.git("add", "services/api/staged")
    (monorepo.clone / "untracked").write_text("")
    state = monorepo.git("status", "--porcelain")
    assert monorepo.run("build", "api").code == 0
    files = contents(monorepo, "api", sha(target))
    assert files["services/api/main"] == b"committed"
    assert {"README.md", "web/a", "services/api/staged", "untracked"}.isdisjoint(files)
    assert labels(monorepo, "api", sha(target))[f"{LABEL}.revision"] == target
    assert monorepo.git("status", "--porcelain") == state


def test_only_what_the_plan_asks_for_is_built(monorepo: Monorepo) -> None:
    first = sha(head(monorepo))
    monorepo.deploy(web=f"{first} # held: broken", api=first, worker=first)
    monorepo.push("web and worker", {"web/a": "1", "services/worker/a": "1"})
    ran = monorepo.run("build", "--format", "json")
    assert (ran.code, list(built(ran))) == (0, ["worker"])
    assert tags(repository(monorepo, "api")) == tags(repository(monorepo, "web")) == []


def test_where_nothing_is_to_build_no_engine_is_needed(monorepo: Monorepo) -> None:
    first = sha(head(monorepo))
    monorepo.deploy(web=first, api=first, worker=first)
    ran = monorepo.run("build", DOCKER_HOST="tcp://127.0.0.1:1")
    assert (ran.code, ran.out, ran.err) == (0, "", "nothing to do: every image that the plan asks for is built\n")


def test_a_named_service_is_built_even_if_it_is_current(monorepo: Monorepo) -> None:
    first = head(monorepo)
    monorepo.deploy(api=sha(first))
    assert monorepo.run("build", "api").code == 0
    assert sorted(tags(repository(monorepo, "api"))) == ["latest", sha(first)]


def test_an_image_that_is_in_the_registry_is_not_built_again(monorepo: Monorepo) -> None:
    there = {name: str(pushed(monorepo, name, head(monorepo))) for name in SERVICES}
    ran = monorepo.run("build", "--format", "json", DOCKER_HOST="tcp://127.0.0.1:1")
    assert ran.code == 0, ran.err
    assert {name: (one["status"], one["digest"]) for name, one in built(ran).items()} == {
        name: ("skipped", digest) for name, digest in there.items()
    }


@pytest.mark.parametrize("names", [(), ("api",)])
def test_force_builds_it_again(monorepo: Monorepo, names: tuple[str, ...]) -> None:
    before = pushed(monorepo, "api", head(monorepo))
    ran = monorepo.run("build", *names, "--force", "--format", "json")
    assert built(ran)["api"]["status"] == "built"
    assert built(ran)["api"]["digest"] == served(monorepo, "api", "latest") != str(before)


def test_latest_never_moves_back(monorepo: Monorepo) -> None:
    old = head(monorepo)
    new = monorepo.push("api", {"services/api/a": "1"})
    assert monorepo.run("build", "api").code == 0
    ran = monorepo.run("build", "api", "--head", old, "--format", "json")
    assert (ran.code, built(ran)["api"]["latest"]) == (0, False)
    assert served(monorepo, "api", "latest") == served(monorepo, "api", sha(new)) != served(monorepo, "api", sha(old))


@pytest.mark.parametrize("names", [(), ("api",)])
def test_latest_stays_where_it_is_for_a_head_that_is_not_on_the_release_branch(
    monorepo: Monorepo, names: tuple[str, ...]
) -> None:
    monorepo.git("checkout", "-qb", "feature")
    feature = monorepo.commit("api", {"services/api/a": "1"})
    assert monorepo.run("build", *names).code == 0
    assert tags(repository(monorepo, "api")) == [sha(feature)]


def test_a_latest_that_an_interrupted_run_left_behind_is_moved_by_the_next(monorepo: Monorepo) -> None:
    old = head(monorepo)
    new = monorepo.push("api", {"services/api/a": "1"})
    pushed(monorepo, "api", old, tag="latest")
    digest = pushed(monorepo, "api", new)
    ran = monorepo.run("build", "--format", "json")
    assert built(ran)["api"]["status"] == "skipped"
    assert served(monorepo, "api", "latest") == str(digest)


@pytest.mark.parametrize("revision", ["", "f" * 40])
def test_a_latest_of_unknown_origin_is_moved(monorepo: Monorepo, revision: str) -> None:
    push_image(repository(monorepo, "api"), "latest", {f"{LABEL}.revision": revision} if revision else {})
    digest = pushed(monorepo, "api", head(monorepo))
    assert monorepo.run("build", "api").code == 0
    assert served(monorepo, "api", "latest") == str(digest)


def test_a_latest_that_is_right_needs_no_right_to_push(gated: Monorepo, gate: Gate) -> None:
    for tag in ("", "latest"):
        pushed(gated, "api", head(gated), tag=tag)
    gate.faults += [(405, READ_ONLY)] * 9
    assert gated.run("build", "api").code == 0


def test_a_latest_that_cannot_be_moved_stops_no_other(gated: Monorepo, gate: Gate) -> None:
    for name in SERVICES:
        pushed(gated, name, head(gated))
    gate.faults += [(405, READ_ONLY)]
    ran = gated.run("build", "--format", "json")
    assert_error(ran, 8, "web: ", "read-only")
    assert [name for name in SERVICES if served(gated, name, "latest")] == ["api", "worker"]
    assert {name: one["status"] for name, one in built(ran).items()} == {
        "web": "failed",
        "api": "skipped",
        "worker": "skipped",
    }


def test_a_build_that_fails_stops_no_other_and_pushes_nothing(monorepo: Monorepo) -> None:
    broken = monorepo.push("broken", {"services/api/Dockerfile": "FROM scratch\nCOPY nowhere /\n"})
    ran = monorepo.run("build", "--format", "json")
    assert_error(ran, 7, "error: api: ", "nowhere")
    last = ran.err.splitlines()[-3]
    assert (last.startswith("api | "), "nowhere" in last) == (True, True)
    assert tags(repository(monorepo, "api")) == []
    assert {name: (one["status"], bool(one["error"])) for name, one in built(ran).items()} == {
        "web": ("built", False),
        "api": ("failed", True),
        "worker": ("built", False),
    }
    assert built(ran)["api"]["commit"] == broken
    assert all(served(monorepo, name, "latest") for name in ("web", "worker"))


def test_what_a_build_prints_cannot_move_the_cursor(monorepo: Monorepo, without_buildx: dict[str, str]) -> None:
    """With the engine's own builder: BuildKit ends the conversation at such a name, and prints nothing of it."""
    monorepo.push("red", {"services/api/Dockerfile": 'FROM scratch\nCOPY "\x1b[31mred\x9b2J" /\n'})
    ran = replace(monorepo, extra=without_buildx).run("build", "api")
    assert_error(ran, 7, "red")
    assert re.findall(r"[^\n -~]", ran.err.replace("\ufffd", "")) == []


@pytest.mark.parametrize("arguments", [(), ("api",), ("api", "--force")])
def test_a_tag_that_belongs_to_another_commit_is_never_overwritten(
    monorepo: Monorepo, arguments: tuple[str, ...]
) -> None:
    other = pushed(monorepo, "api", head(monorepo), revision="f" * 40)
    ran = monorepo.run("build", *arguments)
    assert_error(ran, 6, f"was built from {'f' * 40}, not from {head(monorepo)}")
    assert served(monorepo, "api", sha(head(monorepo))) == str(other)
    assert tags(repository(monorepo, "api")) == [sha(head(monorepo))]


def test_no_push_keeps_both_names_in_the_engine_and_asks_no_registry(tmp_path: Path, docker_host: str) -> None:
    repo = Monorepo.create(tmp_path, f"127.0.0.1:1/{uuid4().hex}")
    ran = repo.run("build", "api", "--no-push", "--format", "json")
    assert (ran.code, built(ran)["api"]["digest"]) == (0, None), ran.err
    client = docker.APIClient(base_url=docker_host)
    (image,) = client.images(f"{repo.host}/orbit/api")
    client.close()
    assert set(image["RepoTags"]) == {f"{repo.host}/orbit/api:{tag}" for tag in ("latest", sha(head(repo)))}


def test_with_one_job_the_builds_come_one_after_another(monorepo: Monorepo) -> None:
    ran = monorepo.run("build", "--jobs", "1")
    assert ran.code == 0, ran.err
    lines = [line.partition(" | ")[0] for line in ran.err.splitlines()]
    assert lines == sorted(lines, key=SERVICES.index)
    assert set(lines) == set(SERVICES)


def test_an_engine_that_does_not_answer_is_said_in_two_lines(monorepo: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    ran = monorepo.run("build", DOCKER_HOST="tcp://127.0.0.1:1", TMPDIR=str(tmp_path / "tmp"))
    assert_error(ran, 9, "DOCKER_HOST")
    assert len(ran.err.splitlines()) == 2
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("host", ["tcp://[::1", "nonsense", "ftp://127.0.0.1"])
def test_an_address_that_is_no_engines_is_said_in_two_lines(
    offline: Monorepo, without_buildx: dict[str, str], host: str
) -> None:
    ran = replace(offline, extra=without_buildx).run("build", "--no-push", DOCKER_HOST=host)
    assert_error(ran, 9, "DOCKER_HOST")
    assert len(ran.err.splitlines()) == 2


def test_a_registry_that_does_not_answer_is_said_before_anything_is_built(offline: Monorepo) -> None:
    ran = offline.run("build", DOCKER_HOST="tcp://127.0.0.1:1")
    assert_error(ran, 9, "127.0.0.1:9")
    assert len(ran.err.splitlines()) == 2


@pytest.mark.parametrize("told", [READ_ONLY, b"Method not allowed\n"])
def test_a_registry_that_is_read_only_is_an_access_error(gated: Monorepo, gate: Gate, told: bytes) -> None:
    gate.faults += [(405, told)] * 9
    assert_error(gated.run("build", "api"), 8, "error: api: ", "read-only")
    assert tags(repository(gated, "api")) == []


def test_what_needs_buildkit_is_refused_clearly_where_there_is_no_buildx(
    monorepo: Monorepo, without_buildx: dict[str, str]
) -> None:
    monorepo.push("link", {"services/api/Dockerfile": "FROM scratch\nCOPY --link proto /\n"})
    ran = replace(monorepo, extra=without_buildx).run("build")
    wanted = ("api: this build needs BuildKit", "services/api/Dockerfile:2: COPY --link", "docker buildx")
    assert ran.code == 7
    assert [words for words in wanted if words not in ran.err] == []
    assert [name for name in SERVICES if tags(repository(monorepo, name))] == ["web", "worker"]


def test_a_builder_by_name_needs_buildx(offline: Monorepo, without_buildx: dict[str, str]) -> None:
    ran = replace(offline, extra=without_buildx).run("build", "--no-push", "--builder", "tcp://127.0.0.1:1234")
    assert_error(ran, 2, "--builder needs docker buildx")


def test_build_arguments_and_platforms_come_from_the_configuration(monorepo: Monorepo) -> None:
    settings = f"api: {{build_args: {{VERSION: 1.10}}, platforms: [linux/{MACHINE}], "
    config = CONFIG.format(host=monorepo.host).replace("api: {", settings)
    dockerfile = "FROM scratch\nARG VERSION\nLABEL version=$VERSION\nCOPY proto /\n"
    monorepo.push("settings", {"orbit-release.yaml": config, "services/api/Dockerfile": dockerfile})
    assert monorepo.run("build", "api").code == 0
    assert labels(monorepo, "api", "latest")["version"] == "1.10"


def test_a_platform_that_the_engine_is_not_is_refused(monorepo: Monorepo, without_buildx: dict[str, str]) -> None:
    config = CONFIG.format(host=monorepo.host).replace("api: {", "api: {platforms: [linux/s390x], ")
    monorepo.push("settings", {"orbit-release.yaml": config})
    ran = replace(monorepo, extra=without_buildx).run("build", "api")
    assert (ran.code, "platforms linux/s390x: this engine builds linux/" in ran.err) == (7, True)
    assert tags(repository(monorepo, "api")) == []


def test_an_interrupted_run_leaves_whole_images_and_no_folders(monorepo: Monorepo, gate: Gate, tmp_path: Path) -> None:
    """The first image is pushed, the second one's base never comes, Ctrl-C: the next run finishes the first."""
    hangs = f"FROM {gate.host}/base:{uuid4().hex}\nCOPY proto /\n"
    monorepo.push("hangs", {"services/api/Dockerfile": hangs})
    (tmp_path / "tmp").mkdir()
    gate.hangs = True
    command = [sys.executable, "-m", "orbit_release", "build", "--jobs", "1"]
    with subprocess.Popen(
        command, cwd=monorepo.clone, env=environment(TMPDIR=str(tmp_path / "tmp")), stderr=subprocess.PIPE
    ) as process:
        assert gate.asked.wait(600)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=600)[1].decode()
    assert process.returncode == 130, told
    assert (told.splitlines()[-1], "Traceback" in told) == ("interrupted", False)
    assert [tags(repository(monorepo, name)) for name in ("api", "worker")] == [[], []]
    assert len(tags(repository(monorepo, "web"))) == 1
    assert list((tmp_path / "tmp").iterdir()) == []
    assert monorepo.run("build", "web").code == 0
    assert "latest" in tags(repository(monorepo, "web"))


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_shallow_and_partial_clones_build_the_same_image(monorepo: Monorepo, tmp_path: Path, option: str) -> None:
    git(monorepo.origin, "config", "uploadpack.allowFilter", "true")
    target = head(monorepo)
    monorepo.push("later", {"README.md": "x"})
    git(tmp_path, "clone", "-q", option, f"file://{monorepo.origin}", "other")
    ran = monorepo.run("build", "api", directory=tmp_path / "other")
    assert ran.code == 0, ran.err
    assert sorted(tags(repository(monorepo, "api"))) == ["latest", sha(target)]
    assert labels(monorepo, "api", "latest")[f"{LABEL}.revision"] == target


def test_a_dockerfile_that_leads_out_of_the_repository_is_refused(monorepo: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (monorepo.clone / "services/api/Dockerfile").unlink()
    (monorepo.clone / "services/api/Dockerfile").symlink_to(tmp_path / "Dockerfile")
    monorepo.push("link", {})
    ran = monorepo.run("build", "api")
    assert_error(ran, 7, "lies outside the repository")
    assert tags(repository(monorepo, "api")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("apy",), 2, "did you mean 'api'?"),
        (("web", "nowhere"), 2, "no service is called 'nowhere'"),
        (("--head", "nowhere"), 5, "nowhere names no commit"),
        (("api", "--head", "gone"), 5, "api has no services/api/Dockerfile at gone"),
        (("--jobs", "0"), 2, "--jobs"),
    ],
)
def test_what_does_not_exist_is_refused(offline: Monorepo, arguments: tuple[str, ...], code: int, words: str) -> None:
    offline.push("gone", {"services/api/Dockerfile": None})
    offline.git("tag", "gone")
    ran = offline.run("build", *arguments)
    assert_error(ran, code, words)
    assert len(ran.err.splitlines()) == 2
