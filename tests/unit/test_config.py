from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orbit_release import config
from orbit_release.check.configuration_file import lines
from orbit_release.config import FILE_NAME, ArgoCDNames, Config
from orbit_release.errors import MANUAL, ConfigurationError, UsageError
from orbit_release.image import Tag

SHIPPED = Path(__file__).parents[2] / FILE_NAME
TOP = "image: ghcr.io/acme/{service}\nmanifests: k8s\nservices:\n"


def load(text: str | bytes) -> Config:
    return config.load(text if isinstance(text, bytes) else text.encode(), "c.yaml")


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(text)
    assert refused.value.hint.startswith("mend the ")
    assert "c.yaml" in refused.value.hint
    return refused.value.message.split("\n")


def test_the_shipped_configuration_has_the_seven_services_in_order() -> None:
    found = config.load(SHIPPED.read_bytes(), FILE_NAME)
    assert (found.branch, found.manifests) == ("main", ("infrastructure/k8s",))
    assert found.image == "ghcr.io/drewpayment/orbit/{service}"
    facts = [(s.name, s.settings.context, s.settings.dockerfile, s.paths.globs) for s in found.services]
    assert facts == [
        ("orbit-www", "orbit-www", "orbit-www/Dockerfile", ("orbit-www/**",)),
        (
            "repository-service",
            ".",
            "services/repository/Dockerfile",
            ("services/repository/**", "proto/**", "temporal-workflows/**"),
        ),
        ("build-service", ".", "services/build-service/Dockerfile", ("services/build-service/**", "proto/**")),
        ("bifrost", ".", "services/bifrost/Dockerfile", ("services/bifrost/**", "proto/**")),
        ("kafka-service", ".", "services/kafka/Dockerfile", ("services/kafka/**", "proto/**")),
        ("plugins-service", ".", "services/plugins/Dockerfile", ("services/plugins/**", "proto/**")),
        (
            "temporal-worker",
            ".",
            "temporal-workflows/Dockerfile",
            ("temporal-workflows/**", "proto/**", "services/kafka/**"),
        ),
    ]
    assert [str(s.repository) for s in found.services] == [
        f"ghcr.io/drewpayment/orbit/{s.name}" for s in found.services
    ]


def test_the_shipped_configuration_names_the_application_that_syncs_the_manifests() -> None:
    found = config.load(SHIPPED.read_bytes(), FILE_NAME)
    path = SHIPPED.with_name("infrastructure") / "gitops" / "apps" / "orbit" / "application.yaml"
    application = yaml.safe_load(path.read_bytes())
    assert found.argocd == ArgoCDNames(application["metadata"]["name"], application["spec"]["project"])
    source = application["spec"]["source"]
    assert ((source["path"],), source["targetRevision"]) == (found.manifests, found.branch)


def test_the_least_configuration_gets_the_defaults() -> None:
    found = load(f"{TOP}  web: {{paths: [web/**]}}\n")
    (web,) = found.services
    assert (found.branch, found.manifests, str(web.repository)) == ("main", ("k8s",), "ghcr.io/acme/web")
    assert (web.settings.context, web.settings.dockerfile) == (".", "Dockerfile")
    assert (web.settings.platforms, web.settings.build_args) == ((), ())
    assert (web.is_deployed, found.fields) == (True, ())


@pytest.mark.parametrize(
    ("lines_of_top", "tag"),
    [
        ("", "sha-1a2b3c4"),
        ("tag: linux-{sha}\n", "linux-1a2b3c4"),
        ('tag: "{sha:12}"\n', "1a2b3c4d5e6f"),
        ('branch: release/1.2\ntag: "{branch}-{sha}"\n', "release-1.2-1a2b3c4"),
        ('tag: "{branch}-{sha}"\n', "main-1a2b3c4"),
    ],
)
def test_the_scheme_of_tags_is_sha_and_seven_digits_or_what_tag_says(lines_of_top: str, tag: str) -> None:
    found = load(f"{lines_of_top}{TOP}  web: {{paths: [a]}}\n")
    assert found.tag_scheme.tag("1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d") == Tag(tag)


