"""Images in Helm values: their shapes, their layers, and that an edit of the deciding place changes nothing else."""

from __future__ import annotations

import pytest

from orbit_release.manifests.entries.files import parsed
from orbit_release.manifests.helm.files import chart_of, is_chart_part, is_overrides_file, is_values_file
from orbit_release.manifests.helm.leaves import Values, name_path
from orbit_release.manifests.helm.values import images_in
from orbit_release.manifests.image_value import Form, ImageValue, Part
from orbit_release.manifests.texts.proof import prove
from orbit_release.manifests.texts.splice import Replacement, splice
from orbit_release.manifests.texts.yaml_nodes import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "fedcba9876543210" * 4


def images_of(written: str | bytes) -> dict[Path, ImageValue]:
    file = parsed(written if isinstance(written, bytes) else written.encode(), "values.yaml")
    assert file.fault is None
    return dict(images_in(Values.read(file.documents[0].root, file.text)))


def texts_of(written: str) -> dict[str, str]:
    return {".".join(map(str, path)): image.text for path, image in images_of(written).items()}


def image_of(written: str) -> ImageValue:
    (image,) = images_of(written).values()
    return image


def values_of(written: str, path: str = "values.yaml") -> Values:
    file = parsed(written.encode(), path)
    return Values.read(file.documents[0].root, file.text)


def written_to(written: bytes, part: Part | None, new: str) -> bytes:
    """Write behind what a part keeps, and prove that nothing else changed."""
    assert part
    text = part.at.text
    change = Replacement(part.at.scalar, part.keep, new)
    after = splice(text.text, text.path, [change])
    prove(text, after, [change])
    return text.encoded(after)


def retagged(written: bytes, new: str) -> bytes:
    (image,) = images_of(written).values()
    part = image.tag_at
    assert part
    return written_to(written, part, f":{new}" if part.form is Form.REFERENCE else new)


@pytest.mark.parametrize(
    ("written", "name", "tag", "digest"),
    [
        ("image: {repository: ghcr.io/acme/api, tag: v1}", "ghcr.io/acme/api", "v1", ""),
        ("image: {registry: ghcr.io, repository: acme/api, tag: v1}", "ghcr.io/acme/api", "v1", ""),
        ("image: {registry: ghcr.io/, repository: acme/api, tag: v1}", "ghcr.io/acme/api", "v1", ""),
        ("image: {registry: '', repository: acme/api, tag: v1}", "acme/api", "v1", ""),
        ("image: {registry: null, repository: acme/api}", "acme/api", "", ""),
        ("a: {b: {anything: {repository: acme/api, tag: v1}}}", "acme/api", "v1", ""),
        ("api: {registry: ghcr.io, repository: acme/api}", "ghcr.io/acme/api", "", ""),
        ("proxyImage: {repository: acme/api}", "acme/api", "", ""),
        (f"image: {{repository: acme/api, digest: '{DIGEST}'}}", "acme/api", "", DIGEST),
        (f"image: {{repository: acme/api, tag: v1, digest: '{DIGEST}'}}", "acme/api", "v1", DIGEST),
        (f"image: {{repository: acme/api, tag: 'v1@{DIGEST}'}}", "acme/api", "v1", DIGEST),
        (f"image: {{repository: acme/api, tag: 'v1@{DIGEST}', digest: ''}}", "acme/api", "v1", DIGEST),
        ("image: {repository: 'ghcr.io/acme/api:v1'}", "ghcr.io/acme/api", "v1", ""),
        ("image: {repository: 'localhost:5000/acme/api', tag: v1}", "localhost:5000/acme/api", "v1", ""),
        ("image: {name: acme/api, tag: v1}", "acme/api", "v1", ""),
        ("exporter: {image: acme/api, tag: v1}", "acme/api", "v1", ""),
        ("logs: {image: ghcr.io/acme/api, imageTag: v1}", "ghcr.io/acme/api", "v1", ""),
        ("tests: {jobImage: acme/api, jobImageTag: 1.10}", "acme/api", "1.10", ""),
        ("api: {imageRepository: acme/api, imageTag: v1}", "acme/api", "v1", ""),
        ("api: {imageName: acme/api, imageTag: v1}", "acme/api", "v1", ""),
        ("image: ghcr.io/acme/api:v1", "ghcr.io/acme/api", "v1", ""),
        (f"initImage: 'acme/api:v1@{DIGEST}'", "acme/api", "v1", DIGEST),
        ("init_image: acme/api:v1", "acme/api", "v1", ""),
        ("init-image: acme/api:v1", "acme/api", "v1", ""),
        ("images: [acme/api:v1]", "acme/api", "v1", ""),
        ("images: [{repository: acme/api, tag: v1}]", "acme/api", "v1", ""),
        ('{"image": {"repository": "acme/api", "tag": "v1"}}', "acme/api", "v1", ""),
        ("image: {repository: acme/api, tag: '{{ .Values.tag }}'}", "acme/api", "{{ .Values.tag }}", ""),
        ("image: 'acme/api:${TAG}'", "acme/api", "${TAG}", ""),
        ("image: {repository: acme/api, tag: 1.10}", "acme/api", "1.10", ""),
        ("image: {repository: acme/api, tag: 2024-01-01}", "acme/api", "2024-01-01", ""),
    ],
)
def test_an_image_has_one_of_the_shapes_of_public_charts(written: str, name: str, tag: str, digest: str) -> None:
    image = image_of(written)
    assert (image.name, image.tag, image.digest, image.unclear) == (name, tag, digest, ())


