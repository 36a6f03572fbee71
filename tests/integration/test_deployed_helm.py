"""Helm values, overrides of Argo CD, and workloads of many kinds: what decides there is released, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.deployed import Case, check, workload

API, WEB = "ghcr.io/acme/api", "ghcr.io/acme/web"
CHART = {"deploy/c/Chart.yaml": "name: c\nversion: 1.0.0\n"}
IMAGE_OLD, IMAGE_NOW = (f"image:\n  repository: {API}\n  tag: {tag} # of the chart\n" for tag in ("OLD", "NOW"))
TEMPLATE = "{{- if .Values.on }}\nkind: Pod\nimage: ghcr.io/acme/api:{{ .Values.image.tag }}\n{{- end }}\n"
DEPENDENCY = "dependencies:\n  - {name: svc, alias: @, version: 1.0.0, repository: 'file://../svc'}\n"
RELEASE = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: c}\nspec:\n"
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source:
    path: charts/c
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: x, image: 'busybox:1'}]\n"
WORKFLOW = f"""\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {{name: w}}
spec:
  workflowSpec:
    templates:
      - name: a
        container: {{image: {API}:NOW}}
      - name: b
        script: {{image: {API}:NOW, source: x}}
        sidecars: [{{name: s, image: {API}:NOW}}]
