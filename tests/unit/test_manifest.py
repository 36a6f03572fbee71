from __future__ import annotations

import codecs
import subprocess
import sys
from pathlib import Path

import pytest

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import NewImage
from orbit_release.manifests.texts.proof import prove
from orbit_release.manifests.texts.splice import Replacement
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import scalars_of
from tests.alone import Rewrite, find_images, rewrite

API = Repository("ghcr.io/acme/api")
OTHER = Repository("ghcr.io/acme/other")
V2 = Tag("v2")
OLD = Digest("sha256:" + "a" * 64)
NEW = Digest("sha256:" + "b" * 64)
MANIFESTS = Path(__file__).parent / "manifests"

POD = "kind: Pod\nspec:\n  containers:\n  - name: api\n"
KUSTOMIZATION = "images:\n- name: ghcr.io/acme/api\n"


def run(text: str, tag: str = "v2", digest: Digest | None = None, refresh: Digest | None = None) -> Rewrite:
    return rewrite(text.encode(), "k8s/api.yaml", [NewImage(API, Tag(tag), digest, refresh)])


def bumped(text: str, tag: str = "v2", digest: Digest | None = None, refresh: Digest | None = None) -> str:
    return run(text, tag, digest, refresh).data.decode()


def found(text: str) -> list[tuple[str, int, str | None]]:
    return [(str(one.reference), one.line, one.hold) for one in find_images(text.encode(), "api.yaml", [API])]


def refusal(text: str, digest: Digest | None = None) -> str:
    with pytest.raises(InvalidError) as caught:
        run(text, digest=digest)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", ["workloads", "kustomization"])
def test_a_whole_manifest_changes_in_its_references_only(name: str) -> None:
    before, after = ((MANIFESTS / f"{name}.{when}.yaml").read_bytes() for when in ("before", "after"))
    assert rewrite(before, name, [NewImage(API, Tag("1.10"), refresh=NEW)]).data == after


STYLES = {
    "plain": ("image: ghcr.io/acme/api:v1", "image: ghcr.io/acme/api:v2"),
    "untagged": ("image: ghcr.io/acme/api", "image: ghcr.io/acme/api:v2"),
    "comment": ("image: ghcr.io/acme/api:v1 # :v1", "image: ghcr.io/acme/api:v2 # :v1"),
    "single quotes": ("image: 'ghcr.io/acme/api:v1'", "image: 'ghcr.io/acme/api:v2'"),
    "double quotes": ('image: "ghcr.io/acme/api:v1"', 'image: "ghcr.io/acme/api:v2"'),
    "escapes": (r'image: "\x67hcr.io\/acme\u002fapi\x3av1"', r'image: "\x67hcr.io\/acme\u002fapi\x3av2"'),
    "untagged escapes": (r'image: "ghcr.io\/acme\/api"', r'image: "ghcr.io\/acme\/api:v2"'),
    "continued line": ('image: "ghcr.io/ac\\\n     me/api:v1"', 'image: "ghcr.io/ac\\\n     me/api:v2"'),
    "own line": ("image:\n      ghcr.io/acme/api:v1", "image:\n      ghcr.io/acme/api:v2"),
    "literal": ("image: |\n      ghcr.io/acme/api:v1\n\n", "image: |\n      ghcr.io/acme/api:v2\n\n"),
    "literal strip": ("image: |-  # x\n      ghcr.io/acme/api:v1", "image: |-  # x\n      ghcr.io/acme/api:v2"),
    "literal keep": ("image: |+\n      ghcr.io/acme/api:v1\n\n\n", "image: |+\n      ghcr.io/acme/api:v2\n\n\n"),
    "folded": ("image: >-\n      ghcr.io/acme/api:v1\n", "image: >-\n      ghcr.io/acme/api:v2\n"),
    "indented": ("image: >2-\n      ghcr.io/acme/api:v1\n", "image: >2-\n      ghcr.io/acme/api:v2\n"),
    "tag": ("image: !!str ghcr.io/acme/api:v1", "image: !!str ghcr.io/acme/api:v2"),
    "tag, comment": ("image: !!str # '\n      'ghcr.io/acme/api:v1'", "image: !!str # '\n      'ghcr.io/acme/api:v2'"),
    "anchor": ("image: &a ghcr.io/acme/api:v1", "image: &a ghcr.io/acme/api:v2"),
    "anchor, tag": ('image: &a !!str "ghcr.io/acme/api:v1"', 'image: &a !!str "ghcr.io/acme/api:v2"'),
    "explicit key": ("? image\n    : ghcr.io/acme/api:v1", "? image\n    : ghcr.io/acme/api:v2"),
    "quoted key": ('"image": ghcr.io/acme/api:v1', '"image": ghcr.io/acme/api:v2'),
    "tab": ("image:\tghcr.io/acme/api:v1\t# x", "image:\tghcr.io/acme/api:v2\t# x"),
    "tab in a text": ('image:\tghcr.io/acme/api:v1\n    t: "\t"', 'image:\tghcr.io/acme/api:v2\n    t: "\t"'),
    "digest": (f"image: ghcr.io/acme/api:v1@{OLD}", "image: ghcr.io/acme/api:v2"),
    "digest only": (f"image: ghcr.io/acme/api@{OLD}", "image: ghcr.io/acme/api:v2"),
    "next line (NEL)": ("image: ghcr.io/acme/api:v1\x85    a: b", "image: ghcr.io/acme/api:v2\x85    a: b"),
    "separators": (
        "a: 'x\u2028y\u2029z'\n    image: ghcr.io/acme/api:v1",
        "a: 'x\u2028y\u2029z'\n    image: ghcr.io/acme/api:v2",
    ),
    "astral": ('a: "🚀é"\n    image: ghcr.io/acme/api:v1', 'a: "🚀é"\n    image: ghcr.io/acme/api:v2'),
}


