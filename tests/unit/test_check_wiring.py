"""One fault in a complete deployment is one finding, at its line; what may be right is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orbit_release.check.finding import Finding
from orbit_release.check.folder import Folder
from orbit_release.check.wiring.applications import applications
from orbit_release.check.wiring.rules import RULES, check_wiring
from orbit_release.errors import NotFoundError, OrbitReleaseError
from tests.shop import CONFIG, SHOP, WEB, changed, extended, line_of, tree

Found = tuple[str, str, str]


def nothing_renders(folders: Sequence[str]) -> dict[str, bytes | OrbitReleaseError]:
    return {folder: NotFoundError("no program") for folder in folders}


def wiring(files: Mapping[str, str]) -> list[Found]:
    """Return the findings as rule, file and the line's text."""
    found, notes = applications(Folder(tree(files), "k8s"), nothing_renders)
    assert notes == []
    findings = check_wiring(found)
    assert all(one.fix and one.message for one in findings)
    return [(one.rule.name, one.path.removeprefix("k8s/"), line_of(files, one.path, one.line)) for one in findings]


def deployment(name: str, labels: str, image: str = "acme/x", kind: str = "Deployment", more: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
spec:
  template:
    metadata:
      labels: {{{labels}}}
    spec:
      containers:
        - name: main
          image: {image}
{more}"""


def service(name: str, spec: str) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  {spec}\n"


def custom(kind: str, name: str, spec: str = "{}", group: str = "acme.com") -> str:
    return f"apiVersion: {group}/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec: {spec}\n"


def environment(*entries: str) -> str:
    """Return the shop with more variables in the web's environment."""
    return "          env:\n" + "".join(f"            - {entry}\n" for entry in entries)


def with_variables(*entries: str) -> dict[str, str]:
    return changed("web", "          env:\n", environment(*entries))


def variable(value: str, name: str = "X") -> dict[str, str]:
    return with_variables(f'{{name: {name}, value: "{value}"}}')


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
ROUTE = "apiVersion: gateway.networking.k8s.io/v1\nkind: {}\nmetadata:\n  name: r\nspec:\n  rules:\n    - {}\n"
PORT = "          ports: [{name: http, containerPort: 80}]\n"


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
    "address": (variable("api:8081"), "wrong-port", "web", "{name: X"),
    "address in an argument of a list": (variable("api:8080,web:81"), "wrong-port", "web", "{name: X"),
    "url": (variable("http://api:8081/v1"), "wrong-port", "web", "{name: X"),
    "url without a port": (variable("http://api/v1"), "wrong-port", "web", "{name: X"),
    "url with tls": (variable("https://web/"), "wrong-port", "web", "{name: X"),
    "url of a name in full": (variable("http://api.shop.svc.cluster.local:80"), "wrong-port", "web", "{name: X"),
    "url of a name with its namespace": (variable("http://api.shop"), "wrong-port", "web", "{name: X"),
    "url of a name in short": (variable("http://api.shop.svc:1"), "wrong-port", "web", "{name: X"),
    "dsn": (changed("web", "@db:5432", "@db:5433"), "wrong-port", "web", "value: postgres://user:5433@db:5433/shop"),
    "jdbc": (variable("jdbc:postgresql://db:5433/shop"), "wrong-port", "web", "{name: X"),
    "go dsn": (variable("user:pass@tcp(db:3306)/shop"), "wrong-port", "web", "{name: X"),
    "second of a list of hosts": (variable("mongodb://u:p@db:5432,db:27017/shop"), "wrong-port", "web", "{name: X"),
    "pod of a headless service": (variable("db-0.db:5433"), "wrong-port", "web", "{name: X"),
    "variable inside": (
        changed("web", "http://$(API_HOST):8080", "http://$(API_HOST):8081"),
        "wrong-port",
        "web",
        "value: http://$(API_HOST):8081",
    ),
    "address in a config map": (
        changed("config", "api:8080,", "api:8080,api:9090,"),
        "wrong-port",
        "config",
        "upstreams: api:8080,api:9090,web:80",
    ),
    "line of a config map's block": (
        changed("config", "http://web;", "http://web:3000;"),
        "wrong-port",
        "config",
        "location / { proxy_pass http://web:3000; }",
    ),
    "address in a template": (changed("config", "@db:5432", "@db:5433"), "wrong-port", "config", "DSN: postgres"),
    "service that selects nothing": (
        changed("api", "  selector:\n    app: api\n", "  selector:\n    app: apy\n"),
        "service-selector",
        "api",
        "app: apy",
    ),
    "service with a label too many of its own": (
        changed("api", "  selector:\n    app: api\n", "  selector:\n    app: api\n    part-of: shops\n"),
        "service-selector",
        "api",
        "app: api",
    ),
    "service that selects two": (
        changed("api", "  selector:\n    app: api\n", "  selector:\n    part-of: shop\n"),
        "service-selector",
        "api",
        "part-of: shop",
    ),
    "second workload with the labels of a first": (
        extended(deployment("other", "app: web, part-of: shop", more=PORT)),
        "service-selector",
        "web",
        "app: web",
    ),
    "target port by name": (
        changed("web", "targetPort: http", "targetPort: web"),
        "target-port",
        "web",
        "targetPort: web",
    ),
    "target port of one pod of a set": (
        extended(
            service(
                "db-0",
                "selector: {app: db, statefulset.kubernetes.io/pod-name: db-0}\n  ports: [{port: 1, targetPort: x}]",
            )
        ),
        "target-port",
        "more",
        "targetPort: x",
    ),
    "target port by number": (
        changed("api", "containerPort: 8080", "containerPort: 8081"),
        "target-port",
        "api",
        "- port: 8080",
    ),
    "route to a service": (
        changed("routes", "name: web\n          port", "name: wep\n          port"),
        "missing-backend",
        "routes",
        "- name: wep",
    ),
    "route to a port": (changed("routes", "port: 80\n", "port: 3000\n"), "missing-backend", "routes", "port: 3000"),
    "ingress to a service": (
        changed("routes", "name: api\n                port", "name: app\n                port"),
        "missing-backend",
        "routes",
        "name: app",
    ),
    "ingress to a port": (changed("routes", "number: 8080", "number: 80"), "missing-backend", "routes", "number: 80"),
    "ingress to a port by name": (
        changed("routes", "number: 8080", "name: http"),
        "missing-backend",
        "routes",
        "name: http",
    ),
    "mirror": (
        extended(ROUTE.format("HTTPRoute", "filters: [{requestMirror: {backendRef: {name: gone, port: 80}}}]")),
        "missing-backend",
        "more",
        "- filters",
    ),
    "grpc route": (
        extended(ROUTE.format("GRPCRoute", "backendRefs: [{name: gone, port: 80}]")),
        "missing-backend",
        "more",
        "- backendRefs",
    ),
    "probe": (
        changed("web", "port: http\n              path", "port: web\n              path"),
        "probe-port",
        "web",
        "port: web",
    ),
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
        "name: web-config\n          readiness",
        "name: gone\n                optional: true\n          readiness",
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
            deployment("certgen", "app: certgen", kind="Job", more="          args: [--secret-name=gone]\n").replace(
                "apps/v1", "batch/v1"
            )
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
        "web", "name: web-config\n          readiness", "name: kube-root-ca.crt\n          readiness"
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
    "headless service on a container's port": extended(
        service("headless", "{clusterIP: None, selector: {app: web}, ports: [{port: 1, targetPort: 3000}]}").replace(
            "spec:\n  {", "spec: {"
        )
    )
    | {
        "k8s/api.yaml": SHOP["k8s/api.yaml"].replace(
            "          env:\n", '          env:\n            - {name: X, value: "headless:3000,headless:1"}\n'
        )
    },
    "alias": extended(
        service("alias", "{type: ExternalName, externalName: example.com, ports: [{port: 80}]}").replace(
            "spec:\n  {", "spec: {"
        )
    )
    | {"k8s/web.yaml": variable("https://alias:8443")["k8s/web.yaml"]},
    "service without a selector": extended(service("outside", "ports: [{port: 5000}]")),
    "image in a variable": variable("postgres:16 api:2024 x/db:99", "IMAGES"),
    "version of a namesake": variable("db:16"),
    "other host": variable("http://example.com https://api.example.com:1 redis:6379"),
    "other namespace": variable("http://api.other:1 http://api.other.svc.cluster.local"),
    "port that is filled in": variable("http://api:$(PORT) http://api:${PORT} http://api-$(X):1 http://api:{{ .P }}"),
    "user that is called like a service": variable("postgres://api:1234$@db:5432/x"),
    "password that looks like a port": variable("postgres://api:1234!@db:5432/x"),
    "labels that only together tell": extended(
        deployment("one", "app: x, tier: a", "acme/1", more=PORT),
        deployment("two", "app: x, tier: b", "acme/2", more=PORT),
        deployment("three", "app: y, tier: a", "acme/3", more=PORT),
        service("x", "selector: {app: x, tier: a}\n  ports: [{port: 80}]"),
    ),
    "path and file": variable("/api:81 ./api:8081 x.api:81"),
    "longer name": variable("my-api:81 api-v2:81 apis:81"),
    "service in words": variable("see http://web, or (http://web) and http://web/#top"),
    "srv record": variable("mongodb+srv://db/shop"),
    "canary": extended(deployment("web-canary", "app: web, part-of: shop, track: canary", "acme/other", more=PORT)),
    "second workload with one image": extended(
        deployment("web-2", "app: web", "ghcr.io/acme/web:sha-9999999", more=PORT)
    ).copy(),
    "job with the labels of a service": extended(
        deployment("migrate", "app: web", kind="Job").replace("apps/v1", "batch/v1")
    ),
    "label that is set on the leader": changed(
        "api", "  selector:\n    app: api\n", "  selector:\n    app: api\n    role: leader\n"
    ),
    "label of a controller": changed(
        "db",
        "  selector:\n    app: db\n  ports",
        "  selector:\n    app: db\n    statefulset.kubernetes.io/pod-name: db-0\n  ports",
    ),
    "pods of an operator": extended(
        service("kafka", "selector: {cluster: bus}"), custom("Kafka", "x", "{cluster: bus}")
    ),
    "gossip": extended(
        service("gossip", "{clusterIP: None, selector: {part-of: shop}, ports: [{port: 7946}]}").replace(
            "spec:\n  {", "spec: {"
        )
    ),
    "port that is not declared": changed(
        "api", "          ports:\n            - name: grpc\n              containerPort: 8080\n", ""
    ),
    "port beside a declared one": changed(
        "api", "    - port: 8080\n", "    - {name: a, port: 8080}\n    - {name: b, port: 9000}\n"
    ),
    "port that the command says": changed(
        "api", "containerPort: 8080", "containerPort: 8081\n          args: [--listen=:8080]"
    ),
    "declared port of a probe": changed(
        "api", "containerPort: 8080", "containerPort: 8081\n          livenessProbe: {tcpSocket: {port: 8081}}"
    ),
    "declared port of the metrics": changed(
        "api", "name: grpc\n              containerPort: 8080", "name: metrics\n              containerPort: 9090"
    ),
    "unused port of a headless service": changed(
        "db", "      port: 5432", "      port: 5432\n    - {name: unused, port: 10811}"
    ),
    "probe of another port by number": changed("web", "port: 3000", "port: 3001"),
    "route to another namespace": extended(
        ROUTE.format("HTTPRoute", "backendRefs: [{name: gone, namespace: other, port: 80}]")
    ),
    "route to another kind": extended(
        ROUTE.format("HTTPRoute", "backendRefs: [{group: acme.com, kind: Bucket, name: gone}]")
    ),
    "ingress by annotation": changed("routes", "number: 8080", "name: use-annotation"),
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
    assert {rule.name for rule in RULES} - {"missing-resource", "refused-kustomization"} == {
        rule for _, rule, *_ in FAULTS.values()
    }


def test_a_kustomization_that_includes_what_is_not_there() -> None:
    files = {**SHOP, "k8s/kustomization.yaml": SHOP["k8s/kustomization.yaml"].rstrip() + "\n  - gone.yaml\n"}
    _, others = applications(Folder(tree(files), "k8s"), nothing_renders)
    assert [(one.rule.name, one.path) for one in others if isinstance(one, Finding)] == [
        ("missing-resource", "k8s/kustomization.yaml")
    ]
    assert [line_of(files, one.path, one.line) for one in others if isinstance(one, Finding)] == ["- gone.yaml"]


def test_a_folder_without_kustomization_is_all_its_files() -> None:
    files = {
        path: text
        for path, text in changed("web", "targetPort: http", "targetPort: web").items()
        if "kustom" not in path
    }
    assert [rule for rule, *_ in wiring(files)] == ["target-port"]


def test_a_chart_is_left_to_helm() -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
    pod += "    - {envFrom: [{configMapRef: {name: gone}}]}\n"
    assert [rule for rule, *_ in wiring({"k8s/p.yaml": pod})] == ["missing-configmap"]
    assert wiring({"k8s/x/templates/p.yaml": pod, "k8s/x/Chart.yaml": "name: x\n"}) == []


@pytest.mark.parametrize("path", [path for path in SHOP if path.startswith("k8s/")])
@pytest.mark.parametrize("value", ["null", "[]", "{}", "[[x]]", "{x: {y: z}}", "text", "7"])
def test_whatever_a_field_holds_it_is_read(path: str, value: str) -> None:
    lines = SHOP[path].splitlines()
    for at, one in enumerate(lines):
        key, colon, _ = one.partition(":")
        if colon:
            indented = len(key) - len(key.lstrip(" -"))
            rest = at + 1
            while (
                rest < len(lines)
                and lines[rest] != "---"
                and len(lines[rest]) - len(lines[rest].lstrip(" -")) > indented
            ):
                rest += 1
            text = "\n".join([*lines[:at], f"{key}: {value}", *lines[rest:], ""])
            found, _ = applications(Folder(tree({**SHOP, path: text}), "k8s"), nothing_renders)
            check_wiring(found)


def test_examples_beside_each_other_do_not_meet() -> None:
    one, two = (
        deployment("web", "app: web", more=PORT),
        service("web", "{selector: {app: web}, ports: [{port: 80}]}").replace("spec:\n  {", "spec: {"),
    )
    other = deployment("web", "app: web", "acme/y", more=PORT)
    assert wiring({"k8s/a/x.yaml": f"{one}---\n{two}", "k8s/b/x.yaml": f"{other}---\n{two}"}) == []


def test_what_another_application_makes_is_there() -> None:
    rest = {path.replace("k8s/", "k8s/a/"): text for path, text in SHOP.items() if path != "k8s/db.yaml"}
    rest["k8s/a/kustomization.yaml"] = SHOP["k8s/kustomization.yaml"].replace("  - db.yaml\n", "")
    files = {
        **rest,
        "k8s/b/kustomization.yaml": "namespace: shop\nresources: [db.yaml]\n",
        "k8s/b/db.yaml": SHOP["k8s/db.yaml"],
    }
    assert wiring(files) == []
    files["k8s/a/web.yaml"] = WEB.replace("@db:5432", "@db:5433")
    assert [rule for rule, *_ in wiring(files)] == ["wrong-port"]


def test_only_the_top_most_kustomizations_are_started_from() -> None:
    broken = {f"k8s/old/{path.removeprefix('k8s/')}": text for path, text in changed("web", ": http", ": x").items()}
    assert wiring({**broken, **SHOP}) == []
    assert wiring({**broken, "k8s/new/kustomization.yaml": "resources: []\n"}) != []


def test_labels_of_a_kustomization_tell_pods_apart() -> None:
    both = f"{deployment('x', 'tier: x', more=PORT)}---\n{service('x', 'selector: {tier: x}')}"
    files = {"k8s/kustomization.yaml": "resources: [a, b]\n"}
    for name in "ab":
        text = both.replace("name: x", f"name: {name}").replace("acme/x", f"acme/{name}")
        files |= {
            f"k8s/{name}/x.yaml": text,
            f"k8s/{name}/kustomization.yaml": f"commonLabels: {{app: {name}}}\nresources: [x.yaml]\n",
        }
    assert wiring(files) == []
    files["k8s/b/kustomization.yaml"] = "resources: [x.yaml]\n"
    assert [rule for rule, *_ in wiring(files)] == ["service-selector"]