def test_manifests_are_one_path_or_several_each_once() -> None:
    text = f"{TOP}  web: {{paths: [a]}}\n"
    assert load(text.replace("k8s", "[k8s/, charts/web/values.yaml, ., k8s]")).manifests == (
        "k8s",
        "charts/web/values.yaml",
        ".",
    )


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("spec.engine.image", ["spec", "engine", "image"]),
        ("spec/engines[]/image", ["spec", "engines", "[]", "image"]),
        ("spec.engines[].image", ["spec", "engines", "[]", "image"]),
        ("image", ["image"]),
    ],
)
def test_the_fields_of_other_kinds_are_paths_of_keys(path: str, steps: list[str]) -> None:
    (field,) = load(f"fields: [{{kind: MyResource, path: '{path}'}}]\n{TOP}  web: {{paths: [a]}}\n").fields
    assert (field.kind, field.steps) == ("MyResource", steps)


@pytest.mark.parametrize(("line", "is_deployed"), [("deploy: false", False), ("deploy: true", True)])
def test_a_service_may_be_one_that_is_only_built(line: str, *, is_deployed: bool) -> None:
    assert load(one(line)).services[0].is_deployed is is_deployed


def test_the_dockerfile_is_looked_for_in_the_context() -> None:
    assert load(f"{TOP}  web: {{context: web/, paths: [a]}}\n").services[0].settings.dockerfile == "web/Dockerfile"


def test_a_service_may_have_an_image_of_its_own() -> None:
    text = f"{TOP}  web: {{image: 'localhost:5000/x/{{service}}', paths: [a]}}\n  api: {{paths: [b]}}\n"
    assert [str(s.repository) for s in load(text).services] == ["localhost:5000/x/web", "ghcr.io/acme/api"]