@pytest.mark.parametrize(
    "written",
    [
        "source: {repository: https://github.com/acme/api}",
        "repository: acme/api",
        "worker: {name: api, tag: v1}",
        "image: {name: api}",
        "image: true",
        "customImage: false",
        "image: ''",
        "image: {pullPolicy: Always}",
        "image: {tag: null}",
        "imagePullPolicy: Always",
        "webimage: acme/api:v1",
        "names: [acme/api:v1]",
        "{}",
        "[]",
        "",
    ],
)
def test_other_values_are_no_images(written: str) -> None:
    assert images_of(written or "# nothing\n---\n") == {}


def test_every_image_of_a_file_has_its_key_path() -> None:
    written = """
global: {}
api: {image: {repository: acme/api, tag: v1}}
web:
  image: acme/web:v2
  sidecars:
    - {name: proxy, image: acme/proxy:v3}
    - name: logs
      image: {repository: acme/logs, tag: v4}
"""
    assert texts_of(written) == {
        "api.image": "acme/api:v1",
        "web.image": "acme/web:v2",
        "web.sidecars.0.image": "acme/proxy:v3",
        "web.sidecars.1.image": "acme/logs:v4",
    }


@pytest.mark.parametrize(
    "written", ["image: {tag: v2}", "api: {imageTag: v2}", "jobImageTag: v2", "image: {registry: ghcr.io, tag: v2}"]
)
def test_a_tag_alone_is_of_an_image_that_other_values_name(written: str) -> None:
    image = image_of(written)
    assert (image.name, image.tag) == ("", "v2")
    assert image.tag_at


def test_the_values_beside_the_tag_belong_to_its_place() -> None:
    image = image_of("image:\n  registry: ghcr.io\n  repository: acme/api\n  tag: v1\n")
    assert [at.value for at in image.scalars] == ["v1", "acme/api", "ghcr.io"]


@pytest.mark.parametrize("tag", ["", "tag:", "tag: null", "tag: ~"])
def test_where_no_tag_is_written_none_can_be_edited(tag: str) -> None:
    image = image_of(f"image:\n  repository: acme/api\n  {tag}\n")
    assert (image.text, image.tag_at, image.unclear) == ("acme/api", None, ())


@pytest.mark.parametrize("written", ["image: acme/api", "image: localhost:5000/api", "images: [acme/api]"])
def test_nothing_is_written_behind_a_name_alone(written: str) -> None:
    image = image_of(written)
    assert (image.tag, image.tag_at, len(image.scalars)) == ("", None, 1)


@pytest.mark.parametrize(
    ("written", "is_place"), [("''", True), ('""', True), ("null", True), ("~", True), ("", False)]
)
def test_an_empty_digest_is_a_place_for_one_where_some_text_is(written: str, is_place: bool) -> None:  # noqa: FBT001
    data = f"image:\n  repository: acme/api\n  tag: v1\n  digest: {written} # none yet\n".encode()
    (image,) = images_of(data).values()
    assert (image.digest, image.digest_at is not None) == ("", is_place)
    if is_place:
        quote = written[:1].strip("n~")
        after = data.replace(f"digest: {written} ".encode(), f"digest: {quote}{DIGEST}{quote} ".encode())
        assert written_to(data, image.digest_at, DIGEST) == after