@pytest.mark.parametrize(("before", "after"), STYLES.values(), ids=STYLES)
def test_only_the_tag_changes_in_every_style(before: str, after: str) -> None:
    for end in ("", "\n", "\n...\n", "\n---\nkind: Service\n"):
        assert bumped(f"{POD}    {before}{end}") == f"{POD}    {after}{end}"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_line_ends_and_encodings_stay(bom: bytes, encoding: str, end: str) -> None:
    before, after = (
        bom + f"# é🚀\n{POD}    image: >\n      ghcr.io/acme/api:{tag}\n# x".replace("\n", end).encode(encoding)
        for tag in ("v1", "v2")
    )
    assert rewrite(before, "p", [NewImage(API, V2)]).data == after
    assert find_images(after, "p", [API]) == (FoundImage(ImageReference(API, V2), "p", 7, None),)


def test_json_is_yaml_too() -> None:
    text = r'{"kind":"Pod","spec":{"containers":[{"image":"ghcr.io\/acme\/api:v1","name":"v1"}]}}'
    assert bumped(text) == text.replace("api:v1", "api:v2")


@pytest.mark.parametrize(
    "kind",
    "Pod Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob Rollout".split(),  # noqa: SIM905
)
@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_workloads_of_every_kind_are_edited(kind: str, field: str) -> None:
    path = {"Pod": "", "CronJob": "spec: {jobTemplate: {spec: {template: {"}.get(kind, "spec: {template: {")
    text = f"{{kind: {kind}, {path}spec: {{{field}: [{{image: ghcr.io/acme/api:v1}}]}}{'}' * path.count('{')}}}\n"
    in_a_list = f"kind: List\nitems:\n- {text}"
    in_two_lists = f"kind: List\nitems: [{{kind: {kind}List, items: [{text.strip()}]}}]\n"
    assert bumped(text) == text.replace("v1", "v2")
    assert bumped(in_a_list) == in_a_list.replace("v1", "v2")
    assert bumped(in_two_lists) == in_two_lists.replace("v1", "v2")