def one(line: str) -> str:
    """Return a configuration whose service has this line; it is line 6, and its values start in column 5."""
    return f"{TOP}  web:\n    paths: [web/**]\n    {line}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        # The file
        ("", "1:1: the file is empty: it needs image, branch"),
        ("# nothing\n", "1:1: the file is empty: "),
        ("\n---\n", "3:1: the configuration must be a mapping: "),
        ("- a\n", "1:1: the configuration must be a mapping: write `key: value` lines."),
        ("text\n", "1:1: the configuration must be a mapping: "),
        ("a: [\n", "2:1: this is not YAML: "),
        ("a: b: c\n", "1:5: this is not YAML: mapping values are not allowed in this context."),
        ("a: 'b\n", "2:1: this is not YAML: "),
        ("services:\n\tweb: {}\n", "2:1: this is not YAML: found character that cannot start any token."),
        ("a: *nobody\n", "1:4: this is not YAML: found undefined alias."),
        ("a: 1\n---\nb: 2\n", "2:1: this is not YAML: but found another document."),
        (b"image: \xff\n", "1:1: this is not YAML: "),
        (b"image: \x00\n", "1:1: this is not YAML: "),
        # Keys
        ("image: a\nservices: {a: {paths: [b]}}\n", "1:1: 'manifests' is missing: add `manifests:`"),
        ("image: a\nmanifests: b\n", "1:1: 'services' is missing: add `services:`"),
        (f"manifest: x\n{TOP}  web: {{paths: [a]}}\n", "1:1: unknown key 'manifest': did you mean 'manifests'?"),
        (
            f"zzz: x\n{TOP}  web: {{paths: [a]}}\n",
            "1:1: unknown key 'zzz': known: image, branch, tag, manifests, fields, argocd, services.",
        ),
        (one("docker_file: a"), "6:5: unknown key 'docker_file': did you mean 'dockerfile'?"),
        (f"image: a\n{TOP}  web: {{paths: [a]}}\n", "2:1: 'image' is there twice: remove one of the two."),
        (f"{TOP}  web: {{paths: [a]}}\n  web: {{paths: [b]}}\n", "5:3: 'web' is there twice: "),
        (one("paths: [b]"), "6:5: 'paths' is there twice: "),
        (one("build_args: {A: x, A: z}"), "6:24: 'A' is there twice: "),
        (f"{TOP}  web: &w {{paths: [a]}}\n  api:\n    <<: *w\n    paths: [b]\n", "6:5: unknown key '<<': "),
        (f"{TOP}  [a]: {{paths: [a]}}\n", "4:3: a key must be one line of text: "),
        # branch, manifests, image
        (f"branch: a..b\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch 'a..b' is not valid: see git check-ref-format."),
        (f"branch: '-x'\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch '-x' is not valid: "),
        (f"branch: x.lock\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch 'x.lock' is not valid: "),
        (f"branch: 'a b'\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch 'a b' is not valid: "),
        (f"branch:\n{TOP}  web: {{paths: [a]}}\n", "1:8: branch must be one line of text: write a value, or"),
        (f"branch: [main]\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch must be one line of text: "),
        (f"branch: |\n  main\n{TOP}  web: {{paths: [a]}}\n", "1:9: branch must be one line of text: "),
        (
            TOP.replace("k8s", "/k8s") + "  web: {paths: [a]}\n",
            "2:12: manifests '/k8s' is not a path in this repository",
        ),
        (TOP.replace("k8s", "../k8s") + "  web: {paths: [a]}\n", "2:12: manifests '../k8s' is not a path in this"),
        (
            TOP.replace("{service}", "{name}") + "  web: {paths: [a]}\n",
            "1:8: image 'ghcr.io/acme/{name}' has an unknown",
        ),
        (TOP.replace("acme", "Acme") + "  web: {paths: [a]}\n", "4:8: invalid repository 'ghcr.io/Acme/web': "),
        ("manifests: k8s\nservices:\n  web: {paths: [a]}\n", "3:8: service 'web' has no image: add `image: "),
        (one("image: ghcr.io/acme/Web"), "6:12: invalid repository 'ghcr.io/acme/Web': "),
        (one("image: ghcr.io/acme/web:1"), "6:12: invalid repository 'ghcr.io/acme/web:1': "),
        # tag
        (f"tag: v1\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag 'v1' has no {sha}: write it like sha-{sha}, "),
        (
            f"tag: '{{date}}-{{sha}}'\n{TOP}  web: {{paths: [a]}}\n",
            "1:6: tag '{date}-{sha}' has the unknown placeholder {date}: known are {sha}, {sha:12} and {branch}.",
        ),
        (f"tag: '{{sha}}-{{sha}}'\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag '{sha}-{sha}' has {sha} twice: "),
        (
            f"tag: '{{sha:3}}'\n{TOP}  web: {{paths: [a]}}\n",
            "1:6: tag '{sha:3}' asks for 3 digits: a tag takes 4 to 40",
        ),
        (f"tag: '{{sha:41}}'\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag '{sha:41}' asks for 41 digits: "),
        (f"tag: 'v+{{sha}}'\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag 'v+{sha}' gives no tag: a tag is 1 to 128 of"),
        (f"tag: '-{{sha}}'\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag '-{sha}' gives no tag: "),
        (f"tag: {{sha}}\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag must be one line of text: put quotes around it, "),
        (f"tag: [sha]\n{TOP}  web: {{paths: [a]}}\n", "1:6: tag must be one line of text: "),
        (f"tag:\n{TOP}  web: {{paths: [a]}}\n", "1:5: tag must be one line of text: write a value, or"),
        # A list of manifests
        (TOP.replace("k8s", "[]") + "  web: {paths: [a]}\n", "2:12: manifests is empty: write at least one entry."),
        (TOP.replace("k8s", "[a, '']") + "  web: {paths: [a]}\n", "2:16: manifests must be one line of text: "),
        (TOP.replace("k8s", "[a, /b]") + "  web: {paths: [a]}\n", "2:16: manifests '/b' is not a path in this"),
        (TOP.replace("k8s", "[a, [b]]") + "  web: {paths: [a]}\n", "2:16: manifests must be one line of text: "),
        (TOP.replace("k8s", "{a: b}") + "  web: {paths: [a]}\n", "2:12: manifests must be one line of text: "),
        # fields
        (
            f"fields: {{kind: A, path: b}}\n{TOP}  web: {{paths: [a]}}\n",
            "1:9: fields must be a list: write ",
        ),
        (f"fields:\n{TOP}  web: {{paths: [a]}}\n", "1:8: fields must be a list: "),
        (f"fields: [{{kind: A}}]\n{TOP}  web: {{paths: [a]}}\n", "1:10: a field needs kind and path: write `{kind: My"),
        (f"fields: [{{path: b}}]\n{TOP}  web: {{paths: [a]}}\n", "1:10: a field needs kind and path: "),
        (f"fields: [{{kind: A, path: b, of: c}}]\n{TOP}  web: {{paths: [a]}}\n", "1:29: unknown key 'of': known: "),
        (
            f"fields: [{{kind: v1/A, path: b}}]\n{TOP}  web: {{paths: [a]}}\n",
            "1:17: kind 'v1/A' is not valid: ",
        ),
        (f"fields: [{{kind: A, path: /b}}]\n{TOP}  web: {{paths: [a]}}\n", "1:26: path '/b' is not valid: write keys"),
        (f"fields: [{{kind: A, path: 'a[0].b'}}]\n{TOP}  web: {{paths: [a]}}\n", "1:26: path 'a[0].b' is not valid: "),
        # deploy
        (one("deploy: 'no'"), "6:13: deploy 'no' is not valid: write `deploy: false` for what is only built."),
        (one("deploy:"), "6:12: deploy must be one line of text: "),
        (one("deploy: [false]"), "6:13: deploy must be one line of text: "),
        # services
        ("image: a\nmanifests: b\nservices:\n", "3:10: services must be a mapping: "),
        ("image: a\nmanifests: b\nservices: {}\n", "3:11: no service is configured: add one below `services:`."),
        ("image: a\nmanifests: b\nservices: [web]\n", "3:11: services must be a mapping: "),
        (f"{TOP}  web:\n", "4:7: service 'web' must be a mapping: "),
        (f"{TOP}  Web: {{image: a, paths: [a]}}\n", "4:8: service name 'Web' is not valid: use lower-case letters"),
        (f"{TOP}  a b: {{image: a, paths: [a]}}\n", "4:8: service name 'a b' is not valid: "),
        (
            f"{TOP}  web: {{image: x, paths: [a]}}\n  api: {{image: x, paths: [b]}}\n",
            "5:8: services 'web' and 'api' have",
        ),
        (
            f"{TOP}  web: {{image: docker.io/acme/x, paths: [a]}}\n  api: {{image: acme/x, paths: [b]}}\n",
            "5:8: services 'web' and 'api' have one image, acme/x: ",
        ),
        (
            f"{TOP}  web: {{image: redis, paths: [a]}}\n  api: {{image: index.docker.io/library/redis, paths: [b]}}\n",
            "5:8: services 'web' and 'api' have one image, index.docker.io/library/redis: ",
        ),
        # paths
        (f"{TOP}  web: {{}}\n", "4:8: service 'web' has no paths: add `paths: [web/**]`."),
        (f"{TOP}  web: {{paths: []}}\n", "4:16: paths is empty: write at least one entry, or leave the key out."),
        (f"{TOP}  web: {{paths: web/**}}\n", "4:16: paths must be a list: write `paths: [one, two]`."),
        (f"{TOP}  web: {{paths: [web/**, [b]]}}\n", "4:25: an entry of paths must be one line of text: "),
        (f"{TOP}  web: {{paths: [web/**, '']}}\n", "4:25: an entry of paths must be one line of text: "),
        (f"{TOP}  web: {{paths: [web/**, /b]}}\n", "4:25: glob '/b' can match nothing: "),
        (f"{TOP}  web: {{paths: [web/**, ../b]}}\n", "4:25: glob '../b' can match nothing: "),
        (f"{TOP}  web: {{paths: [web/**, './b']}}\n", "4:25: glob './b' can match nothing: "),
        (f"{TOP}  web: {{paths: [web/**, 'b[']}}\n", "4:25: glob 'b[' can match nothing: "),
        (
            f"{TOP}  web: {{paths: ['!web/**']}}\n",
            "4:16: glob '!web/**' can match nothing: At least one glob must select",
        ),
        # settings
        (one("context: /web"), "6:14: context '/web' is not a path in this repository: write it relative"),
        (one("context: a/../b"), "6:14: context 'a/../b' is not a path in this repository: "),
        (one("context: a//b"), "6:14: context 'a//b' is not a path in this repository: "),
        (one("dockerfile: ../Dockerfile"), "6:17: dockerfile '../Dockerfile' is not a path in this repository: "),
        (one("dockerfile: ''"), "6:17: dockerfile must be one line of text: "),
        (one("platforms: linux/amd64"), "6:16: platforms must be a list: "),
        (one("platforms: []"), "6:16: platforms is empty: "),
        (one("platforms: [linux]"), "6:16: platform 'linux' is not valid: write os/architecture, like linux/amd64"),
        (one("build_args: [A=1]"), "6:17: build_args must be a mapping: "),
        (one("build_args: {A-B: c}"), "6:23: build argument 'A-B' is not a variable name: "),
        (one("build_args: {A: [b]}"), "6:21: build argument 'A' must be one line of text: "),
        (one('build_args: {A: "b\\nc"}'), "6:21: build argument 'A' must be one line of text: "),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_to_write_instead(text: str | bytes, fault: str) -> None:
    (told,) = faults(text)
    assert told.startswith(f"c.yaml:{fault}")
    _, _, hint = told.rpartition(": ")
    assert hint.endswith((".", "?"))


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        "branch: a..b\nmanifests: /k8s\nimages: ghcr.io/acme/{service}\nservices:\n"
        "  Web:\n    path: [web/**]\n    platforms: [linux, amd64]\n"
        "  api: {image: ghcr.io/acme/API, paths: ['[', /b], build_args: {1A: x}}\n"
    )
    starts = [
        "1:9: branch 'a..b' is not valid",
        "2:12: manifests '/k8s' is not a path in this repository",
        "3:1: unknown key 'images'",
        "6:5: service 'Web' has no image",
        "6:5: service 'Web' has no paths",
        "6:5: service name 'Web' is not valid",
        "6:5: unknown key 'path'",
        "7:16: platform 'amd64' is not valid",
        "7:16: platform 'linux' is not valid",
        "8:16: invalid repository 'ghcr.io/acme/API'",
        "8:42: glob '[' can match nothing",
        "8:47: glob '/b' can match nothing",
        "8:69: build argument '1A' is not a variable name",
    ]
    told = faults(text)
    assert [fault.removeprefix("c.yaml:")[: len(start)] for fault, start in zip(told, starts, strict=True)] == starts


