"""What `init` makes of a repository: trees as tables, and the configuration that comes of each."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
import ruamel.yaml

from orbit_release import config
from orbit_release.check.configuration_file import ConfigurationFile, lines
from orbit_release.check.finding import Finding
from orbit_release.check.inputs.input_rules import Ignored, check_inputs
from orbit_release.check.tree import Tree
from orbit_release.check.workflow_rules import check_workflows
from orbit_release.config import FILE_NAME, Config
from orbit_release.errors import InvalidError, NotFoundError
from orbit_release.init.adopted_workflow import PATH, adopted_workflow
from orbit_release.init.configuration_text import SCHEMA, configuration_text
from orbit_release.init.proposed_configuration import CloneNames, propose

SHIPPED = Path(__file__).parents[2] / PATH
ORIGIN = CloneNames("Acme/Shop", "main")
COPY_ALL = "FROM scratch\nCOPY . /app\n"
Files = Mapping[str, str]


def deployment(*images: str) -> str:
    containers = "".join(f"        - image: {image}\n" for image in images)
    return f"kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n{containers}"


def sources(*folders: str, text: str = COPY_ALL) -> Files:
    return {f"{folder}/{name}": data for folder in folders for name, data in (("Dockerfile", text), ("main.go", ""))}


def manifests(*images: str, folder: str = "k8s") -> Files:
    return {f"{folder}/{image.rpartition('/')[2].partition(':')[0]}.yaml": deployment(image) for image in images}


def tree_of(files: Files) -> Tree:
    return Tree(dict.fromkeys(files), lambda path: files[path].encode())


def text_of(*parts: Files, origin: CloneNames = ORIGIN) -> str:
    files = {path: text for part in parts for path, text in part.items()}
    return configuration_text(propose(tree_of(files), origin, ignored_in(files)))


def ignored_in(files: Files) -> Ignored:
    """Return what looks names up in the .gitignore of their folder."""

    def ignored(paths: Collection[str]) -> set[str]:
        lines = {path: files.get(posixpath.join(posixpath.dirname(path), ".gitignore"), "") for path in paths}
        return {path for path in paths if posixpath.basename(path) in lines[path].splitlines()}

    return ignored


def load(text: str) -> Config:
    return config.load(text.encode(), FILE_NAME)


def facts(text: str) -> dict[str, str]:
    """Return each service's Dockerfile and context by its name."""
    return {one.name: f"{one.settings.dockerfile} in {one.settings.context}" for one in load(text).services}


def choices(text: str) -> list[str]:
    return [line.partition("# choose: ")[2] for line in text.splitlines() if "# choose: " in line]