@pytest.mark.parametrize(
    "text",
    [
        POD + "    env: [{name: A, value: ghcr.io/acme/api:v1}]\n",
        POD + "    args: [ghcr.io/acme/api:v1]\n",
        POD + "    command: |\n      image: ghcr.io/acme/api:v1\n",
        POD + "    # image: ghcr.io/acme/api:v1\n",
        POD + "    image: ghcr.io/acme/api-proxy:v1\n",
        POD + "    image: ghcr.io/acme/api/proxy:v1\n",
        POD + "    image: mirror.io/ghcr.io/acme/api:v1\n",
        POD + "    image: [ghcr.io/acme/api:v1]\n",
        POD + "  image: ghcr.io/acme/api:v1\n",
        "metadata: {annotations: {image: 'ghcr.io/acme/api:v1'}}\n" + POD,
        POD.replace("kind: Pod", "kind: [Pod]") + "    image: ghcr.io/acme/api:v1\n",
        "kind: ConfigMap\ndata:\n  pod: |\n    kind: Pod\n    image: ghcr.io/acme/api:v1\n",
        "kind: Kustomization\napiVersion: kustomize.toolkit.fluxcd.io/v1\n" + KUSTOMIZATION + "  newTag: v1\n",
        "kind: Values\n" + KUSTOMIZATION + "  newTag: v1\n",
        KUSTOMIZATION,
        "# ghcr.io/acme/api\n",
        "- ghcr.io/acme/api:v1\n",
        "image: {{ .Values.image }}\n{{- if .x }}\n",
        'image: "{{ .Values.image }}\\n"\n{{- if .x }}\n# ghcr.io/acme/api-proxy:v1\n',
        "",
    ],
)
def test_everything_else_is_left_alone(text: str) -> None:
    assert run(text) == Rewrite(text.encode(), (), ())
    assert found(text) == []


def test_a_port_is_not_a_tag() -> None:
    text = POD + "    image: localhost:5000/api\n  - image: localhost\n"
    images = [NewImage(Repository(name), V2) for name in ("localhost:5000/api", "localhost")]
    assert rewrite(text.encode(), "p", images).data.decode() == (
        POD + "    image: localhost:5000/api:v2\n  - image: localhost:v2\n"
    )
    assert rewrite((POD + "    image: localhost:5000/api:${A}\n").encode(), "p", images[1:]).warnings == ()


def test_several_images_and_documents_are_edited_at_once_and_in_order() -> None:
    text = POD + "    image: ghcr.io/acme/api:v1\n  - image: ghcr.io/acme/other:v1\n"
    text += "  initContainers:\n  - image: ghcr.io/acme/api:v1\n---\n" + POD + "    image: ghcr.io/acme/api:v2\n"
    done = rewrite(text.encode(), "p", [NewImage(OTHER, Tag("v3")), NewImage(API, V2)])
    assert done.data.decode() == text.replace("other:v1", "other:v3").replace("api:v1", "api:v2")
    assert [(edit.line, str(edit.before), str(edit.after)) for edit in done.edits] == [
        (5, "ghcr.io/acme/api:v1", "ghcr.io/acme/api:v2"),
        (6, "ghcr.io/acme/other:v1", "ghcr.io/acme/other:v3"),
        (8, "ghcr.io/acme/api:v1", "ghcr.io/acme/api:v2"),
    ]


def test_a_digest_is_written_beside_the_tag() -> None:
    assert bumped(KUSTOMIZATION + "  newTag: v1\n", digest=NEW) == f"{KUSTOMIZATION}  newTag: v2@{NEW}\n"
    assert bumped(f"{KUSTOMIZATION}  newTag: v1@{OLD}\n", digest=NEW) == f"{KUSTOMIZATION}  newTag: v2@{NEW}\n"
    assert bumped(POD + "    image: ghcr.io/acme/api:v1", digest=NEW) == f"{POD}    image: {API}:v2@{NEW}"
    assert bumped(f"{POD}    image: {API}:v1@{OLD}", digest=NEW) == f"{POD}    image: {API}:v2@{NEW}"


