"""What a kustomization renders, and where each image's parts are written."""

from __future__ import annotations

from time import process_time

import pytest

from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.kustomize.layers import RenderedEntry, RenderedObject, render
from orbit_release.manifests.object_images import FieldSpec

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: acme/web:base
      - name: sidecar
        image: acme/sidecar:1
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: acme/web:patched
"""
BASE = {"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": WEB}
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SPEC = "/spec/template/spec/containers"


def rendered(files: dict[str, str], path: str = "kustomization.yaml", *specs: FieldSpec) -> RenderedEntry:
    return render(path, Files(list(files), lambda path: files[path].encode() if path in files else None), specs)


def overlaid(overlay: str, **files: str) -> RenderedEntry:
    """Render an overlay of the base; `files` lie beside it."""
    more = {f"{name}.yaml": text for name, text in files.items()}
    return rendered({**BASE, "kustomization.yaml": f"resources: [base]\n{overlay}", **more})


def only(entry: RenderedEntry) -> RenderedObject:
    assert entry.faults == {}
    (found,) = entry.objects
    return found


def image(entry: RenderedEntry, name: str = "acme/web") -> ImageValue:
    return next(value for _, value in only(entry).images if value.name == name)


def places(value: ImageValue) -> tuple[str, str]:
    return tuple(part.at.where if part else "" for part in (value.tag_at, value.digest_at))  # type: ignore[return-value]


def said(entry: RenderedEntry) -> list[str]:
    return [str(error) for error in entry.faults.values()]


# The right values are those that `kubectl kustomize` renders.
@pytest.mark.parametrize(
    ("reference", "entry", "text", "tag_at", "digest_at"),
    [
        ("acme/web:1", "newTag: '2'", "acme/web:2", "images", ""),
        ("acme/web", "newTag: '2'", "acme/web:2", "images", ""),
        (f"acme/web@{DIGEST}", "newTag: '2'", "acme/web:2", "images", ""),
        (f"acme/web:1@{DIGEST}", "newTag: '2'", "acme/web:2", "images", ""),
        ("acme/web:1", f"digest: {DIGEST}", f"acme/web@{DIGEST}", "", "images"),
        ("acme/web:1", f"newTag: '2', digest: {DIGEST}", f"acme/web:2@{DIGEST}", "images", "images"),
        ("acme/web:1", f"newTag: '2@{DIGEST}'", f"acme/web:2@{DIGEST}", "images", "images"),
        ("acme/web:1", "newName: acme/new", "acme/new:1", "pod", ""),
        ("acme/web", "newName: acme/new", "acme/new", "pod", ""),
        (f"acme/web@{DIGEST}", "newName: acme/new", f"acme/new@{DIGEST}", "pod", "pod"),
        ("acme/web", "newName: 'acme/new:3'", "acme/new:3", "images", ""),
        (f"acme/web@{DIGEST}", "newName: 'acme/new:3'", f"acme/new:3@{DIGEST}", "images", "pod"),
        ("acme/web:1", f"newName: 'acme/new:3', digest: {DIGEST}", f"acme/new:3@{DIGEST}", "images", "images"),
        ("acme/web:1", "newName: acme/new, newTag: '2'", "acme/new:2", "images", ""),
        ("acme/web:1", "newTag: ''", "acme/web:1", "pod", ""),
        ("acme/web:1", "newTag: null", "acme/web:1", "pod", ""),
        ("acme/web:1", "newTag: 2026-01-01", "acme/web:2026-01-01", "images", ""),
        ("acme/web-proxy:1", "newTag: '2'", "acme/web-proxy:1", "pod", ""),
        ("host:5000/acme/web:1", "newTag: '2'", "host:5000/acme/web:1", "pod", ""),
    ],
)
def test_an_entry_of_images_decides(reference: str, entry: str, text: str, tag_at: str, digest_at: str) -> None:
    pod = (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{name: a, image: '{reference}'}}]}}\n"
    )
    files = {"kustomization.yaml": f"resources: [p.yaml]\nimages: [{{name: acme/web, {entry}}}]\n", "p.yaml": pod}
    (value,) = (value for _, value in only(rendered(files)).images)
    assert (value.text, value.unclear) == (text, ())
    where = {"images": "kustomization.yaml:2", "pod": "p.yaml:4", "": ""}
    assert places(value) == (where[tag_at], where[digest_at])


def test_an_entry_that_names_a_tag_takes_the_digest_away() -> None:
    files = {**BASE, "base/web.yaml": WEB.replace("acme/web:base", f"acme/web:base@{DIGEST}")}
    overlay = "resources: [base]\nimages: [{name: 'acme/web:base', newTag: '2'}]\n"
    value = image(rendered({**files, "kustomization.yaml": overlay}))
    assert (value.text, places(value)) == ("acme/web:2", ("base/web.yaml:11", "base/web.yaml:11"))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("name: acme/web, newName: 'acme/new:3'", "another stands beside it"),
        ("name: acme/web, newName: 'acme/new:3', newTag: '2'", "another stands beside it"),
        ("name: 'acme/web:base', newName: acme/new, newTag: '2'", "holds a tag"),
        ("name: acme/web, tagSuffix: -x", "tagSuffix"),
        (f"name: acme/web, newTag: '2@{DIGEST}', digest: {OTHER}", "two digests"),
        ("name: 'acme/.*', newTag: '2'", "pattern"),
        ("name: 'x|acme/web', newTag: '2'", "pattern"),
        ("name: 'acme/webx?', newTag: '2'", "pattern"),
    ],
)
def test_what_cannot_be_told_is_unclear(entry: str, why: str) -> None:
    value = next(value for _, value in only(overlaid(f"images: [{{{entry}}}]\n")).images)
    assert why in " ".join(value.unclear)
    assert value.unclear[0].startswith("kustomization.yaml:2: ")


@pytest.mark.parametrize("tag", ["1.10", "12", "on", "y", "1e3", "0x1f", "1_000", "true", ".5", "012"])
def test_a_tag_that_is_no_text_is_refused(tag: str) -> None:
    assert said(overlaid(f"images: [{{name: acme/web, newTag: {tag}}}]\n")) == [
        "kustomization.yaml:2: newTag must be text"
    ]


def test_the_outermost_layer_decides_and_the_inner_ones_are_overridden() -> None:
    files = {
        **BASE,
        "mid/kustomization.yaml": "resources: [../base]\nimages: [{name: acme/web, newTag: mid}]\n",
        "kustomization.yaml": "resources: [mid]\nimages: [{name: acme/web, newTag: top}]\n",
    }
    value = image(rendered(files))
    assert value.text == "acme/web:top"
    assert [at.where for at in value.scalars] == ["kustomization.yaml:2", "kustomization.yaml:2"]
    assert [at.where for at in value.overridden] == [
        "base/web.yaml:11",
        "mid/kustomization.yaml:2",
        "mid/kustomization.yaml:2",
    ]


def test_a_name_in_one_layer_and_the_tag_in_another() -> None:
    files = {
        **BASE,
        "mid/kustomization.yaml": "resources: [../base]\nimages: [{name: acme/web, newName: ghcr.io/acme/web}]\n",
        "kustomization.yaml": "resources: [mid]\nimages: [{name: ghcr.io/acme/web, newTag: top}]\n",
    }
    value = image(rendered(files), "ghcr.io/acme/web")
    assert (value.text, places(value)) == ("ghcr.io/acme/web:top", ("kustomization.yaml:2", ""))


def test_a_later_entry_matches_what_an_earlier_one_renamed_and_an_earlier_one_does_not() -> None:
    value = image(
        overlaid("images: [{name: b, newTag: '9'}, {name: acme/web, newName: b}, {name: b, newTag: '2'}]\n"), "b"
    )
    assert value.text == "b:2"


def test_a_component_works_on_what_is_there_so_far() -> None:
    files = {
        **BASE,
        "more/kustomization.yaml": f"{COMPONENT}images: [{{name: acme/web, newTag: more}}]\n",
        "kustomization.yaml": "resources: [base]\ncomponents: [more]\nimages: [{name: acme/sidecar, newTag: '2'}]\n",
    }
    entry = rendered(files)
    assert places(image(entry)) == ("more/kustomization.yaml:3", "")
    assert image(entry, "acme/sidecar").text == "acme/sidecar:2"
    assert entry.includes == {"kustomization.yaml": ("base/kustomization.yaml", "more/kustomization.yaml")}


@pytest.mark.parametrize(
    ("patches", "line"),
    [
        ("patches: [{path: p.yaml}]", "p.yaml:9"),
        ("patches: [{path: p.yaml, target: {kind: Deployment}}]", "p.yaml:9"),
        ("patchesStrategicMerge: [p.yaml]", "p.yaml:9"),
        ("patches:\n- patch: |\n" + "".join(f"    {line}\n" for line in PATCH.splitlines()), "kustomization.yaml:12"),
    ],
)
def test_a_merge_patch_decides(patches: str, line: str) -> None:
    entry = overlaid(patches + "\n", p=PATCH)
    assert (image(entry).text, places(image(entry))) == ("acme/web:patched", (line, ""))
    assert [value.text for value in only(entry).replaced] == ["acme/web:base"]
    assert image(entry, "acme/sidecar").text == "acme/sidecar:1"


def test_images_of_the_same_layer_come_after_its_patches() -> None:
    entry = overlaid("patches: [{path: p.yaml}]\nimages: [{name: acme/web, newTag: top}]\n", p=PATCH)
    assert image(entry).text == "acme/web:top"


@pytest.mark.parametrize(
    ("item", "images"),
    [
        ("{name: web, $patch: delete}", ["acme/sidecar:1"]),
        ("{name: new, image: 'acme/new:1'}", ["acme/new:1", "acme/web:base", "acme/sidecar:1"]),
        ("{name: sidecar, image: 'acme/sidecar:2'}", ["acme/sidecar:2", "acme/web:base"]),
        ("{name: web, image: null}", ["acme/sidecar:1"]),
        ("{name: web, $patch: replace, image: 'acme/web:2'}", ["acme/web:base", "acme/sidecar:1"]),
        ("{$patch: replace}, {name: web, image: 'acme/web:2'}", ["acme/web:2"]),
        ("{$patch: delete}", []),
    ],
)
def test_lists_are_merged_by_name(item: str, images: list[str]) -> None:
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    patch = f"{head}spec: {{template: {{spec: {{containers: [{item}]}}}}}}\n"
    assert [value.text for _, value in only(overlaid("patches: [{path: p.yaml}]\n", p=patch)).images] == images


def test_lists_of_unknown_kinds_are_replaced() -> None:
    files = {
        "kustomization.yaml": "resources: [web.yaml]\npatches: [{path: p.yaml}]\n",
        "web.yaml": WEB.replace("apps/v1", "apps.kruise.io/v1alpha1").replace("Deployment", "CloneSet"),
        "p.yaml": PATCH.replace("apps/v1", "apps.kruise.io/v1alpha1").replace("Deployment", "CloneSet"),
    }
    entry = rendered(files)
    assert [value.text for _, value in only(entry).images] == ["acme/web:patched"]
    assert [value.text for value in only(entry).replaced] == ["acme/web:base", "acme/sidecar:1"]


@pytest.mark.parametrize(
    ("operation", "images"),
    [
        (f"op: replace, path: {SPEC}/0/image, value: 'acme/web:2'", ["acme/web:2", "acme/sidecar:1"]),
        (f"op: add, path: {SPEC}/-, value: {{name: new, image: new}}", ["acme/web:base", "acme/sidecar:1", "new"]),
        (f"op: add, path: {SPEC}/0, value: {{name: new, image: new}}", ["new", "acme/web:base", "acme/sidecar:1"]),
        (f"op: remove, path: {SPEC}/0", ["acme/sidecar:1"]),
        (f"op: move, from: {SPEC}/0, path: {SPEC}/1", ["acme/sidecar:1", "acme/web:base"]),
        (f"op: copy, from: {SPEC}/0/image, path: {SPEC}/1/image", ["acme/web:base", "acme/web:base"]),
        (f"op: test, path: {SPEC}/0/name, value: web", ["acme/web:base", "acme/sidecar:1"]),
        ("op: add, path: /metadata/annotations, value: {a/b: c}", ["acme/web:base", "acme/sidecar:1"]),
    ],
)
def test_a_json_patch_decides(operation: str, images: list[str]) -> None:
    patch = f'patches: [{{target: {{kind: Deployment}}, patch: "- {{{operation}}}"}}]\n'
    assert [value.text for _, value in only(overlaid(patch)).images] == images


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (f"op: replace, path: {SPEC}/7/image, value: x", "there is no item 7"),
        ("op: replace, path: /spec/nothing/image, value: x", "there is no 'nothing'"),
        ("op: remove, path: /spec/nothing", "there is no 'nothing'"),
        (f"op: test, path: {SPEC}/0/name, value: api", "the test fails"),
        ("op: change, path: /a", "no operation"),
    ],
)
def test_a_json_patch_that_does_not_apply_is_a_fault(operation: str, why: str) -> None:
    (fault,) = said(overlaid(f'patches: [{{target: {{kind: Deployment}}, patch: "- {{{operation}}}"}}]\n'))
    assert fault.startswith("kustomization.yaml:2: ")
    assert why in fault


@pytest.mark.parametrize(
    ("target", "is_selected"),
    [
        ("name: web", True),
        ("name: w.*", True),
        ("name: we", False),
        ("name: web|api", True),
        ("name: pre-web", True),
        ("group: apps, version: v1, kind: Deploy.*", True),
        ("group: batch", False),
        ("kind: Pod", False),
        ("namespace: shop", True),
        ("namespace: default", True),
        ("namespace: other", False),
        ("labelSelector: app=web", True),
        ("labelSelector: 'app in (web, api),!team'", True),
        ("labelSelector: 'tier=back'", True),
        ("labelSelector: app!=web", False),
        ("annotationSelector: owner=me", True),
        ("annotationSelector: owner", True),
    ],
)
def test_a_target_selects_by_what_an_object_is_and_was(target: str, is_selected: bool) -> None:  # noqa: FBT001
    patch = f"op: replace, path: {SPEC}/0/image, value: 'acme/web:2'"
    inner = "namePrefix: pre-\nnamespace: shop\nlabels: [{pairs: {tier: back}}]\ncommonAnnotations: {owner: me}\n"
    files = {
        **BASE,
        "mid/kustomization.yaml": f"resources: [../base]\n{inner}",
        "kustomization.yaml": f'resources: [mid]\npatches: [{{target: {{{target}}}, patch: "- {{{patch}}}"}}]\n',
    }
    assert image(rendered(files)).text == ("acme/web:2" if is_selected else "acme/web:base")


@pytest.mark.parametrize("target", ["name: '(w+)+eb'", "labelSelector: 'app ~ x'", "name: '['"])
def test_a_target_that_cannot_be_read_makes_images_unclear(target: str) -> None:
    patch = f"op: replace, path: {SPEC}/0/image, value: 'acme/web:2'"
    value = image(overlaid(f'patches: [{{target: {{{target}}}, patch: "- {{{patch}}}"}}]\n'))
    assert value.unclear == ("kustomization.yaml:2: cannot tell what this patch selects",)


def test_names_namespaces_and_replicas_are_those_that_are_rendered() -> None:
    files = {
        **BASE,
        "mid/kustomization.yaml": "resources: [../base]\nnamePrefix: a-\nnameSuffix: -z\nnamespace: shop\n",
        "kustomization.yaml": "resources: [mid]\nreplicas: [{name: web, count: 0}]\npatches: [{path: p.yaml}]\n",
        "p.yaml": PATCH,
    }
    (found,) = rendered(files).objects
    assert (found.name, found.namespace, found.is_idle, found.origin) == ("a-web-z", "shop", True, ("base/web.yaml", 0))
    assert found.images[0][1].text == "acme/web:patched"


def test_one_object_in_two_overlays_has_one_origin() -> None:
    files = {
        **BASE,
        "a/kustomization.yaml": "resources: [../base]\nnamePrefix: a-\nimages: [{name: acme/web, newTag: a}]\n",
        "b/kustomization.yaml": "resources: [../base]\nnamePrefix: b-\n",
        "kustomization.yaml": "resources: [a, b]\n",
    }
    entry = rendered(files)
    assert [found.origin for found in entry.objects] == [("base/web.yaml", 0)] * 2
    assert [found.images[0][1].text for found in entry.objects] == ["acme/web:a", "acme/web:base"]


def test_a_transformer_in_a_file_decides_also_in_fields_that_it_names() -> None:
    transformer = (
        "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: t}\n"
        "imageTag: {name: acme/web, newTag: t}\nfieldSpecs: [{path: spec/engine/image, kind: Engine}]\n"
    )
    engine = "apiVersion: acme/v1\nkind: Engine\nmetadata: {name: e}\nspec: {engine: {image: 'acme/web:1'}}\n"
    files = {
        "kustomization.yaml": "resources: [web.yaml, e.yaml]\ntransformers: [t.yaml]\n",
        "web.yaml": WEB,
        "e.yaml": engine,
        "t.yaml": transformer,
    }
    web, other = rendered(files, "kustomization.yaml", FieldSpec("Engine", "spec/engine/image")).objects
    assert [places(found.images[0][1])[0] for found in (web, other)] == ["t.yaml:4", "t.yaml:4"]


def test_a_field_of_ours_is_changed_only_where_kustomize_is_told_of_it() -> None:
    engine = "apiVersion: acme/v1\nkind: Engine\nmetadata: {name: e}\nspec: {engine: {image: 'acme/web:1'}}\n"
    files = {"kustomization.yaml": "resources: [e.yaml]\nimages: [{name: acme/web, newTag: '2'}]\n", "e.yaml": engine}
    spec = FieldSpec("Engine", "spec/engine/image")
    assert only(rendered(files, "kustomization.yaml", spec)).images[0][1].text == "acme/web:1"
    files["kustomization.yaml"] += "configurations: [c.yaml]\n"
    files["c.yaml"] = "images: [{kind: Engine, path: spec/engine/image}]\n"
    assert only(rendered(files)).images[0][1].text == "acme/web:2"


def test_an_image_of_a_volume_is_unclear_where_an_entry_names_it() -> None:
    volume = "      volumes: [{name: v, image: {reference: 'acme/data:1'}}]\n"
    files = {**BASE, "base/web.yaml": WEB + volume}
    files["kustomization.yaml"] = "resources: [base]\nimages: [{name: acme/data, newTag: '2'}]\n"
    assert "newer versions" in image(rendered(files), "acme/data").unclear[0]
    assert image(rendered(files)).unclear == ()


@pytest.mark.parametrize(
    ("path", "is_written"),
    [
        ("spec.template.spec.containers.[name=web].image", True),
        ("spec.template.spec.containers.0.image", True),
        ("spec.template.spec.containers.*.image", True),
        ("spec.template.spec", True),
        ("spec.template.spec.containers.[name=w].image", True),
        ("spec.template.spec.containers.[name=(we)?b].image", True),
        ("spec.template.spec.containers.[name=sidecar].image", False),
        ("metadata.annotations.x", False),
    ],
)
def test_an_image_that_a_replacement_writes_is_unclear(path: str, is_written: bool) -> None:  # noqa: FBT001
    replacement = f"{{source: {{kind: X}}, targets: [{{select: {{kind: Deployment}}, fieldPaths: ['{path}']}}]}}"
    value = image(overlaid(f"replacements: [{replacement}]\n"))
    assert bool(value.unclear) == is_written


@pytest.mark.parametrize(
    ("source", "path", "options", "is_seen"),
    [
        ("{kind: Pod, fieldPath: spec}", "spec.template.spec", "{}", False),
        ("{kind: Po., fieldPath: spec}", "spec.template.spec", "{create: true}", False),
        ("{kind: Pod, fieldPath: 'spec.containers.[name=app]'}", "spec.template.spec.containers.0", "{}", False),
        ("{kind: Pod, fieldPath: spec.containers.0.image}", "spec.template.spec.containers.0.image", "{}", True),
        ("{kind: Pod}", "spec.template.spec.containers.[name=new].image", "{create: true}", False),
        ("{kind: Pod}", "spec.template.spec.containers.[name=web].image", "{create: true}", True),
        ("{kind: Pod}", "spec.replicas", "{create: true}", True),
        ("{kind: Pod, fieldPath: metadata}", "metadata.annotations", "{create: true}", True),
    ],
)
def test_images_that_a_replacement_brings_are_not_seen(
    source: str,
    path: str,
    options: str,
    is_seen: bool,  # noqa: FBT001
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {config.kubernetes.io/local-config: 'true'}}\n"
    pod += "spec: {containers: [{name: app, image: 'acme/web:1'}]}\n"
    target = f"{{select: {{kind: Deployment}}, fieldPaths: ['{path}'], options: {options}}}"
    replacement = f"replacements: [{{source: {source}, targets: [{target}]}}]\n"
    files = {**BASE, "pod.yaml": pod, "kustomization.yaml": f"resources: [base, pod.yaml]\n{replacement}"}
    entry = rendered(files)
    assert entry.faults == {}
    assert bool(entry.unseen) != is_seen


def test_an_image_that_another_layer_gives_a_name_with_a_tag_must_stay_without_one() -> None:
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": WEB.replace("acme/web:base", "web"),
        "a/kustomization.yaml": "resources: [../base]\nnamePrefix: a-\nimages: [{name: web, newName: acme/web}]\n",
        "b/kustomization.yaml": "resources: [../base]\nnamePrefix: b-\nimages: [{name: web, newName: 'acme/web:1'}]\n",
        "kustomization.yaml": "resources: [a, b]\n",
    }
    why = "b/kustomization.yaml:3: newName holds a tag, and a release would add another one to acme/web"
    assert [obj.images[0][1].unclear for obj in rendered(files).objects] == [(why,), ()]
    assert [obj.images[0][1].unclear for obj in rendered(files, "b/kustomization.yaml").objects] == [()]


def test_an_image_with_a_var_is_unclear() -> None:
    files = {**BASE, "base/web.yaml": WEB.replace("web:base", "web:$(TAG)")}
    files["kustomization.yaml"] = "resources: [base]\nvars: [{name: TAG, objref: {kind: X}}]\n"
    assert image(rendered(files)).unclear == ("kustomization.yaml:2: vars may write this image",)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"kustomization.yaml": "resources: [gone.yaml]\n"}, "kustomization.yaml:1: there is no file"),
        ({"kustomization.yaml": "resources: [../x]\n"}, "kustomization.yaml:1: ../x is outside of the repository"),
        ({"kustomization.yaml": "patches: [{path: p.yaml}]\n"}, "kustomization.yaml:1: there is no file"),
        ({"kustomization.yaml": "unheardOf: [1]\n"}, "kustomization.yaml:1: unknown field"),
        ({"kustomization.yaml": "kind: Kustomization\n"}, "kustomization.yaml: the kustomization is empty"),
        ({"kustomization.yaml": ""}, "kustomization.yaml: the kustomization is empty"),
        ({"kustomization.yaml": "resources: base\n"}, "kustomization.yaml:1: resources must be a list"),
        ({"kustomization.yaml": "resources: [base]\nresources: [base]\n"}, "kustomization.yaml:2: repeated key"),
        ({"kustomization.yaml": "resources: [base]\nconfigurations: [../c.yaml]\n"}, "../c.yaml is outside"),
        ({"kustomization.yaml": "components: [base]\n"}, "base/kustomization.yaml:1: a Component belongs in"),
        ({"kustomization.yaml": "resources: [a]\n", "a/kustomization.yaml": "resources: [../b]\n",
          "b/kustomization.yaml": "resources: [../a]\n"}, "b/kustomization.yaml:1: ../a includes itself"),
        ({"kustomization.yaml": "resources: [base]\n", "base/Kustomization": ""}, "two kustomizations"),
        ({"kustomization.yaml": "resources: [base, base]\n"}, "Deployment web is there twice"),
        ({"kustomization.yaml": "resources: [base]\n", "kustomization.yml": ""}, "two kustomizations"),
        ({"kustomization.yaml": "patches: [{patch: '[a]', target: {}}]\n"}, "kustomization.yaml:1: not valid JSON"),
        ({"a/kustomization.yaml": "resources: [../base/web.yaml]\n", "kustomization.yaml": "resources: [a]\n"},
         "a/kustomization.yaml:1: ../base/web.yaml lies outside of the folder"),
    ],
)  # fmt: skip
def test_what_kustomize_refuses_is_a_fault(files: dict[str, str], fault: str) -> None:
    assert fault in "\n".join(said(rendered({**BASE, **files})))


def test_a_file_outside_of_the_folder_is_a_fault_and_is_read_all_the_same() -> None:
    files = {**BASE, "a/kustomization.yaml": "resources: [../base/web.yaml]\n"}
    entry = rendered(files, "a/kustomization.yaml")
    assert list(entry.faults) == ["a/kustomization.yaml"]
    assert [obj.origin for obj in entry.objects] == [("base/web.yaml", 0)]


def test_a_patch_without_an_object_is_a_fault() -> None:
    (fault,) = said(overlaid("patches: [{path: p.yaml}]\n", p=PATCH.replace("name: web}", "name: api}")))
    assert fault == "p.yaml:1: there is no Deployment api (apps/v1) to patch"


def test_a_bad_file_stops_no_other() -> None:
    files = {**BASE, "bad.yaml": "<<<<<<< ours\n", "kustomization.yaml": "resources: [base, bad.yaml]\n"}
    entry = rendered(files)
    assert list(entry.faults) == ["bad.yaml"]
    assert [found.name for found in entry.objects] == ["web"]


def test_a_repeated_key_makes_an_image_unclear() -> None:
    files = {
        **BASE,
        "base/web.yaml": WEB.replace("image: acme/web:base", "image: acme/web:base\n        image: acme/web:2"),
    }
    values = [value for _, value in only(rendered(files, "base/kustomization.yaml")).images]
    why = "base/web.yaml:12: repeated key 'image': readers disagree which one counts"
    assert [value.unclear for value in values][:2] == [(why,)] * 2


def test_anchors_and_merge_keys_are_filled_in() -> None:
    pod = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    spec:\n      containers:\n"
        "      - &a {name: a, image: &i 'acme/web:1'}\n      - {name: b, image: *i}\n      - {<<: *a, name: c}\n"
    )
    patch = PATCH.replace("name: web}", "name: x}").replace("- name: web", "- name: b")
    kustomization = "resources: [p.yaml]\npatches: [{path: q.yaml}]\nimages: [{name: acme/web, newName: new}]\n"
    values = only(rendered({"kustomization.yaml": kustomization, "p.yaml": pod, "q.yaml": patch})).images
    assert [(value.text, places(value)[0]) for _, value in values] == [
        ("new:patched", "q.yaml:9"),
        ("new:1", "p.yaml:8"),
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("resources: [base, 'https://example.com/x.yaml']", "https://example.com/x.yaml is not in this repository"),
        ("resources: [base, 'github.com/acme/x?ref=v1']", "github.com/acme/x?ref=v1 is not in this repository"),
        ("resources: [base]\ngenerators: [g.yaml]", "what a generator makes cannot be seen here"),
        (
            "resources: [base]\nhelmCharts: [{name: x, valuesFile: v.yaml}]",
            "what the chart x makes cannot be seen here",
        ),
    ],
)
def test_what_cannot_be_seen_is_told(line: str, what: str) -> None:
    entry = rendered({**BASE, "kustomization.yaml": f"{line}\n", "v.yaml": "image: {tag: x}\n"})
    assert len(entry.unseen) == 1
    assert entry.unseen[0].startswith("kustomization.yaml:")
    assert entry.unseen[0].endswith(what)
    assert image(entry).unclear == ()


def test_a_plugin_may_change_every_image() -> None:
    entry = overlaid("transformers: [t.yaml]\n", t="apiVersion: acme/v1\nkind: Magic\nmetadata: {name: m}\n")
    assert entry.unseen == image(entry).unclear == ("t.yaml:1: Magic is a plugin: what it does cannot be seen here",)


def test_values_of_charts_and_all_files_are_named() -> None:
    lines = "helmCharts: [{name: x, valuesFile: v.yaml, valuesInline: {image: {tag: x}}}]\n"
    lines += "configMapGenerator: [{files: [a=c.yaml]}]\n"
    entry = overlaid(lines, v="{}\n", c="{}\n")
    assert entry.values[0].files == ("v.yaml",)
    assert len(entry.values[0].inline) == 1
    assert entry.files == {"kustomization.yaml", "base/kustomization.yaml", "base/web.yaml", "v.yaml", "c.yaml"}


def test_generated_config_maps_may_be_patched_and_merged() -> None:
    files = {
        "base/kustomization.yaml": "namespace: shop\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n",
        "kustomization.yaml": "resources: [base]\nnamespace: prod\npatches: [{path: p.yaml}]\n"
        "configMapGenerator: [{name: made, behavior: merge, literals: [a=c]}]\n",
        "p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {a: d}\n",
    }
    entry = rendered(files)
    assert (entry.objects, entry.faults, entry.unseen) == ((), {}, ())


def test_a_patch_of_what_cannot_be_seen_is_no_fault() -> None:
    entry = overlaid("helmCharts: [{name: x}]\npatches: [{path: p.yaml}]\n", p=PATCH.replace("name: web}", "name: x}"))
    assert image(entry).text == "acme/web:base"


def test_a_component_is_an_entry_of_its_own_as_well() -> None:
    files = {"kustomization.yaml": f"{COMPONENT}resources: [w.yaml]\nimages: [{{name: acme/web, newTag: c}}]\n"}
    assert image(rendered({**files, "w.yaml": WEB})).text == "acme/web:c"


def test_annotations_are_there_for_json_patches() -> None:
    patch = "op: add, path: /metadata/annotations/a~1b, value: c"
    assert image(overlaid(f'patches: [{{target: {{kind: Deployment}}, patch: "- {{{patch}}}"}}]\n'))


def test_a_patch_may_take_away_what_layers_added() -> None:
    inner = "commonAnnotations: {owner: me}\nlabels: [{pairs: {tier: back}}]\n"
    away = "- {op: replace, path: /metadata/annotations, value: {a: b}}"
    image_patch = f"- {{op: replace, path: {SPEC}/0/image, value: 'acme/web:2'}}"
    files = {
        **BASE,
        "mid/kustomization.yaml": f"resources: [../base]\n{inner}",
        "kustomization.yaml": f'resources: [mid]\npatches:\n- {{target: {{kind: Deployment}}, patch: "{away}"}}\n'
        f'- {{target: {{annotationSelector: owner=me}}, patch: "{image_patch}"}}\n',
    }
    assert image(rendered(files)).text == "acme/web:base"


def test_an_empty_generator_and_an_emptied_object_are_faults() -> None:
    assert said(overlaid("configMapGenerator: [{}]\n"))
    keys = ("spec", "metadata", "kind", "apiVersion")
    operations = ", ".join(f'{{"op": "remove", "path": "/{key}"}}' for key in keys)
    more = '{"op": "add", "path": "/x", "value": 1}'
    assert said(overlaid(f"patches: [{{target: {{kind: Deployment}}, patch: '[{operations}, {more}]'}}]\n"))


def test_entries_that_match_nothing_are_told() -> None:
    entry = overlaid("images: [{name: acme/web, newTag: '2'}, {name: gone, newName: acme/gone, newTag: '3'}]\n")
    assert [value.text for value in entry.unused] == ["acme/gone:3"]


def test_an_object_that_a_patch_deletes_is_not_there() -> None:
    entry = overlaid("patches: [{path: p.yaml}]\n", p=PATCH.replace("spec:", "$patch: delete\nspec:", 1))
    assert entry.objects == ()


def test_objects_for_tools_alone_are_not_there() -> None:
    note = "metadata:\n  annotations: {config.kubernetes.io/local-config: 'true'}"
    files = {**BASE, "base/web.yaml": WEB.replace("metadata:", note, 1)}
    assert rendered(files, "base/kustomization.yaml").objects == ()


def test_deep_and_wide_trees_end_in_an_answer() -> None:
    deep = WEB + "      x: " + "[" * 900 + "]" * 900 + "\n"
    files = {**BASE, "base/web.yaml": deep, "kustomization.yaml": "resources: [base]\npatches: [{path: p.yaml}]\n"}
    assert said(rendered({**files, "p.yaml": PATCH})) == ["base/web.yaml: too large to be patched"]
    chain = {f"l{n}/kustomization.yaml": f"resources: [../l{n + 1}]\n" for n in range(100)}
    assert "too many layers" in said(rendered(chain, "l0/kustomization.yaml"))[0]
    wide = "".join(f"      a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" if n else "      a0: &a0 [x]\n" for n in range(12))
    assert said(rendered({**files, "base/web.yaml": WEB + wide, "p.yaml": PATCH}))


def test_many_files_and_many_entries_take_seconds() -> None:
    count = 1_500
    one = [WEB.replace("name: web\n", f"name: web{n}\n", 1).replace("acme/web", f"acme/web{n}") for n in range(count)]
    files = {f"w{n}.yaml": text for n, text in enumerate(one)}
    lines = [f"- {{name: acme/web{n}, newTag: '{n}'}}\n" for n in range(count)]
    names = "".join(f"- {name}\n" for name in files)
    start = process_time()
    entry = rendered({**files, "kustomization.yaml": f"resources:\n{names}images:\n{''.join(lines)}"})
    assert process_time() - start < 10
    assert [found.images[0][1].tag for found in entry.objects] == [str(n) for n in range(count)]
