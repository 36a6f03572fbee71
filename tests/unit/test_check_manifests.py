"""One fault in the references to images is one finding, at its line; what the tool can read and write is none."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

import pytest

from orbit_release import config
from orbit_release.check.configuration_file import ConfigurationFile, lines
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.manifest_rules import RULES, check_manifests, read_manifests
from orbit_release.check.wiring.rendered_groups import REFUSED_KUSTOMIZATION
from tests.shop import API, CONFIGURATION, KUSTOMIZATION, SHOP, WEB, changed, extended, line_of, tree

Files = dict[str, str]
IMAGE = "image: ghcr.io/acme/web:sha-1a2b3c4"
DIGEST = "sha256:" + "a" * 64


def findings(files: Mapping[str, str | bytes]) -> list[tuple[str, str, int]]:
    settings = files["orbit-release.yaml"]
    data = settings if isinstance(settings, bytes) else settings.encode()
    loaded = config.load(data, "orbit-release.yaml")
    file = ConfigurationFile("orbit-release.yaml", lines(data))
    there = tree(files)
    folders = [ManifestFolder(there, path) for path in loaded.manifests]
    found = check_manifests(read_manifests(there, loaded), folders, there, file, loaded)
    assert all(one.fix and one.message for one in found)
    return [(one.rule.name, one.path.removeprefix("k8s/"), one.line) for one in found]


def image(text: str) -> Files:
    """Return the shop with another image line in the web's workload."""
    return changed("web", IMAGE, text)


def kustomized(entry: str) -> Files:
    return {**SHOP, "k8s/kustomization.yaml": SHOP["k8s/kustomization.yaml"] + f"images:\n  - {entry}\n"}


def configured(service: str) -> Files:
    return {**SHOP, "orbit-release.yaml": CONFIGURATION + f"  {service}\n"}


def custom(spec: str) -> str:
    return f"apiVersion: acme.com/v1\nkind: Runner\nmetadata:\n  name: r\nspec:\n  {spec}\n"


def pod(text: str, kind: str = "Pod") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: p\nspec:\n  containers:\n    - {text}\n"


def also(rest: str, *documents: str) -> Files:
    """Return the shop with one more file, and more in its kustomization."""
    files = extended(*documents)
    return {**files, "k8s/kustomization.yaml": files["k8s/kustomization.yaml"] + rest}


def without_api(more: Files) -> Files:
    """Return the shop with other files, whose kustomization includes no API."""
    files = {**{path: text for path, text in SHOP.items() if path != "k8s/api.yaml"}, **more}
    files.pop("k8s/api.yaml") if "k8s/more.yaml" in more else None
    return {**files, "k8s/kustomization.yaml": files["k8s/kustomization.yaml"].replace("  - api.yaml\n", "")}