def test_without_a_field_there_is_no_place_for_a_digest() -> None:
    assert image_of("image: {repository: acme/api, tag: v1}").digest_at is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("image:\n  repository: acme/api # ours\n  tag: v1 # held: x\n", ("v1", "v2")),
        ("image:\r\n  repository: acme/api\r\n  tag: 'v1'\r\n", ("v1", "v2")),
        ("\ufeffimage: {repository: acme/api, tag: v1}\n", ("v1", "v2")),
        ('{"image": {"repository": "acme/api", "tag": "v1"}, "é": "v1 "}', ('"v1"}', '"v2"}')),
        ("image:\n  repository: acme/api\n  tag: &t v1\nlabel: *t\n", ("v1", "v2")),
        ("image:\n  repository: acme/api\n  tag: !!str v1\n", ("v1", "v2")),
        ("image:\n  repository: acme/api\n  tag: >-\n    v1\n\nx: v1\n", ("    v1", "    v2")),
        ("image:\n  repository: acme/api\n  tag: ''\n", ("''", "'v2'")),
        ("image:\n  repository: acme/api\n  tag: 1.10\n", ("1.10", "v2")),
        ("image: acme/api:v1\n", ("v1", "v2")),
        ("image: {repository: 'ghcr.io/acme/api:v1'} # v1\n", ("api:v1", "api:v2")),
        ("image: {registry: ghcr.io, repository: 'acme/api:v1'}\n", ("api:v1", "api:v2")),
        ('image: "acme\\/api:v1"\n', ("v1", "v2")),
        ("x: &i {repository: acme/api, tag: v1}\na: {image: *i}\nb: {image: *i}\n", ("v1", "v2")),
        ("api:\n\n  image:\n    tag:   v1   \n    repository: acme/api\n", ("v1", "v2")),
    ],
)
def test_an_edit_changes_the_bytes_of_the_tag_alone(before: str, after: tuple[str, str]) -> None:
    assert before.count(after[0]) == 1 or after[0] == "v1"
    assert retagged(before.encode(), "v2").decode() == before.replace(*after, 1)


@pytest.mark.parametrize(("old", "new", "written"), [("v1", "1.10", '"1.10"'), ("1.10", "2026-01-01", '"2026-01-01"')])
def test_a_tag_that_looks_like_a_number_or_a_date_gets_quotes(old: str, new: str, written: str) -> None:
    data = f"image:\n  repository: acme/api\n  tag: {old} # x\n".encode()
    assert retagged(data, new) == data.replace(old.encode(), written.encode())


def test_an_alias_and_a_merged_mapping_are_edited_where_they_are_written() -> None:
    written = b"x-image: &i {repository: acme/api, tag: v1}\na: {image: {<<: *i, pullPolicy: Always}}\nb: {image: *i}\n"
    images = images_of(written)
    assert {image.text for image in images.values()} == {"acme/api:v1"}
    assert len({image.tag_at for image in images.values()}) == 1
    assert retagged_all(written) == written.replace(b"v1", b"v2")


def retagged_all(written: bytes) -> bytes:
    (part,) = {image.tag_at for image in images_of(written).values()}
    return written_to(written, part, "v2")


def test_a_mapping_of_its_own_goes_before_what_it_merges() -> None:
    written = "x: &i {repository: acme/api, tag: v1}\na: {image: {<<: *i, tag: v2}}\n"
    assert texts_of(written) == {"x": "acme/api:v1", "a.image": "acme/api:v2"}


@pytest.mark.parametrize(
    ("written", "line", "key"),
    [
        ("image:\n  repository: acme/api\n  tag: v1\n  tag: v2\n", 4, "tag"),
        ("api:\n  image: {repository: acme/api, tag: v1}\napi:\n  x: y\n", 3, "api"),
        ("image: acme/api:v1\nimage: acme/api:v2\n", 2, "image"),
    ],
)
def test_a_key_that_stands_twice_is_unclear(written: str, line: int, key: str) -> None:
    assert image_of(written).unclear == (f"values.yaml:{line}: repeated key {key!r}",)


@pytest.mark.parametrize(
    "written",
    [
        "image:\n  repository: acme/api:v1\n  tag: v2\n",
        f"image:\n  repository: acme/api\n  tag: v1@{DIGEST}\n  digest: {OTHER}\n",
        f"image:\n  repository: acme/api\n  tag: v1\n  sha: {DIGEST[7:]}\n",
        "image:\n  image: acme/api:v1\n  tag: v2\n",
    ],
)
def test_two_tags_or_two_digests_of_one_image_are_unclear(written: str) -> None:
    (why,) = image_of(written).unclear
    assert why.startswith("values.yaml:")


@pytest.mark.parametrize(
    ("image", "name", "is_clear"),
    [
        ("{repository: acme/api, tag: v1}", "ghcr.io/acme/api", True),
        ("{registry: ghcr.io, repository: acme/api, tag: v1}", "ghcr.io/acme/api", True),
        ("{registry: docker.io, repository: acme/api, tag: v1}", "ghcr.io/acme/api", False),
        ("{repository: quay.io/acme/api, tag: v1}", "quay.io/acme/api", False),
        ("acme/api:v1", "acme/api", True),
    ],
)
@pytest.mark.parametrize("shared", ["{imageRegistry: ghcr.io}", "{image: {registry: ghcr.io}}"])
def test_a_registry_for_the_whole_chart_stands_before_names_without_one(
    shared: str,
    image: str,
    name: str,
    is_clear: bool,  # noqa: FBT001
) -> None:
    images = images_of(f"global: {shared}\napi: {{image: {image}}}\n")
    assert (images["api", "image"].name, not images["api", "image"].unclear) == (name, is_clear)
    assert list(images) == [("api", "image")]


