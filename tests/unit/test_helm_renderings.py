"""What objects of Flux and Argo CD set on charts and images, and where it is written."""

from __future__ import annotations

import pytest

from orbit_release.manifests.entries.files import parsed
from orbit_release.manifests.helm.kustomize_images import ImageOverride
from orbit_release.manifests.helm.leaves import Values
from orbit_release.manifests.helm.renderings import Rendering, rendering_of, renderings_of, sources_of
from orbit_release.manifests.helm.values import images_in
from orbit_release.manifests.image_value import ImageValue, Part
from orbit_release.manifests.texts.proof import prove
from orbit_release.manifests.texts.splice import Replacement, splice

DIGEST = "sha256:" + "0123456789abcdef" * 4

HELM_RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop}
spec:
  chart:
    spec: {chart: ./charts/shop, version: 1.x, valuesFiles: [values.yaml, values-eu.yaml]}
  values:
    api:
      image: {repository: ghcr.io/acme/api, tag: v1} # the api
    web: {image: {tag: v2}}
  postRenderers:
    - kustomize:
        images:
          - {name: acme/jobs, newTag: v3}
          - {name: jobs, newName: ghcr.io/acme/jobs, newTag: v4, digest: ""}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source:
    repoURL: https://github.com/acme/gitops.git
    path: charts/shop
    helm:
      valueFiles: [values.yaml, ../values-eu.yaml]
      valuesObject:
        api: {image: {repository: acme/api, tag: v1}}
        jobs: [{image: {repository: acme/jobs, tag: v1}}]
      parameters:
        - {name: api.image.tag, value: v2}
        - name: jobs[0].image.tag
          value: "v3"
        - {name: web.image.repository, value: acme/web}
        - {name: web.image.tag, value: v0}
        - {name: web.image.tag, value: v4} # the last counts
        - {name: other.image.tag, value: v5}
        - {name: replicas, value: "2"}
"""


def renderings_in(written: str) -> list[Rendering]:
    file = parsed(written.encode(), "app.yaml")
    assert file.fault is None
    return [rendering for obj in file.objects for rendering in renderings_of(obj, file.text)]


def rendering_in(written: str) -> Rendering:
    (rendering,) = renderings_in(written)
    return rendering


def images_of(rendering: Rendering) -> dict[str, ImageValue]:
    return {".".join(map(str, path)): image for path, image in images_in(rendering.values)}


def texts_of(rendering: Rendering) -> dict[str, str]:
    return {path: image.text for path, image in images_of(rendering).items()}


def written_to(written: str, part: Part | None, new: str) -> str:
    assert part
    change = Replacement(part.at.scalar, part.keep, new)
    after = splice(written, "app.yaml", [change])
    prove(part.at.text, after, [change])
    return after


def overrides_of(images: str) -> list[ImageOverride]:
    file = parsed(f"kustomize:\n  images:\n{images}".encode(), "a/.argocd-source.yaml")
    return list(rendering_of(Values.read(file.documents[0].root, file.text)).overrides)


def test_a_helm_release_has_values_files_and_images_set_afterwards() -> None:
    rendering = rendering_in(HELM_RELEASE)
    assert texts_of(rendering) == {"api.image": "ghcr.io/acme/api:v1", "web.image": ":v2"}
    assert [at.value for at in rendering.value_files] == ["values.yaml", "values-eu.yaml"]
    assert rendering.folder == "./charts/shop"
    kept, renamed = rendering.overrides
    assert (kept.original, kept.image.name, kept.image.tag) == ("acme/jobs", "", "v3")
    assert (renamed.original, renamed.image.text) == ("jobs", "ghcr.io/acme/jobs:v4")
    assert renamed.image.digest_at
    assert not kept.image.digest_at


def test_an_edit_in_a_helm_release_changes_the_tag_alone() -> None:
    api = images_of(rendering_in(HELM_RELEASE))["api.image"]
    assert written_to(HELM_RELEASE, api.tag_at, "v9") == HELM_RELEASE.replace("tag: v1", "tag: v9")


@pytest.mark.parametrize("version", ["v2beta1", "v2beta2", "v2"])
def test_any_version_of_a_helm_release_counts(version: str) -> None:
    assert len(renderings_in(HELM_RELEASE.replace("io/v2", f"io/{version}"))) == 1


@pytest.mark.parametrize(
    "written",
    [
        HELM_RELEASE.replace("helm.toolkit.fluxcd.io", "example.com"),
        HELM_RELEASE.replace("kind: HelmRelease", "kind: HelmChart"),
        APPLICATION.replace("argoproj.io", "app.k8s.io"),
    ],
)
def test_objects_of_other_groups_and_kinds_release_nothing(written: str) -> None:
    assert renderings_in(written) == []


def test_parameters_go_before_the_values_and_reach_into_lists() -> None:
    rendering = rendering_in(APPLICATION)
    assert texts_of(rendering) == {
        "api.image": "acme/api:v2",
        "jobs.0.image": "acme/jobs:v3",
        "web.image": "acme/web:v4",
        "other.image": ":v5",
    }
    assert [at.value for at in rendering.value_files] == ["values.yaml", "../values-eu.yaml"]
    assert rendering.folder == "charts/shop"


def test_a_parameter_remembers_the_value_that_it_replaces() -> None:
    images = images_of(rendering_in(APPLICATION))
    assert [(at.line, at.value) for at in images["api.image"].overridden] == [(11, "v1")]
    assert [(at.line, at.value) for at in images["web.image"].overridden] == [(18, "v0")]


def test_an_edit_of_a_parameter_changes_its_value_alone() -> None:
    images = images_of(rendering_in(APPLICATION))
    assert written_to(APPLICATION, images["jobs.0.image"].tag_at, "1.10") == APPLICATION.replace('"v3"', '"1.10"')
    assert written_to(APPLICATION, images["web.image"].tag_at, "v9") == APPLICATION.replace("value: v4", "value: v9")


def test_a_parameter_can_hold_a_whole_reference() -> None:
    written = APPLICATION.replace('{name: replicas, value: "2"}', "{name: job.image, value: 'acme/job:v1'}")
    job = images_of(rendering_in(written))["job.image"]
    assert job.text == "acme/job:v1"
    assert written_to(written, job.tag_at, ":v2") == written.replace("job:v1", "job:v2")


def test_a_parameter_with_two_values_is_unclear() -> None:
    written = APPLICATION.replace("{name: other.image.tag, value: v5}", "{name: other.image.tag, value: v5, value: v6}")
    assert images_of(rendering_in(written))["other.image"].unclear == ("app.yaml:20: repeated key 'value'",)


BLOCK = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source:
    helm:
      values: |
        # ours
        api: {image: {repository: acme/api, tag: v1}}
        web:
          image: acme/web:v1
        job: {image: {repository: acme/job}}
      parameters: [{name: api.image.tag, value: v2}]
"""