def test_the_registrys_digest_is_written_only_where_one_stands() -> None:
    text = f"{POD}    image: {API}:v1@{OLD}\n  - image: {API}:v1\n"
    assert bumped(text, refresh=NEW) == f"{POD}    image: {API}:v2@{NEW}\n  - image: {API}:v2\n"
    assert bumped(KUSTOMIZATION + "  newTag: v1", refresh=NEW) == KUSTOMIZATION + "  newTag: v2"


@pytest.mark.parametrize("reference", ["${IMAGE_TAG}", ":${TAG}", ":v1@sha256:1", ":{{ .tag }}", ":v1 "])
def test_a_placeholder_is_never_overwritten(reference: str) -> None:
    message = refusal(f"{POD}    image: 'ghcr.io/acme/api{reference}'\n")
    assert message == f"k8s/api.yaml:5: 'ghcr.io/acme/api{reference}' holds no plain tag"


@pytest.mark.parametrize("tag", ["${TAG}", "CONTAINER_IMAGES_TAG"])
def test_a_placeholder_in_a_kustomization_is_never_overwritten(tag: str) -> None:
    assert refusal(KUSTOMIZATION + f"  newTag: {tag}\n") == f"k8s/api.yaml:3: '{tag}' holds no plain tag"


ALIASES = {
    "alias": "x: &img ghcr.io/acme/api:v1\n" + POD + "    image: *img\n  - image: *img\n",
    "merge": "x: &base {image: ghcr.io/acme/api:v1}\n" + POD + "    <<: *base\n",
    "merge list": "x: &a {y: 1}\nz: &b {image: ghcr.io/acme/api:v1}\n" + POD + "    <<: [*a, *b]\n",
    "merged spec": "x: &s\n  containers:\n  - image: ghcr.io/acme/api:v1\nkind: Pod\nspec:\n  <<: *s\n",
    "own key first": "x: &b {image: z}\n" + POD + "    <<: *b\n    image: ghcr.io/acme/api:v1\n",
    "other fields": POD + "    image: &i ghcr.io/acme/api:v1\n    env: [{name: I, value: *i}]\n",
    "anchor twice": "x: &a other\n" + POD + "    image: &a ghcr.io/acme/api:v1\n  - image: *a\n",
    "merge circle": "x: &a\n  <<: *a\n" + POD + "    <<: *a\n    image: ghcr.io/acme/api:v1\n",
    "merge circle without": "x: &a\n  <<: *a\n" + POD + "    <<: *a\n  - image: ghcr.io/acme/api:v1\n",
    "circle": "kind: List\nitems: &a\n- *a\n- kind: Pod\n  spec: {containers: [{image: ghcr.io/acme/api:v1}]}\n",
    "kustomization": "x: &t v1\nimages:\n- {name: ghcr.io/acme/api, newTag: *t}\n",
}


@pytest.mark.parametrize("text", ALIASES.values(), ids=ALIASES)
def test_the_scalar_behind_an_alias_is_edited_once_where_it_stands(text: str) -> None:
    done = run(text)
    assert done.data.decode() == text.replace("v1", "v2")
    assert len(done.edits) == len(found(text)) == 1


def test_an_overridden_merged_image_is_left_alone() -> None:
    text = "x: &b {image: ghcr.io/acme/api:v1}\n" + POD + "    <<: *b\n    image: z\n"
    assert run(text).edits == ()


