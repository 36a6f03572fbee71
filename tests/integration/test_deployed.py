"""What is deployed is what an entry is rendered with: each command sees it, and a release changes what decides it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.deployed import BUMP, NEWER_DIGEST, Case, World, check, workload

API, WEB = "ghcr.io/acme/api", "ghcr.io/acme/web"
PLAN, STATUS = ("plan", "--fetch"), ("status", "--offline", "--exit-code")
BUMP_WEB = ("bump", "web", "NEW", "--no-verify", "-y")
BUMP_PINNED = ("bump", "api", f"NEW@{NEWER_DIGEST}", "--no-verify", "-y")
K = "kustomization.yaml"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
RUNS_OLD, RUNS_NOW = workload(f"{API}:OLD"), workload(f"{API}:NOW")
BASE = {f"deploy/base/{K}": "resources: [api.yaml]\n", "deploy/base/api.yaml": RUNS_OLD}
TAGGED = f"resources: [../base]\nimages:\n  - name: {API}\n    newTag: NOW # by automation\n"
JSON_PATCH = f"""\
resources: [../base]
patches:
  - target: {{kind: Deployment, name: app}}
    patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/image
        value: {API}:NOW
"""
ADDED = f"""\
resources: [../base]
patches:
  - patch: |-
      - op: add
        path: /spec/template/spec/containers/-
        value: {{name: proxy, image: {WEB}:NOW}}
    target: {{kind: Deployment}}