def test_images_in_a_block_of_values_are_told_and_not_edited() -> None:
    images = images_of(rendering_in(BLOCK))
    assert {path: image.text for path, image in images.items()} == {
        "api.image": "acme/api:v2",
        "web.image": "acme/web:v1",
        "job.image": "acme/job",
    }
    assert images["web.image"].unclear == ("app.yaml:10: these values are a block of text, which is not edited",)


def test_a_parameter_over_a_block_of_values_can_be_edited() -> None:
    api = images_of(rendering_in(BLOCK))["api.image"]
    assert (api.unclear, [at.line for at in api.overridden]) == ((), [8])
    assert written_to(BLOCK, api.tag_at, "v3") == BLOCK.replace("value: v2", "value: v3")


def test_a_block_that_is_no_yaml_leaves_the_values_unknown() -> None:
    rendering = rendering_in(BLOCK.replace("# ours", "{{ if x }"))
    (why,) = rendering.unclear
    assert why.startswith("app.yaml:8: these values cannot be read")


def test_a_block_beside_a_values_object_does_not_count() -> None:
    written = BLOCK.replace("      parameters", "      valuesObject: {api: {image: acme/api:v5}}\n      parameters")
    assert texts_of(rendering_in(written)) == {"api.image": ":v2"}  # the parameter makes a mapping of it


