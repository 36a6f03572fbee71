"""One fault in a complete deployment is one finding, at its line; what may be right is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import dropwhile

import pytest

from orbit_release.check.finding import Note
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.wiring.rendered_groups import rendered_groups
from orbit_release.check.wiring.wiring_rules import RULES, check_wiring
from orbit_release.check.written_objects import ObjectFile, read
from orbit_release.errors import NotFoundError, OrbitReleaseError
from tests.shop import CONFIG, SHOP, WEB, changed, extended, line_of, tree

Found = tuple[str, str, str]


def nothing_renders(folders: Sequence[str]) -> dict[str, bytes | OrbitReleaseError]:
    return {folder: NotFoundError("no program") for folder in folders}


def wiring(files: Mapping[str, str]) -> list[Found]:
    """Return the findings as rule, file and the line's text."""
    found, notes = rendered_groups(ManifestFolder(tree(files), "k8s"), nothing_renders)
    assert notes == []
    findings = check_wiring(found)
    assert all(one.fix and one.message for one in findings)
    return [(one.rule.name, one.path.removeprefix("k8s/"), line_of(files, one.path, one.line)) for one in findings]


def deployment(name: str, container: str, kind: str = "Deployment", group: str = "apps") -> str:
    return f"""\
apiVersion: {group}/v1
kind: {kind}
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
        - {container}
"""


def custom(kind: str, name: str, spec: str = "{}", group: str = "acme.com") -> str:
    return f"apiVersion: {group}/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec: {spec}\n"


def environment(*entries: str) -> str:
    """Return the shop with more variables in the web's environment."""
    return "          env:\n" + "".join(f"            - {entry}\n" for entry in entries)


def with_variables(*entries: str) -> dict[str, str]:
    return changed("web", "          env:\n", environment(*entries))


def taken(reference: str) -> dict[str, str]:
    return with_variables(f"{{name: X, valueFrom: {{{reference}}}}}")


SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {}\n{}"
SEALED = (
    "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: sealed}\nspec: {encryptedData: {A: x}}\n"
)
FROM_STORE = (
    "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: store}\n"
    "spec:\n  dataFrom: [{extract: {key: a}}]\n"
)
REPLACED = (
    "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: whole}\nspec:\n"
    '  target: {template: {data: {URL: "x{{ .A }}"}}}\n  data: [{secretKey: A}]\n'
)
ROLE = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: maker}\n"
    "rules: [{resources: [secrets], verbs: [create]}]\n"
)


def test_the_shop_is_wired() -> None:
    assert wiring(SHOP) == []