def test_an_alias_between_two_images_tags_is_edited_with_a_warning() -> None:
    text = "images:\n- {name: ghcr.io/acme/api, newTag: &t v1}\n- {name: ghcr.io/acme/other, newTag: *t}\n"
    done = run(text)
    assert done.data.decode() == text.replace("v1", "v2")
    assert "k8s/api.yaml:2: this is the tag of ghcr.io/acme/other as well" in done.warnings[0]
    images = [NewImage(API, V2), NewImage(OTHER, V2)]
    assert rewrite(text.encode(), "p", images).warnings == ()
    with pytest.raises(InvalidError, match="p:2: one value would have to hold two tags"):
        rewrite(text.encode(), "p", [NewImage(API, V2), NewImage(OTHER, Tag("v3"))])


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        *((tag, f'"{tag}"') for tag in ("1.10", "12e0345", "0x1f", "on", "null", "2026-01-01", "1_000", "0o17")),
        *((tag, f'"{tag}"') for tag in ("1.", "0b1", "No", "y", "017", "1.5e-3", "2026-1-1")),
        *((tag, tag) for tag in ("v1.10", "1.2.3", "sha-1234567", "latest", "1e", "one", "2026-01-01.1", "0x1g")),
    ],
)
def test_only_a_plain_new_tag_that_reads_as_no_string_gets_quotes(tag: str, written: str) -> None:
    assert bumped(KUSTOMIZATION + "  newTag: v1", tag) == KUSTOMIZATION + f"  newTag: {written}"
    assert bumped(KUSTOMIZATION + "  newTag: 'v1'", tag) == KUSTOMIZATION + f"  newTag: '{tag}'"
    assert bumped(KUSTOMIZATION + "  newTag: !!str v1", tag) == KUSTOMIZATION + f"  newTag: !!str {tag}"
    assert bumped(POD + "    image: ghcr.io/acme/api:v1", tag) == f"{POD}    image: ghcr.io/acme/api:{tag}"


def test_a_kustomizations_fields_make_one_reference() -> None:
    text = KUSTOMIZATION + f"  newTag: v1\n  digest: {OLD}\n- name: x\n  newName: {API}\n  digest: '{OLD}'\n"
    assert found(text) == [(f"{API}:v1@{OLD}", 3, None), (f"{API}@{OLD}", 7, None)]
    assert bumped(text, digest=NEW) == text.replace("v1", "v2").replace(str(OLD), str(NEW))


@pytest.mark.parametrize("empty", ["''", '""', "null", "~"])
def test_an_empty_new_tag_is_set(empty: str) -> None:
    assert found(KUSTOMIZATION + f"  newTag: {empty}\n") == [("ghcr.io/acme/api", 3, None)]
    written = empty[0] + "v2" + empty[-1] if empty[0] in "'\"" else "v2"
    assert bumped(KUSTOMIZATION + f"  newTag: {empty}\n") == KUSTOMIZATION + f"  newTag: {written}\n"


@pytest.mark.parametrize(
    ("text", "hold"),
    [
        (POD + "    image: ghcr.io/acme/api:v1 # held: crash loop\n", "crash loop"),
        (POD + "    image: 'ghcr.io/acme/api:v1'\t#held:  two  words \r\n", "two  words"),
        (POD + "    image: ghcr.io/acme/api:v1 # pinned # held: why\n", "why"),
        (POD + "    image: ghcr.io/acme/api:v1 # held:\n", ""),
        (POD + "    image: ghcr.io/acme/api:v1 # not held\n", None),
        (POD + "    image: ghcr.io/acme/api:v1\n    # held: elsewhere\n", None),
        ("images: [{name: ghcr.io/acme/api, newTag: v1}] # held: flow\n", "flow"),
        ("images: [{newTag: v1, name: ghcr.io/acme/api, x: ' # held: no'}]\n", None),
        ("x: &i ghcr.io/acme/api:v1\n" + POD + "    image: *i # held: alias\n", "alias"),
        ("x: &i ghcr.io/acme/api:v1\n" + POD + "  - {image: *i} # held: flow\n", "flow"),
        ("x: &i ghcr.io/acme/api:v1\ny: |\n  *i # held: text\n" + POD + "    image: *i\n", None),
        (POD + "    image: &i ghcr.io/acme/api:v1\n---\na: &i x\nb: *i # held: another\n", None),
        ("images: [{newTag: v1, name: ghcr.io/acme/api, x: ' # held: no'}] # held: yes\n", "yes"),
        (KUSTOMIZATION + f"  newTag: v1\n  digest: {OLD} # held: digest\n", "digest"),
        (KUSTOMIZATION + "  newTag: v1 # held: tag\n", "tag"),
    ],
)
def test_a_hold_is_a_comment_beside_the_value(text: str, hold: str | None) -> None:
    assert [one[2] for one in found(text)] == [hold]