def test_each_of_several_sources_is_one_release_and_the_single_one_does_not_count() -> None:
    written = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source: {helm: {valuesObject: {image: acme/old:v0}}}
  sources:
    - {repoURL: https://a.example, path: a, helm: {valuesObject: {image: acme/a:v1}}}
    - {repoURL: https://b.example, ref: values}
    - {path: c, kustomize: {images: [acme/c:v3]}}
"""
    first, second, third = renderings_in(written)
    assert texts_of(first) == {"image": "acme/a:v1"}
    assert ([*images_in(second.values)], second.folder) == ([], "")
    assert [override.image.text for override in third.overrides] == ["acme/c:v3"]


def test_the_template_of_an_application_set_is_an_application() -> None:
    written = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
spec:
  generators: [{list: {elements: [{image: acme/x:v0}]}}]
  template:
    metadata: {name: '{{name}}'}
    spec:
      source:
        path: 'apps/{{name}}'
        helm: {parameters: [{name: image.tag, value: '{{tag}}'}, {name: image.repository, value: acme/api}]}
"""
    rendering = rendering_in(written)
    assert (texts_of(rendering), rendering.folder) == ({"image": "acme/api:{{tag}}"}, "apps/{{name}}")


@pytest.mark.parametrize("again", ["spec: {x: y}", "  values: {x: y}", "      tag: v2"])
def test_a_repeated_key_on_the_way_to_the_tag_is_unclear(again: str) -> None:
    written = f"""\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
spec:
  values:
    image:
      repository: acme/api
      tag: v1
{again}
"""
    (image,) = images_of(rendering_in(written)).values()
    assert image.unclear == (f"app.yaml:8: repeated key {again.strip().split(':')[0]!r}",)


@pytest.mark.parametrize(
    ("written", "original", "text"),
    [
        ("acme/api:v1", "acme/api", "acme/api:v1"),
        (f"acme/api@{DIGEST}", "acme/api", f"acme/api@{DIGEST}"),
        (f"acme/api:v1@{DIGEST}", "acme/api", f"acme/api:v1@{DIGEST}"),
        ("api=ghcr.io/acme/api:v1", "api", "ghcr.io/acme/api:v1"),
        ("api=localhost:5000/api:v1", "api", "localhost:5000/api:v1"),
        ("api=ghcr.io/acme/api", "api", "ghcr.io/acme/api"),
        ("api=*:v1", "api", ":v1"),
        ("api=ghcr.io/acme/api:*", "api", "ghcr.io/acme/api"),
        ("acme/api:${ARGOCD_APP_REVISION}", "acme/api", "acme/api:${ARGOCD_APP_REVISION}"),
    ],
)
def test_an_image_of_argo_cd_is_one_string(written: str, original: str, text: str) -> None:
    (override,) = overrides_of(f"    - '{written}'\n")
    assert (override.original, override.image.text, override.image.unclear) == (original, text, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [("acme/api:v1", "acme/api:v2"), ("api=x:5000/api:v1", "api=x:5000/api:v2"), ("a=*:v1", "a=*:v2")],
)
def test_an_edit_of_such_a_string_keeps_both_names(before: str, after: str) -> None:
    written = f"kustomize:\n  images:\n  - {before} # ours\n"
    (override,) = overrides_of(f"  - {before} # ours\n")
    assert written_to(written, override.image.tag_at, ":v2") == written.replace(before, after)


@pytest.mark.parametrize("written", ["api=ghcr.io/acme/api", "api=ghcr.io/acme/api:*"])
def test_a_string_that_leaves_the_tag_alone_has_no_place_for_one(written: str) -> None:
    (override,) = overrides_of(f"    - '{written}'\n")
    assert override.image.tag_at is None


def test_the_last_string_for_an_image_counts() -> None:
    assert [override.image.tag for override in overrides_of("    - acme/a:v1\n    - acme/b:v1\n    - acme/a:v2\n")] == [
        "v2",
        "v1",
    ]


def test_a_file_of_overrides_is_a_source() -> None:
    written = """\
helm:
  parameters:
  - name: api.image.tag
    value: v1
    forcestring: true
  valuesObject: {web: {image: acme/web:v1}}
"""
    file = parsed(written.encode(), ".argocd-source-shop.yaml")
    assert texts_of(rendering_of(Values.read(file.documents[0].root, file.text))) == {
        "web.image": "acme/web:v1",
        "api.image": ":v1",
    }


def test_a_file_of_overrides_replaces_the_lists_of_the_application() -> None:
    application = parsed(APPLICATION.encode(), "app.yaml")
    file = parsed(b"helm: {parameters: [{name: api.image.tag, value: v9}]}\n", ".argocd-source.yaml")
    (source,) = sources_of(application.objects[0], application.text)
    rendering = rendering_of(Values.read(file.documents[0].root, file.text).over(source))
    assert texts_of(rendering) == {"api.image": "acme/api:v9", "jobs.0.image": "acme/jobs:v1"}
    (old,) = images_of(rendering)["api.image"].overridden
    assert (old.where, rendering.folder) == ("app.yaml:11", "charts/shop")