def test_outer_values_decide_and_remember_what_they_replace() -> None:
    base = values_of("api: {image: {repository: acme/api, tag: v1}}\nweb: {image: acme/web:v1}\n")
    outer = values_of("api: {image: {tag: v2}}\nweb: {image: acme/web:v3}\n", "values-production.yaml")
    images = dict(images_in(outer.over(base)))
    api, web = images["api", "image"], images["web", "image"]
    assert (api.text, web.text) == ("acme/api:v2", "acme/web:v3")
    assert api.tag_at
    assert api.tag_at.at.where == "values-production.yaml:1"
    assert [at.where for at in (*api.overridden, *web.overridden)] == ["values.yaml:1", "values.yaml:2"]


@pytest.mark.parametrize(
    ("outer", "images"),
    [
        ("a: [{image: acme/b:v2}]", {"acme/b:v2"}),
        ("a: []", set()),
        ("a: null", set()),
        ("a: text", set()),
        ("a: {image: acme/b:v2}", {"acme/b:v2"}),
        ("b: null", {"acme/a:v1", "acme/c:v1"}),
    ],
)
def test_lists_and_scalars_replace_what_inner_values_have(outer: str, images: set[str]) -> None:
    base = values_of("a: [{image: acme/a:v1}, {image: acme/c:v1}]\n")
    assert {image.text for _, image in images_in(values_of(outer).over(base))} == images


def test_an_item_of_another_list_is_not_what_an_item_replaces() -> None:
    base = values_of("a: [{image: acme/a:v1}]\n")
    ((_, image),) = images_in(values_of("a: [{image: acme/b:v2}]\n").over(base))
    assert image.overridden == ()


def test_null_takes_the_tag_away() -> None:
    base = values_of("image: {repository: acme/api, tag: v1}\n")
    ((_, image),) = images_in(values_of("image: {tag: null}\n").over(base))
    assert (image.text, image.tag_at) == ("acme/api", None)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("image.tag", ("image", "tag")),
        ("a\\.b.image.tag", ("a.b", "image", "tag")),
        ("sidecars[1].image.tag", ("sidecars", 1, "image", "tag")),
        ("a[0][2]", ("a", 0, 2)),
    ],
)
def test_the_name_of_a_parameter_is_a_path(name: str, path: Path) -> None:
    assert name_path(name) == path


@pytest.mark.parametrize(
    ("path", "is_values"),
    [
        ("values.yaml", True),
        ("a/values.yml", True),
        ("a/values-production.yaml", True),
        ("values.prod.yaml", True),
        ("values_eu.yaml", True),
        ("values/production.yaml", False),
        ("myvalues.yaml", False),
        ("valuesets.yaml", False),
        ("values.yaml.gotmpl", False),
        ("values.json", False),
    ],
)
def test_values_files_are_known_by_their_names(path: str, is_values: bool) -> None:  # noqa: FBT001
    assert is_values_file(path) is is_values


def test_argo_cd_reads_overrides_from_files_of_two_names() -> None:
    names = [".argocd-source.yaml", "a/.argocd-source-shop.yaml", ".argocd-source-.yaml", "a.argocd-source.yaml"]
    assert [name for name in names if is_overrides_file(name)] == names[:2]


def test_a_chart_is_the_folder_of_its_chart_yaml_and_a_part_has_its_own() -> None:
    names = {"shop/Chart.yaml", "shop/charts/api/Chart.yaml"}
    paths = ["shop/values.yaml", "shop/templates/a.yaml", "shop/charts/api/values.yaml", "k8s/a.yaml", "a.yaml"]
    assert [chart_of(path, names) for path in paths] == ["shop", "shop", "shop/charts/api", None, None]
    assert chart_of("a/b.yaml", {"Chart.yaml"}) == ""


@pytest.mark.parametrize(
    ("path", "is_part"),
    [
        ("shop/templates/deployment.yaml", True),
        ("shop/templates/values.yaml", True),
        ("shop/crds/a.yaml", True),
        ("shop/charts/values.yaml", True),
        ("shop/Chart.yaml", True),
        ("shop/dashboards/a.yaml", True),
        ("shop/values.yaml", False),
        ("shop/env/values-eu.yaml", False),
        ("k8s/templates/deployment.yaml", False),
        ("shopping/a.yaml", False),
    ],
)
def test_the_files_of_a_chart_are_no_manifests_but_its_values(path: str, is_part: bool) -> None:  # noqa: FBT001
    assert is_chart_part(path, {"shop/Chart.yaml"}) is is_part