"""
ENGINE = f"apiVersion: x/v1\nkind: Engine\nmetadata: {{name: e}}\nspec:\n  parts:\n    - image: {API}:NOW\n"
FIELDS = "fields: [{kind: Engine, path: 'spec.parts[].image'}]\n"

RELEASED: dict[str, dict[str, str | bytes]] = {
    "repository and tag": {"deploy/values.yaml": IMAGE_NOW},
    "registry, repository and tag": {
        "deploy/values.yaml": "api:\n  image: {registry: ghcr.io, repository: acme/api, tag: 'NOW'}\n"
    },
    "a whole reference in a list": {"deploy/values.yaml": f"services:\n  - name: api\n    image: {API}:NOW\n"},
    "beside templates": {**CHART, "deploy/c/values.yaml": IMAGE_NOW, "deploy/c/templates/d.yaml": TEMPLATE},
    "the outermost file": {
        **CHART,
        "deploy/c/values.yaml": IMAGE_OLD,
        "deploy/c/values-production.yaml": "image: {tag: NOW}\n",
    },
    "over a chart inside": {
        **CHART,
        "deploy/c/values.yaml": "api: {image: {tag: NOW}}\n",
        "deploy/c/charts/api/Chart.yaml": "name: api\n",
        "deploy/c/charts/api/values.yaml": IMAGE_OLD,
    },
    "a chart inside alone": {
        **CHART,
        "deploy/c/values.yaml": "api: {replicas: 2}\n",
        "deploy/c/charts/api/Chart.yaml": "name: api\n",
        "deploy/c/charts/api/values.yaml": IMAGE_NOW,
    },
    "over a chart beside": {
        "deploy/c/Chart.yaml": f"name: c\n{DEPENDENCY.replace('@', 'api')}",
        "deploy/c/values.yaml": "api: {image: {tag: NOW}}\n",
        "deploy/svc/Chart.yaml": "name: svc\n",
        "deploy/svc/values.yaml": IMAGE_OLD,
    },
    "a chart of a kustomization": {
        "deploy/kustomization.yaml": "helmCharts: [{name: c, valuesInline: {image: {tag: NOW}}}]\n",
        "deploy/charts/c/Chart.yaml": "name: c\n",
        "deploy/charts/c/values.yaml": IMAGE_OLD,
    },
    "values of a HelmRelease": {"deploy/r.yaml": f"{RELEASE}  values: {{image: {API}:NOW}}\n"},
    "a HelmRelease over a chart that lies elsewhere": {
        "deploy/r.yaml": f"{RELEASE}  chart: {{spec: {{chart: ./charts/c}}}}\n  values: {{image: {{tag: NOW}}}}\n",
        "charts/c/Chart.yaml": "name: c\n",
        "charts/c/values.yaml": IMAGE_OLD,
    },
    "valuesObject": {
        "deploy/a.yaml": f"{APPLICATION}    helm: {{valuesObject: {{image: {{repository: {API}, tag: NOW}}}}}}\n"
    },
    "parameters over a chart that lies elsewhere": {
        "deploy/a.yaml": f"{APPLICATION}    helm: {{parameters: [{{name: image.tag, value: NOW}}]}}\n",
        "charts/c/Chart.yaml": "name: c\n",
        "charts/c/values.yaml": IMAGE_OLD,
    },
    "parameters beside the values that they override": {
        **CHART,
        "deploy/a.yaml": f"{APPLICATION}    helm: {{parameters: [{{name: image.tag, value: NOW}}]}}\n".replace(
            "charts/c", "deploy/c"
        ),
        "deploy/c/values.yaml": IMAGE_NOW,
    },
    "images of an Application": {"deploy/a.yaml": f"{APPLICATION}    kustomize: {{images: ['api={API}:NOW']}}\n"},
    "a file of overrides beside what it overrides": {
        "deploy/.argocd-source-shop.yaml": f"kustomize:\n  images:\n    - {API}:NOW\n",
        "deploy/kustomization.yaml": "resources: [api.yaml]\n",
        "deploy/api.yaml": workload(f"{API}:NOW"),
    },
    "images of a Kustomization of Flux beside what they override": {
        "deploy/f.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: f}\n"
        f"spec:\n  path: ./deploy/app\n  images: [{{name: {API}, newTag: NOW}}]\n",
        "deploy/app/kustomization.yaml": "resources: [api.yaml]\n",
        "deploy/app/api.yaml": workload(f"{API}:NOW"),
    },
    "a file of overrides in a chart": {
        **CHART,
        "deploy/c/.argocd-source-shop.yaml": "helm:\n  parameters:\n    - {name: image.tag, value: NOW}\n",
        "deploy/c/values.yaml": IMAGE_NOW,
    },
    "an image volume": {"deploy/p.yaml": f"{POD}  volumes: [{{name: v, image: {{reference: {API}:NOW}}}}]\n"},
    "an ephemeral container": {"deploy/p.yaml": f"{POD}  ephemeralContainers: [{{name: e, image: {API}:NOW}}]\n"},
    "a Knative Service": {"deploy/s.yaml": workload(f"{API}:NOW", "Service", "serving.knative.dev/v1")},
    "a CronWorkflow": {"deploy/w.yaml": WORKFLOW},
    "a CloneSet": {"deploy/s.yaml": workload(f"{API}:NOW", "CloneSet", "apps.kruise.io/v1alpha1")},
    "a kind that is shaped like a Deployment": {"deploy/s.yaml": workload(f"{API}:NOW", "Frobnicator", "x.io/v1")},
    "a List in a List": {
        "deploy/l.yaml": "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: List\n    items:\n      - "
        + workload(f"{API}:NOW").replace("\n", "\n        ").rstrip()
        + "\n"
    },
    "JSON": {
        "deploy/p.json": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},\n "spec": {"containers":'
        f' [{{"name": "a", "image": "{API}:NOW"}}]}}}}\n'
    },
}


@pytest.mark.parametrize("name", RELEASED)
def test_what_decides_is_released(name: str, tmp_path: Path) -> None:
    check(Case(RELEASED[name]), tmp_path)


NAMED = {
    "values of any name": Case({"deploy/prod.yaml": IMAGE_NOW}, manifests="deploy/prod.yaml"),
    "the values of one environment": Case(
        {
            **CHART,
            "deploy/c/values.yaml": IMAGE_OLD,
            "deploy/c/values-a.yaml": "image: {tag: NOW}\n",
            "deploy/c/values-b.yaml": "image: {tag: OLD}\n",
        },
        manifests="deploy/c/values-a.yaml",
    ),
    "a field of a custom resource": Case({"deploy/e.yaml": ENGINE}, more=FIELDS),
    "such a field below a kustomization": Case(
        {"deploy/e.yaml": ENGINE, "deploy/kustomization.yaml": "resources: [e.yaml]\n"}, more=FIELDS
    ),
    "two charts of one, with one tag": Case(
        {
            "deploy/c/Chart.yaml": "name: c\n"
            + DEPENDENCY.replace("@", "api")
            + DEPENDENCY.replace("@", "web").partition("\n")[2],
            "deploy/c/values.yaml": f"api: {{image: {{repository: {API}}}}}\nweb: {{image: {{repository: {WEB}}}}}\n",
            "deploy/svc/Chart.yaml": "name: svc\n",
            "deploy/svc/values.yaml": "image: {repository: x, tag: NOW}\n",
        },
        err=("deploy/svc/values.yaml:1: this is the tag of ghcr.io/acme/web as well",),
    ),
    "values of any name below a folder": Case(
        {"deploy/prod.yaml": IMAGE_OLD},
        code=3,
        err=("deploy/prod.yaml:2 names one where no image is known", "a file of Helm values in `manifests:`"),
    ),
    "a custom resource without `fields:`": Case(
        {"deploy/e.yaml": ENGINE.replace("NOW", "OLD")}, code=3, err=("deploy/e.yaml:6 names one", "in `fields:`")
    ),
    "two files over one chart": Case(
        {
            **CHART,
            "deploy/c/values.yaml": IMAGE_OLD,
            "deploy/c/values-a.yaml": "image: {tag: OLD}\n",
            "deploy/c/values-b.yaml": "image: {tag: OLD}\n",
        },
        code=3,
        err=("deploy holds 2 environments of ghcr.io/acme/api: deploy/c/values-a.yaml, deploy/c/values-b.yaml",),
    ),
    "a file that leaves the tag to the chart": Case(
        {**CHART, "deploy/c/values.yaml": IMAGE_OLD, "deploy/c/values-a.yaml": "replicas: 2\n"},
        manifests="deploy/c/values-a.yaml",
        code=4,
        err=("deploy/c/values.yaml:3 decides, .* set the tag in deploy/c/values-a.yaml", "hint: Write `tag:` there"),
    ),
    "values without a tag": Case(
        {"deploy/values.yaml": f"image: {{repository: {API}}}\n"},
        code=4,
        err=("deploy/values.yaml:1: ghcr.io/acme/api stands here without a tag", "`latest`"),
    ),
    "values with a digest": Case(
        {"deploy/values.yaml": f"image: {{repository: {API}, tag: OLD, digest: 'SEALED'}}\n"},
        code=4,
        err=("deploy/values.yaml:1: api is pinned to a digest",),
    ),
    "a block of values": Case(
        {"deploy/a.yaml": f"{APPLICATION}    helm:\n      values: |\n        image: {API}:OLD\n"},
        code=4,
        err=("deploy/a.yaml:9: these values are a block of text", "below `valuesObject:`"),
    ),
    "a broken file over the chart's own values": Case(
        {**CHART, "deploy/c/values.yaml": IMAGE_OLD, "deploy/c/values-a.yaml": "<<<<<<< HEAD\nimage: {tag: OLD}\n"},
        code=4,
        err=("deploy/c/values-a.yaml:2: not valid YAML",),
    ),
    "an Application elsewhere that overrides a folder": Case(
        {
            "deploy/api.yaml": workload(f"{API}:OLD"),
            "argo/shop.yaml": APPLICATION.replace("charts/c", "deploy")
            + f"    kustomize:\n      images: ['{API}:OLD']\n",
        },
        code=4,
        err=("argo/shop.yaml:8: this overrides the image of ghcr.io/acme/api", "move the Application"),
    ),
    "an Application elsewhere of another folder": Case(
        {
            "deploy/api.yaml": workload(f"{API}:NOW"),
            "argo/shop.yaml": f"{APPLICATION}    kustomize:\n      images: ['{API}:OLD']\n",
        },
    ),
    "images by name": Case({"deploy/values.yaml": f"images: {{api: '{API}:NOW', web: '{WEB}:OLD'}}\n"}),
    "images by name, in parts": Case(
        {"deploy/values.yaml": "images: {api: {registry: ghcr.io, name: acme/api, tag: NOW}}\n"}
    ),
    "a hold on the chart's own values": Case(
        {
            **CHART,
            "deploy/c/values.yaml": IMAGE_OLD.replace("of the chart", "held: night"),
            "deploy/c/values-a.yaml": "image:\n  tag: NOW\n",
        },
        code=12,
        err=("api is held: night",),
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_or_refused(name: str, tmp_path: Path) -> None:
    check(NAMED[name], tmp_path)