def test_the_hint_counts_the_faults() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load("manifest: x\nimage: a\nservices: {web: {paths: [a]}}\n")
    assert refused.value.hint == f"mend the 2 faults in c.yaml; {MANUAL}/configuration.md describes every key."


def test_an_anchor_may_be_used_again() -> None:
    text = f"{TOP}  web: {{paths: &p [a/**, b/**]}}\n  api: {{paths: *p, platforms: &x [linux/amd64]}}\n"
    web, api = load(text).services
    assert web.paths == api.paths
    assert api.settings.platforms == ("linux/amd64",)


def test_an_alias_of_a_whole_service_is_a_service_of_its_own() -> None:
    web, api = load(f"{TOP}  web: &w {{paths: [a/**]}}\n  api: *w\n").services
    assert (str(web.repository), str(api.repository)) == ("ghcr.io/acme/web", "ghcr.io/acme/api")


def test_an_alias_of_itself_ends_in_a_complaint() -> None:
    assert faults(f"{TOP}  web: &w {{paths: [a], build_args: *w}}\n")


def test_deep_nesting_ends_in_a_complaint() -> None:
    assert faults("a: " + "[" * 5_000)


@pytest.mark.parametrize(
    "value",
    ["on", "yes", "no", "1.10", "012", "0x1f", "1e3", "1_000", "null", "~", "true", "2024-01-01", ".inf", "12:30:45"],
)
def test_a_value_stays_the_text_that_is_written(value: str) -> None:
    text = f"branch: '{value.replace('~', 'x').replace(':', '').lstrip('.')}'\n" + one(f"build_args: {{A: {value}}}")
    assert load(text).services[0].settings.build_args == (("A", value),)