FOUND = {
    "folders have the images' names": (
        [sources("api", "web"), manifests("ghcr.io/acme/shop/api:latest", "ghcr.io/acme/shop/web")],
        {"api": "api/Dockerfile in api", "web": "web/Dockerfile in web"},
    ),
    "the image has a suffix": (
        [sources("services/api", "web"), manifests("ghcr.io/a/api-service", "ghcr.io/a/web-svc")],
        {"api-service": "services/api/Dockerfile in services/api", "web-svc": "web/Dockerfile in web"},
    ),
    "the folder has a suffix": (
        [sources("api-service"), manifests("ghcr.io/a/api")],
        {"api": "api-service/Dockerfile in api-service"},
    ),
    "the exact name is nearer than one with a suffix": (
        [sources("api", "api-service"), manifests("ghcr.io/a/api", "ghcr.io/a/api-service")],
        {"api": "api/Dockerfile in api", "api-service": "api-service/Dockerfile in api-service"},
    ),
    "an outer folder has the name": (
        [sources("src/cart/src"), manifests("ghcr.io/a/cart")],
        {"cart": "src/cart/src/Dockerfile in src/cart/src"},
    ),
    "folders have the name together": (
        [sources("api/worker", "web/worker"), manifests("ghcr.io/a/api-worker", "ghcr.io/a/web-worker")],
        {"api-worker": "api/worker/Dockerfile in api/worker", "web-worker": "web/worker/Dockerfile in web/worker"},
    ),
    "the Dockerfile has the name": (
        [
            {"docker/Dockerfile.api": "COPY go.mod .", "docker/web.Dockerfile": "COPY go.mod .", "go.mod": ""},
            manifests("ghcr.io/a/api", "ghcr.io/a/web"),
        ],
        {"api": "docker/Dockerfile.api in .", "web": "docker/web.Dockerfile in ."},
    ),
    "the root has the repository's name": (
        [{"Dockerfile": COPY_ALL, "main.go": ""}, manifests("ghcr.io/acme/shop")],
        {"shop": "Dockerfile in ."},
    ),
    "letters and joints are written otherwise": (
        [sources("Order_Api"), manifests("ghcr.io/a/order-api")],
        {"order-api": "Order_Api/Dockerfile in Order_Api"},
    ),
    "a variant for development is none": (
        [sources("api"), {"api/Dockerfile.dev": COPY_ALL}, manifests("ghcr.io/a/api")],
        {"api": "api/Dockerfile in api"},
    ),
    "what only looks like a Dockerfile": (
        [sources("api"), {"api/Dockerfile.dockerignore": "", "x/Dockerfile.md": "", "y/Dockerfile.j2": ""}],
        {"api": "api/Dockerfile in api"},
    ),
    "what was brought along": (
        [
            sources("api", "vendor/lib", "node_modules/x", "a/testdata", "examples/y", ".github/z"),
            manifests("g.io/a/api"),
        ],
        {"api": "api/Dockerfile in api"},
    ),
    "an example that is deployed": (
        [sources("api", "examples/y"), manifests("ghcr.io/a/api", "ghcr.io/a/y")],
        {"api": "api/Dockerfile in api", "y": "examples/y/Dockerfile in examples/y"},
    ),
    "an image of somebody else with a folder's name": (
        [sources("api", "redis", "grafana"), manifests("ghcr.io/a/api", "redis:7", "grafana/grafana:12")],
        {"api": "api/Dockerfile in api"},
    ),
    "names that a build tool replaces": (
        [sources("api"), manifests("api"), manifests("ghcr.io/a/api", folder="release")],
        {"api": "api/Dockerfile in api"},
    ),
    "a name that is no service's": (
        [sources("a__b"), manifests("ghcr.io/a/a__b")],
        {"a-b": "a__b/Dockerfile in a__b"},
    ),
    "images of a kustomization": (
        [
            sources("api"),
            {
                "k8s/api.yaml": deployment("api"),
                "k8s/kustomization.yaml": "images:\n  - {name: api, newName: ghcr.io/a/api, newTag: v1}\n",
            },
        ],
        {"api": "api/Dockerfile in api"},
    ),
    "values of charts": (
        [
            sources("api", "web"),
            {
                "charts/api/Chart.yaml": "name: api\n",
                "charts/api/values.yaml": "image: {repository: ghcr.io/a/api, tag: v1}\nreplicas: 1\n",
                "charts/api/templates/api.yaml": deployment("'{{ .Values.image.repository }}'"),
                "charts/web/Chart.yaml": "name: web\n",
                "charts/web/values.yaml": "web:\n  image: {registry: ghcr.io, repository: a/web, tag: v1}\n",
            },
        ],
        {"api": "api/Dockerfile in api", "web": "web/Dockerfile in web"},
    ),
    "no manifests at all": (
        [sources("api", "a/worker", "b/worker"), {"api/Dockerfile.dev": COPY_ALL, "job/Dockerfile.night": "FROM x\n"}],
        {
            "a-worker": "a/worker/Dockerfile in a/worker",
            "api": "api/Dockerfile in api",
            "b-worker": "b/worker/Dockerfile in b/worker",
            "night": "job/Dockerfile.night in job",
        },
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_services_are_found_by_their_names(case: str) -> None:
    parts, expected = FOUND[case]
    text = text_of(*parts)
    assert facts(text) == expected
    assert findings(parts, text) == []


def findings(parts: list[Files], text: str) -> list[str]:
    """Return what the rules about inputs say of a configuration."""
    files = {path: data for part in parts for path, data in part.items()} | {FILE_NAME: text}
    loaded = load(text)
    places = ConfigurationFile(FILE_NAME, lines(text.encode()))
    found = check_inputs(loaded.services, tree_of(files), places, ignored_in(files))
    return [one.message for one in found if isinstance(one, Finding)]


CONTEXTS = {
    "its own folder": ({"a/b/Dockerfile": "COPY go.mod .", "a/b/go.mod": "", "go.mod": ""}, "a/b"),
    "the folder above": ({"a/b/Dockerfile": "COPY b/go.mod .", "a/b/go.mod": ""}, "a"),
    "the root": ({"a/b/Dockerfile": "COPY a/b /x\nCOPY proto /y", "a/b/x": "", "proto/z": ""}, "."),
    "everything, and there is something": ({"a/b/Dockerfile": COPY_ALL, "a/b/x": ""}, "a/b"),
    "everything, and there are only Dockerfiles": (
        {"a/b/Dockerfile": COPY_ALL, "a/b/.dockerignore": "", "a/b/Dockerfile.dev": "", "a/x": ""},
        "a",
    ),
    "everything, and then the path from the root": (
        {"a/b/Dockerfile": f"{COPY_ALL}RUN cd a/b && make\n", "a/b/x": "", "a/y": ""},
        ".",
    ),
    "wildcards that find nothing here": ({"a/b/Dockerfile": "COPY *.mod .", "a/b/x": "", "a/go.mod": ""}, "a"),
    "what is made before the build": (
        {"a/b/Dockerfile": "COPY dist /", "a/b/.gitignore": "dist\n", "a/b/x": ""},
        "a/b",
    ),
    "nothing is copied": ({"a/b/Dockerfile": "FROM scratch\n", "a/b/x": ""}, "a/b"),
}


@pytest.mark.parametrize("case", CONTEXTS)
def test_the_context_is_where_the_sources_are(case: str) -> None:
    files, context = CONTEXTS[case]
    text = text_of(files)
    assert [one.settings.context for one in load(text).services] == [context]
    assert not [line for line in choices(text) if "context" in line]


def test_the_paths_are_what_is_copied() -> None:
    dockerfile = 'COPY proto /p\nCOPY services/api /a\nCOPY ["a,b c.txt", "/"]\n'
    files = {"services/api/Dockerfile": dockerfile, "services/api/x.go": "", "proto/x": "", "a,b c.txt": ""}
    (service,) = load(text_of(files)).services
    assert service.paths.globs == ("proto/**", "services/api/**", "a,b c.txt")


FOLDERS = {
    "one": (manifests("ghcr.io/a/api", "ghcr.io/a/web"), "k8s", []),
    "the deepest": (manifests("ghcr.io/a/api", "ghcr.io/a/web", folder="deploy/k8s/base"), "deploy/k8s/base", []),
    "the one around": (
        {**manifests("ghcr.io/a/api", folder="k8s/api"), **manifests("ghcr.io/a/web", folder="k8s/web")},
        "k8s",
        [],
    ),
    "the one with all": (
        {**manifests("ghcr.io/a/api", "ghcr.io/a/web", folder="k8s/base"), **manifests("ghcr.io/a/api", folder="e2e")},
        "k8s/base",
        ["e2e/ has manifests of these images as well, and a release changes only one folder"],
    ),
    "beside the sources": (
        {**manifests("ghcr.io/a/api", folder="api/k8s"), **manifests("ghcr.io/a/web", folder="web/k8s")},
        ".",
        [],
    ),
    "at the root": ({"all.yaml": deployment("ghcr.io/a/api", "ghcr.io/a/web")}, ".", []),
    "the one around charts": (
        {
            f"charts/{name}/{file}": text
            for name in ("api", "web")
            for file, text in (
                ("Chart.yaml", f"name: {name}\n"),
                ("values.yaml", f"image: {{repository: ghcr.io/a/{name}, tag: v1}}\n"),
            )
        },
        "charts",
        [],
    ),
    "what lies in an example does not count": (
        {**manifests("ghcr.io/a/api", "ghcr.io/a/web"), **manifests("ghcr.io/a/api", folder="examples/x")},
        "k8s",
        [],
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_the_folder_of_the_manifests(case: str) -> None:
    files, folder, told = FOLDERS[case]
    text = text_of(sources("api", "web"), files)
    assert (load(text).manifests, choices(text)) == ((folder,), told)
    assert findings([sources("api", "web"), files], text) == []


def test_a_folder_that_has_the_sources_as_well_is_not_taken_for_the_manifests() -> None:
    parts = [sources("services/api", "services/web")]
    parts += [manifests(f"ghcr.io/a/{name}", folder=f"services/{name}/k8s") for name in ("api", "web")]
    text = text_of(*parts)
    assert (load(text).manifests, findings(parts, text)) == ((".",), [])
    for one in load(text).services:
        assert one.paths.match(f"services/{one.name}/main.go".encode())
        assert not one.paths.match(f"services/{one.name}/k8s/{one.name}.yaml".encode())


@pytest.mark.parametrize("folder", ["api/k8s", "services/api/k8s"])
def test_a_release_does_not_ask_for_the_next_one(folder: str) -> None:
    source = folder.removesuffix("/k8s")
    files = {**sources(source), **manifests("ghcr.io/a/api", folder=folder), f"{source}/config.yaml": ""}
    (service,) = load(text_of(files)).services
    assert not service.paths.match(f"{folder}/api.yaml".encode())
    assert service.paths.match(f"{source}/config.yaml".encode())


@pytest.mark.parametrize("other", ["examples/k8s/x.yaml", ".argocd/x.yaml", "vendor/x.json", "k\udcff.yaml"])
def test_every_file_that_a_release_changes_is_no_input(other: str) -> None:
    files = {"Dockerfile": COPY_ALL, "main.go": "", "app.yaml": deployment("ghcr.io/acme/shop")}
    (service,) = load(text_of(files, {other: deployment("ghcr.io/acme/shop:v1")})).services
    assert not any(service.paths.match(path.encode("utf-8", "surrogateescape")) for path in (other, "app.yaml"))
    assert service.paths.match(b"main.go")


def test_a_common_image_stands_at_the_top_and_others_at_their_services() -> None:
    images = ("ghcr.io/a/x/api", "ghcr.io/a/x/web", "ghcr.io/a/tools/job")
    text = text_of(sources("api", "web", "job"), manifests(*images))
    assert text.count("image:") == 2
    assert sorted(str(one.repository) for one in load(text).services) == sorted(images)


ADD = "add a service for it, or leave it out"
CHOICES: dict[str, tuple[list[Files], list[str]]] = {
    "an image without a Dockerfile": (
        [sources("api"), manifests("ghcr.io/o/r/api", "ghcr.io/o/r/lonely:v1")],
        ["ghcr.io/o/r/lonely is named by k8s/lonely.yaml, no Dockerfile is left that matches it"],
    ),
    "a Dockerfile without an image": (
        [sources("api", "tools"), manifests("ghcr.io/o/r/api")],
        [f"tools/Dockerfile matches no image of the manifests: {ADD}"],
    ),
    "two Dockerfiles for an image": (
        [sources("one/api", "two/api"), manifests("ghcr.io/o/r/api")],
        [
            "two/api/Dockerfile would match as well",
            f"two/api/Dockerfile has the name of ghcr.io/o/r/api, which one/api/Dockerfile was taken for: {ADD}",
        ],
    ),
    "two registries": (
        [
            sources("api", "web"),
            manifests("ghcr.io/o/r/api", "ghcr.io/o/r/web"),
            manifests("ghcr.io/o/old/api", folder="k8s/old"),
        ],
        ["the manifests name images at ghcr.io/o/old as well, k8s/old/api.yaml for one"],
    ),
    "another host": (
        [sources("api", "web"), manifests("ghcr.io/o/api", "quay.io/o/web", "redis:7")],
        [f"web/Dockerfile has the name of quay.io/o/web, which no service has: {ADD}"],
    ),
    "the same image at another host": (
        [sources("api"), manifests("dev.io/o/api"), manifests("prod.io/o/api", folder="k8s/prod")],
        ["the manifests name images at prod.io/o as well, k8s/prod/api.yaml for one"],
    ),
    "another owner, and a twin": (
        [sources("a/api", "b/api"), manifests("ghcr.io/o/api"), manifests("ghcr.io/p/api", folder="k8s/p")],
        [
            "the manifests name images at ghcr.io/p as well, k8s/p/api.yaml for one",
            "b/api/Dockerfile would match as well",
            f"b/api/Dockerfile has the name of ghcr.io/p/api, which no service has: {ADD}",
        ],
    ),
    "an image that a kustomization renames": (
        [
            sources("api"),
            manifests("ghcr.io/old/api:v1"),
            {"k8s/kustomization.yaml": "images: [{name: ghcr.io/old/api, newName: ghcr.io/new/api, newTag: v2}]\n"},
        ],
        [],
    ),
    "two images for a Dockerfile": (
        [sources("api"), manifests("ghcr.io/o/api", "ghcr.io/o/api-svc")],
        ["ghcr.io/o/api-svc is named by k8s/api-svc.yaml, no Dockerfile is left that matches it"],
    ),
    "names alone": (
        [sources("api"), manifests("api")],
        ["the manifests name images without a registry, which nobody can push: `ghcr.io/…` here and there"],
    ),
    "a guess": (
        [sources("api", "temporal-workflows"), manifests("ghcr.io/o/r/api", "ghcr.io/o/r/temporal-worker")],
        ["a guess, for their names are alike: ghcr.io/o/r/temporal-worker is named by k8s/temporal-worker.yaml"],
    ),
    "a placeholder": (
        [sources("api"), {"k8s/api.yaml": deployment("ghcr.io/o/r/api:${TAG}")}],
        ["k8s/api.yaml:6 holds no plain tag: write `ghcr.io/o/r/api:latest` there"],
    ),
    "a source that is nowhere": (
        [{"api/Dockerfile": "COPY nowhere /\n"}, manifests("ghcr.io/o/r/api")],
        ["the context, for no folder has all that the Dockerfile copies: api lacks nowhere"],
    ),
    "no manifests": (
        [sources("api")],
        [
            "the repository to push images to, for none that was found in manifests has a Dockerfile's name",
            "the folder whose manifests deploy these images, for none was found",
        ],
    ),
    "a source with a variable that has no value": (
        [{"api/Dockerfile": "ARG NAME\nCOPY go.mod /\nCOPY api/$NAME /\n", "go.mod": ""}, manifests("ghcr.io/o/r/api")],
        ["the paths, for api/Dockerfile:3 copies api/$NAME, whose variable has no value: add what that is"],
    ),
    "manifests that are copied": (
        [{"api/Dockerfile": "COPY k8s /\nCOPY api/x /\n", "api/x": ""}, manifests("ghcr.io/o/r/api")],
        ["k8s/** is copied and no input, for a release changes manifests: copy it from elsewhere, or leave it"],
    ),
    "a manifest that is copied, beside the sources": (
        [{"Dockerfile": "COPY k8s.yaml x /\n", "x": "", "k8s.yaml": deployment("ghcr.io/o/shop")}],
        ["k8s.yaml is copied and no input, for a release changes manifests: copy it from elsewhere, or leave it"],
    ),
    "an ignore file that is not valid": (
        [sources("api"), {"api/.dockerignore": "[z-a]\n"}, manifests("ghcr.io/o/r/api")],
        ["what the Dockerfile copies cannot be told: ignore file: invalid pattern '[z-a]'"],
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_what_is_not_decided_is_a_comment_in_a_file_that_loads(case: str) -> None:
    parts, told = CHOICES[case]
    text = text_of(*parts)
    assert load(text)
    assert choices(text) == told


def test_many_that_are_left_over_are_counted() -> None:
    text = text_of(sources("api", *(f"tool{number}" for number in range(30))), manifests("ghcr.io/a/api"))
    assert choices(text)[-1] == "10 more of these are left out here"
    assert len(choices(text)) == 21


@pytest.mark.parametrize("files", [{}, {"README.md": ""}, manifests("ghcr.io/a/api"), sources("vendor/x")])
def test_without_a_service_there_is_nothing_to_write(files: Files) -> None:
    with pytest.raises(NotFoundError, match="no service was found"):
        text_of({**files})


@pytest.mark.parametrize(
    ("repository", "image"),
    [
        ("Acme/Shop", "ghcr.io/acme/shop/api"),
        ("shop", "ghcr.io/owner/shop/api"),
        ("Acme/my.Shop_1", "ghcr.io/acme/my.shop_1/api"),
        ("a/--odd--", "ghcr.io/a/odd/api"),
        ("größe", "ghcr.io/owner/gr-e/api"),
    ],
)
def test_images_that_nobody_names_are_the_repositorys(repository: str, image: str) -> None:
    assert str(load(text_of(sources("api"), origin=CloneNames(repository, "main"))).services[0].repository) == image


def test_the_file_is_laid_out_like_the_one_of_this_repository() -> None:
    images = manifests("ghcr.io/acme/shop/api", "ghcr.io/acme/shop/web")
    api = {"services/api/Dockerfile": "COPY services/api /\nCOPY proto /\n", "services/api/x": "", "proto/x": ""}
    assert (
        text_of(sources("web"), api, images)
        == f"""\
# yaml-language-server: $schema={SCHEMA}
# Which services this monorepo releases, what each is built from, and where its image tag is written.
image: ghcr.io/acme/shop/{{service}}
branch: main
manifests: k8s

services:
  api:
    dockerfile: services/api/Dockerfile
    paths: [services/api/**, proto/**]
  web:
    context: web
    dockerfile: web/Dockerfile
    paths: [web/**]
"""
    )


def test_a_long_list_has_a_line_for_each() -> None:
    names = [f"a-long-name-of-a-file-{number}.txt" for number in range(5)]
    text = text_of({"a/Dockerfile": f"COPY {' '.join(names)} /\n", **{f"a/{name}": "" for name in names}})
    assert text.endswith("    paths:\n" + "".join(f"      - a/{name}\n" for name in names))


@pytest.mark.parametrize(
    "name",
    [
        "on",
        "1.10",
        "012",
        "null",
        "a b",
        "a: b",
        "a #b",
        "größe",
        "a,b",
        "[x]",
        "*x",
        "!x",
        "'x'",
        '"x"',
        "{x}",
        "a\\b",
        "@x",
    ],
)
def test_odd_names_are_written_so_that_they_are_read_again(name: str) -> None:
    files = {f"{name}/Dockerfile": "COPY x /\n", f"{name}/x": "", f"{name}/y": ""}
    (service,) = load(text_of(files)).services
    assert (service.settings.context, service.settings.dockerfile) == (name, f"{name}/Dockerfile")
    assert service.paths.match(f"{name}/x".encode())
    assert not service.paths.match(f"{name}/y".encode())


@pytest.mark.parametrize("odd", ["\udcff", "\n", "\x1b", "\u202e"])
def test_a_name_that_cannot_be_written_is_matched_by_wildcards(odd: str) -> None:
    files = {"api/Dockerfile": "COPY *.txt /\nCOPY d /\n", "api/a.txt": "", f"api/d/x{odd}y": "", "api/z": ""}
    files |= {f"api{odd}/Dockerfile": COPY_ALL, f"k8s/{odd}.yaml": deployment("ghcr.io/a/api")}
    (service,) = load(text_of(files)).services
    assert service.paths.match(f"api/d/x{odd}y".encode("utf-8", "surrogateescape"))


def test_comments_are_one_line_whatever_is_in_a_name() -> None:
    files = {"api/Dockerfile": 'COPY ["a\\u202eb\\nc", "/"]\n', "api/x": ""}
    assert load(text_of(files, manifests("ghcr.io/a/api")))


# The workflow


def test_the_workflow_names_the_action_by_its_repository() -> None:
    text = adopted_workflow(SHIPPED.read_text(), "main", {"ghcr.io"})
    assert "$/" not in text
    assert text.count("uses: OWNER/orbit-release/.github/actions/orbit-release@main") == 3
    assert choices(text) == ["who holds orbit-release, and a commit of it that you trust instead of main, in all jobs"]
    changed = [line for line in text.splitlines() if line not in SHIPPED.read_text().splitlines()]
    assert len(changed) == 3


def test_the_workflow_is_for_the_release_branch() -> None:
    text = adopted_workflow(SHIPPED.read_text(), "release/1.0", {"ghcr.io"})
    assert 'branches: ["release/1.0"]' in text
    assert "github.ref != 'refs/heads/release/1.0'" in text
    assert [
        line for line in text.splitlines() if "main" in line.replace("orbit-release@main", "").partition("# choose")[0]
    ] == []


@pytest.mark.parametrize("branch", ["main-line", "release/main", "main", "on", "a.main"])
def test_a_branch_whose_name_holds_the_word_is_written_whole(branch: str) -> None:
    text = adopted_workflow(SHIPPED.read_text(), branch, {"ghcr.io"})
    assert ruamel.yaml.YAML(typ="safe").load(text)["on"]["push"]["branches"] == [branch]
    assert f"github.ref != 'refs/heads/{branch}'" in text
    assert f"Releases are made from {branch}: run" in text


@pytest.mark.parametrize("branch", ["a'b", 'a"b', "$(id)", "a`b", "größe", "a;b", "-x", "${{x}}"])
def test_a_branch_that_could_be_taken_for_something_else_is_refused(branch: str) -> None:
    with pytest.raises(InvalidError, match="cannot be written into a workflow"):
        adopted_workflow(SHIPPED.read_text(), branch, {"ghcr.io"})


@pytest.mark.parametrize(("hosts", "told"), [({"ghcr.io", "quay.io"}, "quay.io"), ({"docker.io"}, "Docker Hub")])
def test_another_registry_needs_a_login_of_its_own(hosts: set[str], told: str) -> None:
    text = adopted_workflow(SHIPPED.read_text(), "main", hosts)
    assert f"the images live at {told}: log in there, with credentials of its own" in choices(text)
    assert text.index("choose: the images") < text.index("registry: ghcr.io")


def test_the_rules_about_workflows_have_nothing_to_say() -> None:
    files = {**sources("api"), **manifests("ghcr.io/acme/shop/api")}
    services = load(text_of(files)).services
    files[PATH] = adopted_workflow(SHIPPED.read_text(), "main", {"ghcr.io"})
    assert list(check_workflows(services, tree_of(files), lambda _: ["api/main.go"])) == []