@pytest.mark.parametrize(
    ("text", "digest", "message"),
    [
        (KUSTOMIZATION + f"  newTag: v1\n  digest: {OLD}\n", None, "k8s/api.yaml:3: ghcr.io/acme/api is pinned"),
        (
            KUSTOMIZATION + "  newName: ghcr.io/acme/other\n  newTag: v1\n",
            None,
            "k8s/api.yaml:4: ghcr.io/acme/other takes the place of ghcr.io/acme/api, and is not built here",
        ),
        (KUSTOMIZATION + "  newTag:\n", None, "k8s/api.yaml:3: this value cannot be edited in place"),
        (KUSTOMIZATION + "  newTag: v1\n  newTag: v1\n", None, "k8s/api.yaml:4: repeated key 'newTag'"),
        (KUSTOMIZATION + "  name: x\n  newTag: v1\n", None, "k8s/api.yaml:3: repeated key 'name'"),
        (POD + "    image: ghcr.io/acme/api:v1\n    image: x\n", None, "k8s/api.yaml:6: repeated key 'image'"),
        (POD + '    image: "ghcr.io\\/acme\\/api"\n    image: x\n', None, "k8s/api.yaml:6: repeated key 'image'"),
        (POD + "    image: ghcr.io/acme/api:v1\nkind: Job\n", None, "k8s/api.yaml:6: repeated key 'kind'"),
        (POD + "    image: ghcr.io/acme/api:v1\nspec: {}\n", None, "k8s/api.yaml:6: repeated key 'spec'"),
        (
            "x: &x {image: ghcr.io/acme/api:v1}\n" + POD + "    <<: {a: b}\n    <<: *x\n",
            None,
            "k8s/api.yaml:7: repeated key '<<'",
        ),
        # Behind "not valid YAML: " stand the parser's words, which differ from version to version.
        (POD + "    image: ghcr.io/acme/api:v1\n{{ end }}\n", None, "k8s/api.yaml:7: not valid YAML"),
        (POD + "    image: ghcr.io/acme/api:v1\n---\na: *b\n", None, "k8s/api.yaml:7: not valid YAML: no anchor &b"),
        ("é: \x01\n" + POD + "    image: ghcr.io/acme/api:v1\n", None, "k8s/api.yaml:1: not valid YAML: "),
        (POD + "    image: ghcr.io/acme/api:v1\nx: " + "[" * 100_000, None, "k8s/api.yaml:6: not valid YAML: "),
        (POD + "    image: ghcr.io/acme/api:v1\nx:\n" + "- " * 100_000, None, "k8s/api.yaml:7: not valid YAML: "),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_with_its_line(text: str, digest: Digest | None, message: str) -> None:
    assert refusal(text, digest).startswith(message)


@pytest.mark.parametrize(
    "data",
    [
        (POD + "    image: ghcr.io/acme/api:v1 # é").encode("latin-1"),
        codecs.BOM_UTF16_LE + (POD + "    image: ghcr.io/acme/api:v1").encode("utf-16-le") + b"x",
        (POD + "    image: ghcr.io/acme/api:v1").encode("utf-16-le"),
        (POD + "    image: ghcr.io/acme/api:v1").encode("utf-32"),
    ],
)
def test_other_encodings_are_refused_when_they_name_the_repository(data: bytes) -> None:
    with pytest.raises(InvalidError, match=r"^p:\d+: not "):
        rewrite(data, "p", [NewImage(API, V2)])
    with pytest.raises(InvalidError, match=r"^p:\d+: not "):
        find_images(data, "p", [API])
    assert find_images(data, "p", [OTHER]) == ()


def test_a_bomb_that_does_not_name_the_repository_is_left_alone() -> None:
    for text in ("[" * 100_000, '"\\n": ' + "[" * 100_000, "- " * 100_000 + "ghcr.io/acme/api-proxy"):
        assert run(text) == Rewrite(text.encode(), (), ())


def test_aliases_that_multiply_are_followed_once() -> None:
    text = "a0: &a0 {x: y}\n"
    text += "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 60))
    text += "c: &c [{image: ghcr.io/acme/api:v1}, " + "*a59, " * 3000 + "]\n"
    text += "i: &i {kind: Pod, spec: {containers: *c}}\nkind: List\nitems: [" + "*i, " * 3000 + "]\n"
    assert found(text) == [("ghcr.io/acme/api:v1", 61, None)]


def test_long_chains_of_merges_do_not_exhaust_the_stack() -> None:
    text = "a0: &a0 {image: ghcr.io/acme/api:v1}\n"
    text += "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 3000))
    text += POD + "    <<: *a2999\n"
    assert found(text) == [("ghcr.io/acme/api:v1", 1, None)]


def test_directives_hold_for_their_document() -> None:
    text = f"%YAML 1.1\n%TAG !s! tag:yaml.org,2002:\n---\n{POD}    image: !s!str ghcr.io/acme/api:v1\n...\n"
    text += f"%YAML 1.1\n---\n{POD}    image: ghcr.io/acme/api:v1\n"
    assert bumped(text) == text.replace("v1", "v2")


def test_entries_that_share_a_tag_keep_digests_of_their_own() -> None:
    text = (
        f"images:\n- {{name: {API}, newTag: &t v1, digest: '{OLD}'}}\n- {{name: {API}, newTag: *t, digest: '{OLD}'}}\n"
    )
    assert bumped(text, digest=NEW) == text.replace("v1", "v2").replace(str(OLD), str(NEW))


def test_two_different_new_images_of_one_repository_are_refused() -> None:
    with pytest.raises(InvalidError, match="two different new images for"):
        rewrite(b"", "p", [NewImage(API, V2), NewImage(API, Tag("v3"))])


def test_nothing_to_do_returns_the_same_bytes() -> None:
    data = (POD + "    image: ghcr.io/acme/api:v2\n").encode()
    assert rewrite(data, "p", [NewImage(API, V2)]) == Rewrite(data, (), ())
    assert rewrite(data, "p", []).data is data


@pytest.mark.parametrize(
    "after", ["a: v2\nb: v2\n", "a: v1\nb: v1\n", "a: v2\n", "a: v2\nc: v1\n", "a: [v2\n", "a: !!str v2\nb: v1\n"]
)
def test_the_proof_refuses_every_other_change(after: str) -> None:
    before = "a: v1\nb: v1\n"
    change = Replacement(scalars_of(before)[1], 1, "2")
    prove(Text("p", before), "a: v2 # fine\nb: v1\n", [change])
    with pytest.raises(InvalidError, match="p:1: cannot prove"):
        prove(Text("p", before), after, [change])


def test_the_proof_refuses_what_no_second_parser_reads() -> None:
    text = "note: two\n \t lines\n" + POD + "    image: ghcr.io/acme/api:v1\n"
    assert refusal(text).startswith("k8s/api.yaml:7: cannot prove")


def test_reading_does_not_import_the_second_parser() -> None:
    program = f"""
import sys
from orbit_release.image import Repository
from tests.alone import find_images
assert find_images({(POD + "    image: ghcr.io/acme/api:v1").encode()!r}, "p", [Repository("ghcr.io/acme/api")])
assert not [name for name in sys.modules if name.startswith("ruamel")]
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\na: &i r/x:t\nspec:\n  containers:\n  - image: *i # held: why\n",
        "kind: Pod\nspec:\n  containers:\n  - image: >- # held: why\n      r/x:t\n",
        "images:\n- name: r/x # held: why\n  newTag: t\n",
    ],
)
def test_a_hold_counts_beside_an_alias_a_block_and_a_name(text: str) -> None:
    assert [image.hold for image in find_images(text.encode(), "f.yaml", [Repository("r/x")])] == ["why"]