FAULTS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "secret, environment": (taken("secretKeyRef: {name: gone, key: A}"), "missing-secret", "web", "{name: X"),
    "secret, envFrom": (
        changed("web", "          envFrom:\n", "          envFrom:\n            - secretRef: {name: gone}\n"),
        "missing-secret",
        "web",
        "- secretRef: {name: gone}",
    ),
    "secret, volume": (
        changed("web", "        - name: keys\n", "        - secret: {secretName: gone}\n        - name: keys\n"),
        "missing-secret",
        "web",
        "- secret: {secretName",
    ),
    "secret, projected": (
        changed(
            "web",
            "        - name: keys\n",
            "        - projected: {sources: [{secret: {name: gone}}]}\n        - name: keys\n",
        ),
        "missing-secret",
        "web",
        "- projected: {sources",
    ),
    "secret of another name than the ExternalSecret": (
        taken("secretKeyRef: {name: shop, key: DSN}"),
        "missing-secret",
        "web",
        "{name: X",
    ),
    "secret key": (changed("api", "key: DSN", "key: DSM"), "missing-secret-key", "api", "key: DSM"),
    "secret key, volume": (changed("web", "key: TLS_KEY", "key: TLS"), "missing-secret-key", "web", "- key: TLS"),
    "key of a Secret": (
        {
            **extended(SECRET.format("s", "stringData: {A: x}\n")),
            "k8s/web.yaml": taken("secretKeyRef: {name: s, key: B}")["k8s/web.yaml"],
        },
        "missing-secret-key",
        "web",
        "{name: X",
    ),
    "key of a SealedSecret": (
        {**extended(SEALED), "k8s/web.yaml": taken("secretKeyRef: {name: sealed, key: B}")["k8s/web.yaml"]},
        "missing-secret-key",
        "web",
        "{name: X",
    ),
    "key that the templates replace": (
        {**extended(REPLACED), "k8s/web.yaml": taken("secretKeyRef: {name: whole, key: A}")["k8s/web.yaml"]},
        "missing-secret-key",
        "web",
        "{name: X",
    ),
    "unused key": (
        changed("config", " # reserved: rotated in spring", ""),
        "unused-secret-key",
        "config",
        "- secretKey: OLD_KEY",
    ),
    "unused key, another comment": (
        changed("config", "reserved:", "rotated:"),
        "unused-secret-key",
        "config",
        "- secretKey: OLD_KEY",
    ),
    "unused template": (
        changed("config", "      data:\n", "      data:\n        OLD: x\n"),
        "unused-secret-key",
        "config",
        "OLD: x",
    ),
    "config map, envFrom": (
        changed(
            "web",
            "            - configMapRef:\n                name: web-config",
            "            - configMapRef:\n                name: gone",
        ),
        "missing-configmap",
        "web",
        "name: gone",
    ),
    "config map, volume": (
        changed(
            "web",
            "configMap:\n            name: web-config\n            items:\n"
            "              - key: nginx.conf\n                path: nginx.conf",
            "configMap:\n            name: gone",
        ),
        "missing-configmap",
        "web",
        "name: gone",
    ),
    "config map key": (changed("web", "key: level", "key: levels"), "missing-configmap-key", "web", "key: levels"),
    "config map key, volume": (
        changed("config", "nginx.conf: |", "nginx: |"),
        "missing-configmap-key",
        "web",
        "- key: nginx.conf",
    ),
    "claim": (changed("web", "claimName: uploads", "claimName: upload"), "missing-claim", "web", "claimName: upload"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    files, rule, path, text = FAULTS[name]
    found = wiring(files)
    assert [(one[0], one[1]) for one in found] == [(rule, f"{path}.yaml")]
    assert text in found[0][2]


QUIET: dict[str, dict[str, str]] = {
    "optional secret": taken("secretKeyRef: {name: gone, key: A, optional: true}"),
    "optional key": taken("secretKeyRef: {name: shop-secrets, key: A, optional: true}"),
    "optional volume": changed(
        "web", "        - name: keys\n", "        - secret: {secretName: gone, optional: true}\n        - name: keys\n"
    ),
    "optional config map": changed(
        "web",
        "name: web-config\n          volumeMounts",
        "name: gone\n                optional: true\n          volumeMounts",
    ),
    "secret whose keys the store decides": {
        **extended(FROM_STORE),
        "k8s/web.yaml": taken("secretKeyRef: {name: store, key: A}")["k8s/web.yaml"],
    },
    "secret that is filled later": {
        **extended(SECRET.format("late", "")),
        "k8s/web.yaml": taken("secretKeyRef: {name: late, key: A}")["k8s/web.yaml"],
    },
    "key of a sealed secret": {
        **extended(SEALED),
        "k8s/web.yaml": taken("secretKeyRef: {name: sealed, key: A}")["k8s/web.yaml"],
    },
    "key of a template": {
        **extended(REPLACED),
        "k8s/web.yaml": taken("secretKeyRef: {name: whole, key: URL}")["k8s/web.yaml"],
    },
    "secret of an operator": {
        **extended(custom("Certificate", "c", "{secretName: gone}")),
        "k8s/web.yaml": taken("secretKeyRef: {name: gone, key: A}")["k8s/web.yaml"],
    },
    "secret named after a cluster": {
        **extended(custom("Cluster", "pg")),
        "k8s/web.yaml": taken("secretKeyRef: {name: pg-app, key: A}")["k8s/web.yaml"],
    },
    "secret of a release": {
        **extended(custom("HelmRelease", "x")),
        "k8s/web.yaml": taken("secretKeyRef: {name: gone, key: A}")["k8s/web.yaml"],
    },
    "secret that a program may make": {
        **extended(ROLE),
        "k8s/web.yaml": taken("secretKeyRef: {name: gone, key: A}")["k8s/web.yaml"],
    },
    "secret that a program is told to make": {
        **extended(
            deployment("certgen", "args: [--secret-name=gone]", "Job", "batch"),
        ),
        "k8s/web.yaml": taken("secretKeyRef: {name: gone, key: A}")["k8s/web.yaml"],
    },
    "secrets that are all made by hand": {
        "k8s/kustomization.yaml": "resources: [pod.yaml]\n",
        "k8s/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
        "spec:\n  containers:\n    - envFrom: [{secretRef: {name: gone}}]\n",
    },
    "secret taken whole": changed("config", " # reserved: rotated in spring", "")
    | {
        "k8s/web.yaml": WEB.replace(
            "          envFrom:\n", "          envFrom:\n            - secretRef: {name: shop-secrets}\n"
        )
    },
    "secret that nobody here takes": extended(
        FROM_STORE.replace("dataFrom: [{extract: {key: a}}]", "data: [{secretKey: A}]")
    ),
    "secret that a custom resource takes": {
        **extended(custom("Backup", "b", "{from: shop-secrets}")),
        "k8s/config.yaml": CONFIG.replace(" # reserved: rotated in spring", ""),
    },
    "template that takes all": changed("config", " # reserved: rotated in spring", "")
    | {
        "k8s/config.yaml": CONFIG.replace(" # reserved: rotated in spring", "").replace(
            "{{ .DB_PASSWORD }}", "{{ range $k, $v := . }}{{ end }}"
        )
    },
    "config map of the cluster": changed(
        "web", "name: web-config\n          volumeMounts", "name: kube-root-ca.crt\n          volumeMounts"
    ),
    "claim of a set": extended(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
        "  volumes: [{name: x, persistentVolumeClaim: {claimName: data-db-0}}]\n  containers: []\n"
    ),
    "volume that a claim template replaces": changed(
        "db",
        "      containers:\n",
        "      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n      containers:\n",
    ),
    "other kinds of that name": extended(custom("Service", "api", "{template: {}}", "serving.knative.dev")),
    "nothing but names": extended(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: empty}\ndata:\n", "", "# no document\n"
    ),
    "merges that form a circle": extended(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: circle}\ndata: &a\n  <<: *a\n  x: http://web\n"
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_may_be_right_is_no_finding(name: str) -> None:
    assert wiring(QUIET[name]) == []


def test_every_rule_is_broken_by_a_fault() -> None:
    assert {rule.name for rule in RULES} - {"refused-kustomization"} == {rule for _, rule, *_ in FAULTS.values()}


def test_a_kustomization_that_includes_what_is_not_there() -> None:
    files = {**SHOP, "k8s/kustomization.yaml": SHOP["k8s/kustomization.yaml"].rstrip() + "\n  - gone.yaml\n"}
    _, others = rendered_groups(ManifestFolder(tree(files), "k8s"), nothing_renders)
    assert [other.message for other in others if isinstance(other, Note)] == [
        "wiring of k8s was not checked: k8s/kustomization.yaml includes gone.yaml, which is not there"
    ]


def test_a_folder_without_kustomization_is_all_its_files() -> None:
    files = {path: text for path, text in changed("web", "key: level", "key: levels").items() if "kustom" not in path}
    assert [rule for rule, *_ in wiring(files)] == ["missing-configmap-key"]


def test_a_chart_is_left_to_helm() -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
    pod += "    - {envFrom: [{configMapRef: {name: gone}}]}\n"
    assert [rule for rule, *_ in wiring({"k8s/p.yaml": pod})] == ["missing-configmap"]
    assert wiring({"k8s/x/templates/p.yaml": pod, "k8s/x/Chart.yaml": "name: x\n"}) == []


VALUES = ("null", "[]", "{}", "[[x]]", "{x: {y: z}}", "text", "7")
parsed_once = cache(read)  # all but one of the shop's files stay the same


class Remembering(ManifestFolder):
    """A folder of manifests whose files are parsed once for all tests."""

    def source(self, path: str) -> ObjectFile:
        return parsed_once(self.data(path), path)


def is_below(key: str, line: str) -> bool:
    return line != "---" and len(line) - len(line.lstrip(" -")) > len(key) - len(key.lstrip(" -"))


def each_field_with(lines: list[str], value: str) -> Iterator[str]:
    """Yield the text with one field after the other holding a value, without what was below it."""
    for at, line in enumerate(lines):
        key, colon, _ = line.partition(":")
        if colon:
            rest = dropwhile(partial(is_below, key), lines[at + 1 :])
            yield "\n".join([*lines[:at], f"{key}: {value}", *rest, ""])


@pytest.mark.parametrize("path", [path for path in SHOP if path.startswith("k8s/")])
def test_whatever_a_field_holds_it_is_read(path: str) -> None:
    for text in (text for value in VALUES for text in each_field_with(SHOP[path].splitlines(), value)):
        groups, _ = rendered_groups(Remembering(tree({**SHOP, path: text}), "k8s"), nothing_renders)
        check_wiring(groups)


def test_examples_beside_each_other_do_not_meet() -> None:
    declares = SECRET.format("s", "stringData: {A: x}\n")
    needs = deployment("web", "envFrom: [{secretRef: {name: gone}}]")
    assert wiring({"k8s/a/x.yaml": f"{needs}---\n{declares}"}) != []
    both = {"k8s/a/x.yaml": f"{needs}---\n{declares}", "k8s/b/x.yaml": needs}  # whose Secrets are made by hand
    assert [path for _, path, _ in wiring(both)] == ["a/x.yaml"]


def test_what_another_application_makes_is_there() -> None:
    rest = {path.replace("k8s/", "k8s/a/"): text for path, text in SHOP.items() if path != "k8s/config.yaml"}
    rest["k8s/a/kustomization.yaml"] = SHOP["k8s/kustomization.yaml"].replace("  - config.yaml\n", "")
    files = {
        **rest,
        "k8s/b/kustomization.yaml": "namespace: shop\nresources: [config.yaml]\n",
        "k8s/b/config.yaml": CONFIG,
    }
    assert wiring(files) == []
    files["k8s/a/web.yaml"] = WEB.replace("key: level", "key: levels")
    assert [rule for rule, *_ in wiring(files)] == ["missing-configmap-key"]
    files["k8s/b/kustomization.yaml"] = "namespace: other\nresources: [config.yaml]\n"
    assert "missing-configmap" in {rule for rule, *_ in wiring(files)}


def test_only_the_top_most_kustomizations_are_started_from() -> None:
    faulty = changed("web", "key: level", "key: levels")
    broken = {f"k8s/old/{path.removeprefix('k8s/')}": text for path, text in faulty.items()}
    assert wiring({**broken, **SHOP}) == []
    assert wiring({**broken, "k8s/new/kustomization.yaml": "resources: []\n"}) != []