@pytest.mark.parametrize("name", ["on", "1.10", "012", "null", "2024-01-01"])
def test_a_name_stays_the_text_that_is_written(name: str) -> None:
    found = load(f"branch: {name}\n{TOP}  {name}: {{paths: [{name}]}}\n")
    assert (found.branch, found.services[0].name, found.services[0].paths.globs) == (name, name, (name,))


def test_build_arguments_are_compared_whatever_their_order() -> None:
    one_way, other = (load(one(f"build_args: {{{args}}}")).services[0] for args in ("A: x, B: 'y'", 'B: y, A: "x"'))
    assert one_way.settings == other.settings


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: f"# größer\n{text}".encode(),
    ],
    ids=["BOM", "CRLF", "UTF-16", "no final newline", "not ASCII"],
)
def test_the_bytes_of_the_file_may_be_any_that_yaml_allows(encode: Callable[[str], bytes]) -> None:
    assert load(encode(one("context: web"))) == load(one("context: web"))


def test_columns_count_characters_behind_a_bom() -> None:
    assert faults(codecs.BOM_UTF8 + b"manifest: x\nimage: a\nservices: {a: {paths: [b]}}\n")[0].startswith(
        "c.yaml:1:1: "
    )


SERVICES = load(f"{TOP}  web: {{paths: [a]}}\n  api: {{paths: [b]}}\n  api-docs: {{paths: [c]}}\n")