"""
CONFLICT = workload(f"{WEB}:OLD").replace("spec:\n", "<<<<<<< HEAD\nspec:\n", 1)
BROKEN = "<<<<<<< HEAD\nresources: [api.yaml]\n=======\nresources: []\n>>>>>>> other\n"

# Everything here is released, and every command sees the tag that decides.
LAYERS = {
    "a workload's own field": Case({"deploy/api.yaml": RUNS_NOW}),
    "images of an overlay": Case({**BASE, f"deploy/prod/{K}": TAGGED}),
    "the overlay alone is named": Case({**BASE, f"deploy/prod/{K}": TAGGED}, manifests="deploy/prod"),
    "the overlay's file is named": Case({**BASE, f"deploy/prod/{K}": TAGGED}, manifests=f"deploy/prod/{K}"),
    "images of a component": Case(
        {
            **BASE,
            f"deploy/tags/{K}": f"{COMPONENT}images: [{{name: {API}, newTag: NOW}}]\n",
            f"deploy/prod/{K}": "resources: [../base]\ncomponents: [../tags]\n",
        }
    ),
    "an overlay over its component": Case(
        {
            **BASE,
            f"deploy/tags/{K}": f"{COMPONENT}images: [{{name: {API}, newTag: OLD}}]\n",
            f"deploy/prod/{K}": f"{TAGGED}components: [../tags]\n",
        }
    ),
    "a patch in a file": Case(
        {
            **BASE,
            f"deploy/prod/{K}": "resources: [../base]\npatches: [{path: p.yaml}]\n",
            "deploy/prod/p.yaml": RUNS_NOW,
        }
    ),
    "a patch of the old kind": Case(
        {
            **BASE,
            f"deploy/prod/{K}": "resources: [../base]\npatchesStrategicMerge: [p.yaml]\n",
            "deploy/prod/p.yaml": RUNS_NOW,
        }
    ),
    "a JSON patch inside a kustomization": Case({**BASE, f"deploy/prod/{K}": JSON_PATCH}),
    "images over a patch": Case(
        {
            **BASE,
            f"deploy/prod/{K}": f"{TAGGED}patches: [{{path: p.yaml}}]\n",
            "deploy/prod/p.yaml": RUNS_OLD,
        }
    ),
    "a name in one layer and the tag in another": Case(
        {
            f"deploy/base/{K}": f"resources: [api.yaml]\nimages: [{{name: api, newName: {API}}}]\n",
            "deploy/base/api.yaml": workload("api"),
            f"deploy/prod/{K}": TAGGED,
        }
    ),
    "a new name with a tag": Case(
        {
            f"deploy/{K}": f"resources: [api.yaml]\nimages: [{{name: api, newName: {API}, newTag: NOW}}]\n",
            "deploy/api.yaml": workload("api:OLD"),
        }
    ),
    "kustomization.yml": Case(
        {
            "deploy/base/kustomization.yml": "resources: [api.yaml]\n",
            "deploy/base/api.yaml": RUNS_OLD,
            "deploy/prod/Kustomization": TAGGED,
        }
    ),
    "a transformer in a file": Case(
        {
            **BASE,
            f"deploy/prod/{K}": "resources: [../base]\ntransformers: [tags.yaml]\n",
            "deploy/prod/tags.yaml": "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: tags}\n"
            f"imageTag:\n  name: {API}\n  newTag: NOW\n",
        }
    ),
    "a base outside of the folder": Case(
        {
            f"platform/{K}": "resources: [api.yaml]\n",
            "platform/api.yaml": RUNS_NOW,
            f"deploy/{K}": "resources: [../platform]\n",
        }
    ),
    "two overlays that move together": Case(
        {**BASE, f"deploy/a/{K}": TAGGED, f"deploy/b/{K}": TAGGED}, manifests="[deploy/a, deploy/b]"
    ),
    "manifests at the root": Case({"api.yaml": RUNS_NOW}, manifests="."),
    "a kustomization at the root": Case(
        {K: "resources: [deploy/api.yaml]\n", "deploy/api.yaml": RUNS_NOW}, manifests="."
    ),
    "single files": Case({"deploy/api.yaml": RUNS_NOW, "deploy/copy.yaml": RUNS_OLD}, manifests="[deploy/api.yaml]"),
    "Docker Hub by another host": Case(
        {"deploy/api.yaml": workload("index.docker.io/acme/api:NOW")}, image="acme/{service}"
    ),
    "Docker Hub without a host": Case({"deploy/api.yaml": workload("acme/api:NOW")}, image="docker.io/acme/{service}"),
}
FOLLOWED = (
    "images of an overlay",
    "the overlay's file is named",
    "images of a component",
    "a patch in a file",
    "a JSON patch inside a kustomization",
    "a name in one layer and the tag in another",
    "a base outside of the folder",
    "two overlays that move together",
    "a kustomization at the root",
    "Docker Hub by another host",
)


@pytest.mark.parametrize("name", LAYERS)
def test_the_deciding_place_alone_is_released(name: str, tmp_path: Path) -> None:
    check(LAYERS[name], tmp_path)


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_command_sees_what_is_rendered(name: str, tmp_path: Path) -> None:
    world = World.create(tmp_path, LAYERS[name])
    now, new = world.tags["NOW"], world.tags["NEW"]
    planned = json.loads(world.run("plan", "api", "--fetch", "--format", "json").out)["services"][0]
    assert (planned["action"], planned["deployed"].rpartition(":")[2]) == ("build", now)
    assert json.loads(world.run("status", "api", "--offline", "--format", "json").out)["services"][0]["behind"] == 1
    assert "different-tags" not in world.run("check").out
    assert world.run(*BUMP).code == 0
    history = json.loads(world.run("history", "api", "--format", "json").out)["releases"]
    assert [release["tag"] for release in history[:2]] == [new, now]
    ran = world.run("rollback", "api", "--no-verify", "-y", "-m", "night")
    assert ran.code == 0, ran.err
    held = {path: data.replace(b" # held: night", b"") for path, data in world.at_origin().items()}
    assert held == world.expected(is_released=False)
    ran = world.run("unhold", "api", "-y")
    assert ran.code == 0, ran.err
    assert world.run("plan", "api", "--fetch").out.count(now) == 2


REFUSED = {
    "two overlays of one base": Case(
        {**BASE, f"deploy/dev/{K}": TAGGED, f"deploy/prod/{K}": TAGGED},
        code=3,
        err=(f"deploy holds 2 environments of {API}: deploy/dev, deploy/prod", "manifests: deploy/dev", "--config"),
        not_err=("adopt", "environments:"),
    ),
    "a base that another environment includes": Case(
        {
            f"deploy/base/{K}": "resources: [api.yaml]\n",
            "deploy/base/api.yaml": RUNS_NOW,
            f"deploy/prod/{K}": "resources: [../base]\n",
            f"deploy/dev/{K}": "resources: [../base]\n",
        },
        manifests="deploy/prod",
        code=4,
        err=(
            f"deploy/base/api.yaml:10: this decides .*deploy/dev/{K} includes it",
            f"name: {API}.*newTag: NOW",
            f"deploy/prod/{K}",
        ),
    ),
    "a placeholder in a component": Case(
        {
            **BASE,
            f"deploy/tags/{K}": f"{COMPONENT}images: [{{name: {API}, newTag: IMAGES_TAG}}]\n",
            f"deploy/prod/{K}": "resources: [../base]\ncomponents: [../tags]\n",
        },
        code=4,
        err=(f"deploy/tags/{K}:3: 'IMAGES_TAG' holds no plain tag", "never overwrites"),
    ),
    "a new name that is not ours": Case(
        {
            f"deploy/{K}": f"resources: [api.yaml]\nimages: [{{name: {API}, newName: mirror/api, newTag: OLD}}]\n",
            "deploy/api.yaml": RUNS_OLD,
        },
        code=4,
        err=(f"deploy/{K}:2: mirror/api takes the place of {API}", "hint: Take that name out"),
    ),
    "a digest": Case(
        {"deploy/api.yaml": workload(f"{API}:PINNED")},
        code=4,
        err=("deploy/api.yaml:10: api is pinned to a digest", "NEW@sha256:"),
    ),
    "a digest inside newTag": Case(
        {**BASE, f"deploy/prod/{K}": TAGGED.replace("NOW", "PINNED")},
        code=4,
        err=(f"deploy/prod/{K}:4: api is pinned to a digest", "NEW@sha256:"),
    ),
    "a key twice": Case(
        {"deploy/api.yaml": RUNS_OLD.replace("          image", "          image: x\n          image")},
        code=4,
        err=("deploy/api.yaml:11: repeated key 'image'", "Remove one of the two"),
    ),
    "a path that is not there": Case(
        {"deploy/api.yaml": RUNS_OLD},
        manifests="deplyo",
        code=3,
        err=("there is no manifest at deplyo on main", "correct"),
    ),
    "one path of two that is not there": Case(
        {"deploy/api.yaml": RUNS_OLD}, manifests="[deploy, k8s]", code=3, err=("there is no manifest at k8s on main",)
    ),
    "a path that names no service": Case(
        {"deploy/api.yaml": workload("ghcr.io/acme/other:1")},
        code=3,
        err=("deploy names no service at main", "write ghcr.io/acme/api:latest"),
    ),
    "a path of which kustomize refuses the root": Case(
        {f"deploy/{K}": "resources: [gone.yaml]\n", "deploy/api.yaml": RUNS_OLD},
        code=3,
        err=("deploy names no service", f"mend deploy/{K}:1: there is no file"),
    ),
    "what a plugin generates": Case(
        {
            f"deploy/{K}": "generators: [g.yaml]\n",
            "deploy/g.yaml": "apiVersion: x/v1\nkind: Generator\nmetadata: {name: g}\n",
            "deploy/web.yaml": workload(f"{WEB}:OLD"),
        },
        manifests="[deploy, deploy/web.yaml]",
        code=3,
        err=("deploy names no service", f"deploy/{K}:1: what a generator makes cannot be seen here: set the tag"),
    ),
    "a file that no kustomization includes": Case(
        {
            f"deploy/{K}": "resources: [web.yaml]\n",
            "deploy/api.yaml": RUNS_OLD,
            "deploy/web.yaml": workload(f"{WEB}:OLD"),
        },
        code=5,
        err=(f"no kustomization includes deploy/api.yaml:10, which names {API}",),
    ),
    "a custom resource": Case(
        {
            "deploy/api.yaml": "apiVersion: x/v1\nkind: Engine\nmetadata: {}\nspec: {image: 'ghcr.io/acme/api:OLD'}\n",
            "deploy/web.yaml": workload(f"{WEB}:OLD"),
        },
        code=5,
        err=(f"no manifest deploys {API}, which deploy/api.yaml:4 only names",),
    ),
    "a service that is only built": Case(
        {"deploy/web.yaml": workload(f"{WEB}:OLD")}, code=5, err=(f"no manifest names {API}", "`deploy: false`")
    ),
    "an entry of images that matches nothing": Case(
        {
            f"deploy/{K}": f"resources: [web.yaml]\nimages: [{{name: {API}, newTag: OLD}}]\n",
            "deploy/web.yaml": workload(f"{WEB}:OLD"),
        },
        code=4,
        err=(f"deploy/{K}:2: this entry of images: matches no image", "as the manifests have it"),
    ),
    "a hold where only JSON stands": Case(
        {
            "deploy/api.json": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},\n "spec": {"containers":'
            f' [{{"name": "a", "image": "{API}:OLD"}}]}}}}\n'
        },
        command=("hold", "api", "-m", "night", "-y"),
        code=4,
        err=("deploy/api.json:2: no comment can stand beside", "JSON has no comments"),
    ),
    "a mark on a line that is overridden": Case(
        {**BASE, "deploy/base/api.yaml": workload(f"{API}:OLD # held: night"), f"deploy/prod/{K}": TAGGED},
        code=12,
        err=("api is held: night",),
    ),
    "a mark in a patch below images": Case(
        {
            **BASE,
            f"deploy/prod/{K}": f"{TAGGED}patches: [{{path: p.yaml}}]\n",
            "deploy/prod/p.yaml": workload(f"{API}:OLD # held: noon"),
        },
        code=12,
        err=("api is held: noon",),
    ),
}


COPIES = {
    "deploy/prod/api.yaml": RUNS_OLD,
    f"deploy/prod/{K}": "resources: [api.yaml]\n",
    "deploy/preview/api.yaml": RUNS_OLD,
    f"deploy/preview/{K}": "resources: [api.yaml]\n",
}


def test_copies_of_one_object_are_environments_as_well(tmp_path: Path) -> None:
    check(Case(COPIES, code=3, err=("deploy holds 2 environments of .*deploy/preview, deploy/prod",)), tmp_path / "one")
    elsewhere = COPIES["deploy/prod/api.yaml"].replace("name: app", "name: other")
    apart = {path: text.replace("OLD", "NOW") for path, text in (COPIES | {"deploy/prod/api.yaml": elsewhere}).items()}
    check(Case(apart), tmp_path / "two")


FREED = {
    "an entry of images: that matches nothing, beside one that is clear": Case(
        {
            f"deploy/a/{K}": "resources: [api.yaml]\n",
            "deploy/a/api.yaml": RUNS_NOW,
            f"deploy/b/{K}": f"resources: [web.yaml]\nimages: [{{name: {API}, newTag: OLD}}]\n",
            "deploy/b/web.yaml": workload(f"{WEB}:OLD"),
        },
    ),
    "a patch of another service that cannot be read": Case(
        {
            f"deploy/{K}": "resources: [api.yaml, web.yaml]\n"
            "patches: [{path: p.yaml, target: {kind: Deployment, name: web}}]\n",
            "deploy/api.yaml": RUNS_NOW,
            "deploy/web.yaml": workload(f"{WEB}:OLD").replace("name: app", "name: web"),
            "deploy/p.yaml": "<<<<<<< HEAD\n- op: add\n",
        },
        err=("deploy/p.yaml:2: not valid YAML.*Argo CD cannot render",),
    ),
    "a file that names nobody and cannot be read": Case(
        {f"deploy/{K}": "resources: [api.yaml, x.yaml]\n", "deploy/api.yaml": RUNS_NOW, "deploy/x.yaml": "a: [\n"},
        err=("deploy/x.yaml:2: not valid YAML.*Argo CD cannot render",),
    ),
}


@pytest.mark.parametrize("name", FREED)
def test_what_is_wrong_with_others_stops_nobody(name: str, tmp_path: Path) -> None:
    check(FREED[name], tmp_path)


@pytest.mark.parametrize("command", [("history",), ("rollback", "api", "-y"), ("unhold", "--all", "-y")])
@pytest.mark.parametrize("manifests", ["deplyo", "deploy"])
def test_every_command_says_what_is_wrong_with_a_path(manifests: str, command: tuple[str, ...], tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        **BASE,
        f"deploy/dev/{K}": "resources: [../base]\n",
        f"deploy/prod/{K}": "resources: [../base]\n",
    }
    err = "no manifest at deplyo" if manifests == "deplyo" else "2 environments of ghcr.io/acme/api"
    check(Case(files, command=command, manifests=manifests, code=3, err=(err,)), tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_released_says_where_and_what_to_do(name: str, tmp_path: Path) -> None:
    check(REFUSED[name], tmp_path)


DIGESTS: dict[str, dict[str, str | bytes]] = {
    "beside the tag": {"deploy/api.yaml": workload(f"{API}:PINNED")},
    "inside newTag": {**BASE, f"deploy/prod/{K}": TAGGED.replace("NOW", "PINNED")},
    "a field beside newTag": {**BASE, f"deploy/prod/{K}": f"{TAGGED}    digest: SEALED\n"},
    "a field alone": {**BASE, f"deploy/prod/{K}": TAGGED.replace("newTag: NOW", "digest: SEALED")},
    "Helm's key": {"deploy/values.yaml": f"image: {{repository: {API}, tag: NOW, digest: 'SEALED'}}\n"},
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_digest_moves_with_its_tag(name: str, tmp_path: Path) -> None:
    check(Case(DIGESTS[name], command=BUMP_PINNED), tmp_path)


def test_a_digest_of_the_base_goes_where_the_overlay_sets_the_tag(tmp_path: Path) -> None:
    files = {**BASE, "deploy/base/api.yaml": workload(f"{API}:OLD@sha256:{'c' * 64}"), f"deploy/prod/{K}": TAGGED}
    check(Case(files), tmp_path)


SHARED = {"deploy/api.yaml": RUNS_NOW}
BROKEN_BESIDE: dict[str, dict[str, str | bytes]] = {
    "conflict markers": {**SHARED, "deploy/web.yaml": CONFLICT},
    "below a root that includes both": {
        **SHARED,
        "deploy/web.yaml": CONFLICT,
        f"deploy/{K}": "resources: [api.yaml, web.yaml]\n",
    },
    "a Latin-1 byte": {**SHARED, "deploy/web.yaml": b"# caf\xe9\n" + workload(f"{WEB}:OLD").encode()},
    "a template": {**SHARED, "deploy/web.yaml": "{{- if .Values.web }}\n" + workload(f"{WEB}:OLD")},
    "a kustomization of its own": {
        **SHARED,
        f"deploy/web/{K}": BROKEN,
        "deploy/web/web.yaml": workload(f"{WEB}:OLD"),
    },
}


@pytest.mark.parametrize("name", BROKEN_BESIDE)
def test_one_bad_file_stops_one_service(name: str, tmp_path: Path) -> None:
    files, path = BROKEN_BESIDE[name], f"deploy/web/{K}" if "kustomization" in name else "deploy/web.yaml"
    world = World.create(tmp_path, Case(files, err=(f"warning: {path}:?.*Argo CD cannot render",)))
    ran = world.run(*BUMP_WEB)
    assert (ran.code, ran.err.startswith(f"error: {path}")) == (4, True), ran
    assert world.run(*STATUS).code == 1
    for command in (PLAN, BUMP, ("rollback", "api", "--no-verify", "-y"), ("history", "api")):
        ran = world.run(*command)
        assert ran.code == 0, ran
        assert path in ran.err or command[0] == "history", ran
    for command in (("hold", "web", "-m", "x", "-y"), ("rollback", "web", "OLD", "--no-verify", "-y")):
        assert world.run(*command).err.startswith(f"error: {path}")


@pytest.mark.parametrize(
    ("files", "manifests"),
    [
        ({f"deploy/{K}": BROKEN, "deploy/api.yaml": RUNS_OLD}, "deploy"),
        ({f"deploy/a/{K}": BROKEN, "deploy/a/api.yaml": RUNS_OLD, "deploy/web.yaml": workload(f"{WEB}:OLD")}, "deploy"),
        ({**BASE, f"deploy/base/{K}": BROKEN, f"deploy/prod/{K}": TAGGED.replace("NOW", "OLD")}, "deploy/prod"),
        ({**BASE, f"deploy/base/{K}": BROKEN, f"deploy/prod/{K}": "resources: [../base]\n"}, "deploy/prod"),
    ],
)
def test_a_kustomization_that_cannot_be_read_stops_its_entry(
    files: dict[str, str | bytes], manifests: str, tmp_path: Path
) -> None:
    where = next(path for path, text in files.items() if text == BROKEN)
    world = World.create(tmp_path, Case(files, manifests=manifests))
    for command in (BUMP, ("hold", "api", "-m", "x", "-y")):
        ran = world.run(*command)
        assert (ran.code, ran.err.splitlines()[0].startswith(f"error: {where}:")) == (4, True), ran
    assert f"held    -         -       {where}:" in world.run("plan", "api", "--fetch").out
    assert world.run("status", "api", "--offline", "--exit-code").code == 1
    assert world.at_origin() == world.expected(is_released=False)


def test_unmanaged_services_are_told_of(tmp_path: Path) -> None:
    world = World.create(tmp_path, Case({"deploy/api.yaml": RUNS_NOW}))
    ran = world.run(*PLAN)
    assert (ran.code, f"web      unmanaged  -            {world.tags['NEW']}  no manifest names {WEB}" in ran.out) == (
        0,
        True,
    )
    assert world.run("status", "web", "--offline", "--exit-code").code == 1
    ran = world.run("check")
    assert (ran.code, "web is deployed by nothing at deploy" in ran.out) == (1, True), ran


def test_a_service_that_is_only_built_is_not_missed(tmp_path: Path) -> None:
    world = World.create(tmp_path, Case({"deploy/api.yaml": RUNS_NOW}))
    text = (world.repo.clone / "orbit-release.yaml").read_text()
    world.repo.push("only built", {"orbit-release.yaml": text.replace("[web/**]", "[web/**], deploy: false")})
    assert "it is only built" in world.run(*PLAN).out
    assert "deployed by nothing" not in world.run("check").out


MENTIONS = {
    "an environment variable": (
        "deploy/api.yaml:13",
        "",
        "          env:\n            - name: SELF\n              value: ",
    ),
    "an argument": ("deploy/api.yaml:12", "", "          args:\n            - --image="),
}
MENTIONING = {
    "deploy/job.yaml:4": {"deploy/job.yaml": "apiVersion: x/v1\nkind: Task\nmetadata: {name: t}\nspec: {image: '@'}\n"},
    "deploy/note.yaml:4": {
        "deploy/note.yaml": "kind: ConfigMap\napiVersion: v1\nmetadata: {name: t}\ndata: {image: '@'}\n"
    },
    f"deploy/{K}:4": {
        f"deploy/{K}": "resources: [api.yaml]\nconfigMapGenerator:\n  - name: c\n    literals: [IMAGE=@]\n"
    },
    "deploy/c.env:2": {
        f"deploy/{K}": "resources: [api.yaml]\nsecretGenerator: [{name: c, envs: [c.env]}]\n",
        "deploy/c.env": "A=1\nIMAGE=@\n",
    },
    "deploy/c.txt:1": {
        f"deploy/{K}": "resources: [api.yaml]\nconfigMapGenerator: [{name: c, files: [key=c.txt]}]\n",
        "deploy/c.txt": "image is @.\n",
    },
}


@pytest.mark.parametrize("name", MENTIONS)
def test_an_old_tag_in_a_container_is_named(name: str, tmp_path: Path) -> None:
    where, _, lines = MENTIONS[name]
    case = Case({"deploy/api.yaml": f"{RUNS_NOW}{lines}{API}:STAYS\n"}, err=(f"warning: {where}: {API}:STAYS",))
    check(case, tmp_path)


@pytest.mark.parametrize("where", MENTIONING)
@pytest.mark.parametrize("command", [BUMP, PLAN])
def test_an_old_tag_that_stands_elsewhere_is_named(where: str, command: tuple[str, ...], tmp_path: Path) -> None:
    files = {path: text.replace("@", f"{API}:STAYS") for path, text in MENTIONING[where].items()}
    case = Case({"deploy/api.yaml": RUNS_NOW, **files}, err=(f"warning: {where}: {API}:STAYS",), command=command)
    check(case, tmp_path)


def test_a_container_that_a_patch_adds_is_released(tmp_path: Path) -> None:
    check(Case({**BASE, f"deploy/prod/{K}": ADDED}, command=BUMP_WEB), tmp_path)


def test_a_path_in_a_submodule_says_so(tmp_path: Path) -> None:
    world = World.create(tmp_path, Case({"other/api.yaml": RUNS_NOW}, manifests="vendor/k8s"))
    commit = world.repo.git("rev-parse", "HEAD")
    world.repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendor")
    world.repo.git("commit", "-qm", "submodule")
    world.repo.git("push", "-q", "origin", "HEAD:main")
    ran = world.run(*BUMP)
    assert (ran.code, "vendor is a submodule" in ran.err) == (3, True), ran


TAGS = {
    "another scheme's tag is a pin": Case({"deploy/api.yaml": workload(f"{API}:linux-main")}, more="tag: linux-{sha}\n",
        command=PLAN, out=("held +linux-main .*pinned to linux-main by hand",), err=("orbit-release unhold --all",)),
    "a date is a pin": Case({"deploy/api.yaml": workload(f"{API}:20240101")}, more='tag: "{sha}"\n',
        command=PLAN, out=("held +20240101 .*pinned to 20240101",)),
    "the default stays readable": Case({"deploy/api.yaml": RUNS_NOW}, more='tag: "{branch}-{sha:12}"\n',
        command=PLAN, out=("build +NOW +main-[0-9a-f]{12} ",), not_err=("unhold",)),
    "an unknown word": Case({"deploy/api.yaml": RUNS_OLD}, more="tag: v{version}\n", command=PLAN, code=3,
        err=(r"orbit-release.yaml:7:6: .*unknown placeholder \{version\}",)),
    "a scheme that YAML reads as a mapping": Case({"deploy/api.yaml": RUNS_OLD}, more="tag: {sha}\n", command=PLAN,
        code=3, err=('put quotes around it, `tag: "{sha}"`',)),
}  # fmt: skip


@pytest.mark.parametrize("name", TAGS)
def test_tags_of_another_scheme(name: str, tmp_path: Path) -> None:
    check(TAGS[name], tmp_path)


def test_a_pin_is_taken_over_once_somebody_lets_go_of_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "deploy/api.yaml": workload(f"{API}:v1.2.3"),
        "deploy/web.yaml": workload(f"{WEB}:v1"),
    }
    world = World.create(tmp_path, Case(files))
    ran = world.run(*PLAN)
    assert ran.err.rstrip().endswith("`orbit-release unhold --all` lets automation take them over"), ran
    ran = world.run("unhold", "--all", "-y")
    assert (ran.code, world.filled("api: the next run releases NEW").decode() in ran.err) == (0, True), ran
    planned = json.loads(world.run("plan", "--fetch", "--format", "json").out)["services"]
    assert [service["action"] for service in planned] == ["build", "build"]
    assert world.run(*BUMP).code == 0
    expected = replace(world.case, files={"deploy/api.yaml": RUNS_NOW}).files
    assert world.repo.at_origin("deploy/api.yaml").encode() == world.filled(
        expected["deploy/api.yaml"], NOW=world.tags["NEW"]
    )


def test_globs_with_braces_are_written_out(tmp_path: Path) -> None:
    world = World.create(tmp_path, Case({"deploy/api.yaml": RUNS_NOW}))
    text = (world.repo.clone / "orbit-release.yaml").read_text()
    world.repo.push("braces", {"orbit-release.yaml": text.replace("[web/**]", '["{web,libs}/**"]')})
    ran = world.run(*PLAN)
    assert (ran.code, "write web/**, libs/**" in ran.err) == (3, True), ran