PLAIN = {path: text for path, text in SHOP.items() if path not in ("k8s/kustomization.yaml", "k8s/api.yaml")}
LISTED = CONFIGURATION.replace("manifests: k8s\n", "manifests:\n  - k8s\n  - gone\n")
FAULTS: dict[str, tuple[Files, str, str, str]] = {
    "service that nothing deploys": (
        configured("worker: {paths: [worker/**]}"),
        "undeployed-service",
        "orbit-release.yaml",
        "worker:",
    ),
    "service with an image of its own": (
        configured("mail: {paths: [mail/**], image: docker.io/acme/mail}"),
        "undeployed-service",
        "orbit-release.yaml",
        "mail:",
    ),
    "service whose name another one's begins with": (
        {**configured("web-two: {paths: [two/**]}")},
        "undeployed-service",
        "orbit-release.yaml",
        "web-two:",
    ),
    "service in a file that no kustomization includes": (
        without_api({"k8s/api.yaml": API}),
        "undeployed-service",
        "api.yaml",
        "ghcr.io/acme/api:latest",
    ),
    "service outside of the manifests": (
        without_api({"deploy/api.yaml": API}),
        "undeployed-service",
        "deploy/api.yaml",
        "ghcr.io/acme/api:latest",
    ),
    "service in a field that is no image's": (
        without_api(extended(custom("runs: ghcr.io/acme/api:sha-1a2b3c4"))),
        "undeployed-service",
        "more.yaml",
        "runs: ghcr.io/acme/api:sha-1a2b3c4",
    ),
    "service in a chart's template": (
        {**PLAIN, "k8s/c/Chart.yaml": "name: c\n", "k8s/c/templates/api.yaml": API},
        "undeployed-service",
        "c/templates/api.yaml",
        "ghcr.io/acme/api:latest",
    ),
    "nothing where a kustomization leads to": (
        {**SHOP, "k8s/kustomization.yaml": SHOP["k8s/kustomization.yaml"].replace("web.yaml", "wbe.yaml")},
        "refused-kustomization",
        "kustomization.yaml",
        "wbe.yaml",
    ),
    "key that no kustomization has": (
        also("bogus: 1\n"),
        "refused-kustomization",
        "kustomization.yaml",
        "bogus",
    ),
    "kustomization that is not YAML": (also("a: b: c\n"), "broken-manifest", "kustomization.yaml", "a: b: c"),
    "no manifests": ({**SHOP, "orbit-release.yaml": LISTED}, "manifests-path", "orbit-release.yaml", "- gone"),
    "manifests of others": (
        {**SHOP, "orbit-release.yaml": LISTED, "gone/x.yaml": pod("image: redis:7")},
        "manifests-path",
        "orbit-release.yaml",
        "- gone",
    ),
    "chart whose values name no service": (
        {
            "orbit-release.yaml": CONFIGURATION.replace("manifests: k8s", "manifests: c"),
            "c/Chart.yaml": "name: c\n",
            "c/values.yaml": "a: 1\n",
        },
        "manifests-path",
        "orbit-release.yaml",
        "manifests: c",
    ),
    "old tag in a value that is no image's": (
        changed("web", "value: postgres://user:5433@db:5432/shop", "value: ghcr.io/acme/web:sha-1a2b3c4"),
        "left-behind",
        "web.yaml",
        "value: ghcr.io/acme/web:sha-1a2b3c4",
    ),
    "entry for what cannot be seen": (
        {
            **without_api({}),
            "k8s/kustomization.yaml": KUSTOMIZATION.replace("api.yaml", "https://github.com/acme/base")
            + "images: [{name: ghcr.io/acme/api, newTag: latest}]\n",
        },
        "unseen-image",
        "kustomization.yaml",
        "ghcr.io/acme/api",
    ),
    "two overlays of one base": (
        {
            "orbit-release.yaml": CONFIGURATION,
            **{f"k8s/base/{name}.yaml": SHOP[f"k8s/{name}.yaml"] for name in ("web", "api")},
            "k8s/base/kustomization.yaml": "resources: [web.yaml, api.yaml]\n",
            "k8s/dev/kustomization.yaml": "resources: [../base]\n",
            "k8s/prod/kustomization.yaml": "resources: [../base]\n",
        },
        "two-environments",
        "orbit-release.yaml",
        "manifests: k8s",
    ),
    "image of no service": (extended(pod("image: ghcr.io/acme/worker:latest")), "unknown-image", "more.yaml", "image:"),
    "init container of no service": (
        changed(
            "web",
            "      containers:\n",
            "      initContainers:\n        - image: ghcr.io/acme/init\n      containers:\n",
        ),
        "unknown-image",
        "web.yaml",
        "ghcr.io/acme/init",
    ),
    "tag for an image of no service": (
        also("images: [{name: ghcr.io/acme/worker, newTag: v1}]\n", pod("image: ghcr.io/acme/worker")),
        "unknown-image",
        "kustomization.yaml",
        "worker",
    ),
    "new name of no service": (
        also("images: [{name: worker, newName: ghcr.io/acme/worker, newTag: v1}]\n", pod("image: worker")),
        "unknown-image",
        "kustomization.yaml",
        "worker",
    ),
    "pinned": (image("image: ghcr.io/acme/web:v1.2.3"), "pinned-tag", "web.yaml", "v1.2.3"),
    "pinned, with a comment": (image("image: ghcr.io/acme/web:v1 # for now"), "pinned-tag", "web.yaml", "v1"),
    "not quite a commit": (image("image: ghcr.io/acme/web:sha-XYZ"), "pinned-tag", "web.yaml", "sha-XYZ"),
    "pinned in a kustomization": (
        {**kustomized("{name: ghcr.io/acme/api, newTag: v1}")},
        "pinned-tag",
        "kustomization.yaml",
        "newTag: v1",
    ),
    "repeated key": (image(f"{IMAGE}\n          {IMAGE}"), "uneditable-image", "web.yaml", "image"),
    "template": (
        image("image: ghcr.io/acme/web:{{ .Values.tag }}\n          {{ end }}"),
        "broken-manifest",
        "web.yaml",
        "env:",
    ),
    "text that only one of two readers can read": (
        changed("web", "  name: web\n", "  name: web\n  annotations:\n    note: two\n     \t lines\n"),
        "uneditable-image",
        "web.yaml",
        IMAGE,
    ),
    "placeholder": (image("image: ghcr.io/acme/web:${TAG}"), "placeholder-tag", "web.yaml", "${TAG}"),
    "placeholder of make": (image("image: ghcr.io/acme/web:__TAG__$"), "placeholder-tag", "web.yaml", "__TAG__"),
    "placeholder in a kustomization": (
        kustomized("{name: ghcr.io/acme/api, newTag: $(TAG)}"),
        "placeholder-tag",
        "kustomization.yaml",
        "$(TAG)",
    ),
    "nested deeper than anybody reads": (
        {**PLAIN, "k8s/api.yaml": API, "k8s/more.yaml": "kind: x\napiVersion: x\na: " + "[" * 100_000},
        "broken-manifest",
        "more.yaml",
        "a: [",
    ),
    "named in a manifest that is not YAML": (
        {**SHOP, "k8s/web.yaml": WEB + "  - a: b: c\n"},
        "broken-manifest",
        "web.yaml",
        "a: b: c",
    ),
    "manifest that is not YAML": (
        {**extended(), "k8s/more.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: [\n  a: b: c\n"},
        "broken-manifest",
        "more.yaml",
        "a: b: c",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    files, rule, path, text = FAULTS[name]
    found = findings(files)
    assert [one[:2] for one in found] == [(rule, path)]
    assert text in line_of(files, path if path in files else f"k8s/{path}", found[0][2])


QUIET: dict[str, Mapping[str, str | bytes]] = {
    "the shop": SHOP,
    "latest": image("image: ghcr.io/acme/web:latest"),
    "no tag": image("image: ghcr.io/acme/web"),
    "digest": image(f"image: ghcr.io/acme/web@{DIGEST}"),
    "tag and digest": image(f"image: ghcr.io/acme/web:sha-1a2b3c4@{DIGEST}"),
    "quotes": image('image: "ghcr.io/acme/web:sha-1a2b3c4"'),
    "held": image("image: ghcr.io/acme/web:v1.2.3 # held: until Monday"),
    "held at another tag": {**extended(pod("image: ghcr.io/acme/web:sha-9999999 # held: canary"))},
    "let go of": image(f"{IMAGE} # held: no"),
    "two tags, of a canary": extended(pod("image: ghcr.io/acme/web:sha-9999999")),
    "a tag that is overridden": kustomized("{name: ghcr.io/acme/web, newTag: sha-9999999}"),
    "an entry for what nothing runs": kustomized("{name: ghcr.io/acme/worker, newTag: sha-9999999}"),
    "name that is replaced": also("images: [{name: ghcr.io/acme/base, newName: x}]\n", pod("image: ghcr.io/acme/base")),
    "only built": configured("worker: {paths: [worker/**], deploy: false}"),
    "manifests in two folders, one of them a file": {
        **PLAIN,
        "orbit-release.yaml": CONFIGURATION.replace("manifests: k8s", "manifests: [k8s, api/api.yaml]"),
        "api/api.yaml": API,
    },
    "one tag twice": extended(pod(IMAGE)),
    "tag of a kustomization": {
        **kustomized("{name: ghcr.io/acme/web, newTag: sha-9999999}"),
        "k8s/web.yaml": WEB.replace(":sha-1a2b3c4", ""),
    },
    "tag of a kustomization, latest": {
        **kustomized("{name: ghcr.io/acme/web, newTag: sha-9999999}"),
        "k8s/web.yaml": WEB.replace("sha-1a2b3c4", "latest"),
    },
    "service whose name begins with another one's": {
        **extended(pod("image: ghcr.io/acme/web-two:latest")),
        "orbit-release.yaml": CONFIGURATION + "  web-two: {paths: [two/**]}\n",
    },
    "another's image": extended(pod("image: docker.io/acme/worker:v1")),
    "another's image deeper": extended(pod("image: ghcr.io/acme/tools/worker:v1")),
    "prefix in the middle of a name": extended(pod("image: mirror.io/ghcr.io/acme/worker:v1")),
    "image in a text": extended(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {image: x, note: ghcr.io/acme/worker}\n"
    ),
    "template of another's": {**SHOP, "k8s/chart.yaml": "apiVersion: v1\nkind: {{ .Kind }}\n{{ if }}\n"},
    "template that nothing includes": {**SHOP, "k8s/t.yaml": "apiVersion: v1\nkind: X\nspec:\n- a\n$RULES\n"},
    "not a manifest": {**SHOP, "k8s/notes.yaml": "a: b: c\n"},
    "not text": {**SHOP, "k8s/logo.yaml": b"\xff\xfe\x00\x01"},
    "other files": {**SHOP, "k8s/README.md": "image: ghcr.io/acme/worker"},
    "other folders": {**SHOP, "charts/x.yaml": pod("image: ghcr.io/acme/worker:v1")},
    "bom": {**SHOP, "k8s/web.yaml": codecs.BOM_UTF8 + WEB.encode()},
    "utf-16": {**SHOP, "k8s/web.yaml": codecs.BOM_UTF16_LE + WEB.encode("utf-16-le")},
    "escapes": image(r'image: "\x67hcr.io/acme/web:sha-1a2b3c4"'),
    "carriage returns": {**SHOP, "k8s/web.yaml": WEB.replace("\n", "\r\n")},
    "json": {
        **{path: text for path, text in PLAIN.items() if path != "k8s/web.yaml"},
        "k8s/api.yaml": API,
        "k8s/web.json": '{"apiVersion": "v1", "kind": "Pod", "spec": {'
        '"containers": [{"image": "ghcr.io/acme/web:latest"}]}}',
    },
    "list": extended(
        "apiVersion: v1\nkind: List\nitems:\n"
        "  - apiVersion: v1\n    kind: Pod\n    metadata: {name: p}\n"
        '    spec: {containers: [{image: "ghcr.io/acme/api:latest"}]}\n'
    ),
    "definition": extended(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n", pod(IMAGE)
    ),
    "patch": {**SHOP, "k8s/patch.yaml": pod(IMAGE)},
    "empty": {**SHOP, "k8s/empty.yaml": ""},
}


@pytest.mark.parametrize("name", QUIET)
def test_what_can_be_released_is_no_finding(name: str) -> None:
    assert findings(QUIET[name]) == []


def test_every_rule_is_broken_by_a_fault() -> None:
    of_the_reader = {"two-environments", "left-behind"}
    assert {rule.name for rule in (*RULES, REFUSED_KUSTOMIZATION)} == {
        rule for _, rule, *_ in FAULTS.values()
    } | of_the_reader


@pytest.mark.parametrize("reference", ["ghcr.io/acme/api:latest", "ghcr.io/acme/web:sha-1a2b3c4"])
def test_a_release_that_nothing_could_render_any_more(reference: str) -> None:
    operation = f"{{op: test, path: /spec/template/spec/containers/0/image, value: '{reference}'}}"
    name = reference.rpartition("/")[2].partition(":")[0]
    patch = f"patches:\n- target: {{kind: Deployment, name: {name}}}\n  patch: |\n    - {operation}\n"
    assert {rule for rule, *_ in findings(also(patch))} == {"uneditable-image", "left-behind"}
    assert findings(also(patch.replace("op: test", "op: replace"))) == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (FAULTS["service in a file that no kustomization includes"][0], ("no kustomization includes", "`resources`")),
        (FAULTS["service outside of the manifests"][0], ("not below `manifests:`", "add deploy to")),
        (FAULTS["service in a field that is no image's"][0], ("no image is known", "`fields:`")),
        (FAULTS["service in a chart's template"][0], ("part of a chart", "values")),
        (FAULTS["service that nothing deploys"][0], ("by nothing at k8s", "`deploy: false`")),
    ],
)
def test_where_a_service_stands_says_what_to_do(files: Files, words: tuple[str, str]) -> None:
    loaded, there = config.load(files["orbit-release.yaml"].encode(), ""), tree(files)
    file, folders = ConfigurationFile("orbit-release.yaml", {}), [ManifestFolder(there, "k8s")]
    (finding,) = check_manifests(read_manifests(there, loaded), folders, there, file, loaded)
    assert words[0] in finding.message
    assert words[1] in finding.fix


def test_lines_behind_a_definition_are_counted() -> None:
    definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    definition += "metadata: {name: x}\nspec: {versions: []}\n"
    files = extended(definition, pod("image: ghcr.io/acme/worker:latest"))
    assert findings(files) == [("unknown-image", "more.yaml", 12)]


def test_without_a_template_no_image_is_unknown() -> None:
    own = "manifests: k8s\nservices:\n  web: {paths: [web/**], image: ghcr.io/acme/web}\n"
    assert findings({**SHOP, "orbit-release.yaml": own}) == []