def test_services_are_selected_in_the_order_of_the_file() -> None:
    assert [s.name for s in SERVICES.select(["api", "web", "api"])] == ["web", "api"]
    assert [s.name for s in SERVICES.select([])] == ["web", "api", "api-docs"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wbe", "did you mean 'web'?"), ("apis", "did you mean 'api'?"), ("zzz", "known: web, api, api-docs.")],
)
def test_an_unknown_service_gets_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no service is called '{name}'") as refused:
        SERVICES.select(["web", name])
    assert refused.value.hint == hint


def test_every_entry_has_its_line_by_its_keys() -> None:
    data = (
        b"manifests: k8s\nservices:\n  a: {context: x, paths: [a/**, b]}\n  b:\n    paths:\n      - c\n      - '!d'\n"
    )
    assert lines(data) == {
        ("manifests",): 1,
        ("services",): 2,
        ("services", "a"): 3,
        ("services", "a", "context"): 3,
        ("services", "a", "paths"): 3,
        ("services", "a", "paths", "a/**"): 3,
        ("services", "a", "paths", "b"): 3,
        ("services", "b"): 4,
        ("services", "b", "paths"): 5,
        ("services", "b", "paths", "c"): 6,
        ("services", "b", "paths", "!d"): 7,
    }
    assert lines(b"") == {}


def test_argo_cds_names_are_optional() -> None:
    assert load(one("context: web")).argocd == ArgoCDNames()
    text = "argocd: {application: orbit-idp, project: applications, namespace: argo.cd}\n" + one("context: web")
    assert load(text).argocd == ArgoCDNames("orbit-idp", "applications", "argo.cd")


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("orbit", "argocd must be a mapping"),
        ("{aplication: orbit}", "unknown key 'aplication': did you mean 'application'?"),
        ("{application: Orbit}", "argocd.application 'Orbit' is not valid"),
        ("{project: -x}", "argocd.project '-x' is not valid"),
        ("{namespace: ''}", "argocd.namespace must be one line of text"),
        ("{namespace: [a]}", "argocd.namespace must be one line of text"),
        (f"{{project: {'a' * 254}}}", "argocd.project 'aaa"),
        ("{project: a, project: b}", "'project' is there twice"),
    ],
)
def test_argo_cds_names_are_names_of_kubernetes(value: str, start: str) -> None:
    (fault,) = faults(f"argocd: {value}\n" + one("context: web"))
    assert start in fault
