"""Names and ports inside the cluster, and the routes into it."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.infrastructure.cluster import ROOT, Cluster
from tests.infrastructure.design import HEADLESS, ROUTES, SERVICES, WORKLOADS

# A name of one label with a port, as an address or in a URL; not a part of a longer name, a path or an image.
ADDRESS = re.compile(r"(?<![\w.:/$-])(?:[a-z]+://(?:[^/@\s]*@)?)?([a-z][a-z0-9-]*):(\d{2,5})(?![\w.:@-])")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_its_ports(cluster: Cluster, name: str) -> None:
    assert cluster.ports[name] == SERVICES[name]


def test_there_are_no_other_services_and_none_is_open_to_the_outside(cluster: Cluster) -> None:
    services = cluster.kind("Service")
    assert set(services) == set(SERVICES)
    assert {service["spec"]["type"] for service in services.values()} == {"ClusterIP"}
    assert {name for name, service in services.items() if service["spec"].get("clusterIP") == "None"} == HEADLESS


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_leads_to_the_pods_of_its_name_alone(cluster: Cluster, name: str) -> None:
    spec = cluster.kind("Service")[name]["spec"]
    selected = [other for other, pod in cluster.pods.items() if spec["selector"].items() <= pod.labels.items()]
    assert selected == [name]
    assert [port["targetPort"] for port in spec["ports"]] == list(WORKLOADS[name].ports)


def test_redpanda_finds_itself_and_a_client_of_buildkit_keeps_its_node(cluster: Cluster) -> None:
    services = cluster.kind("Service")
    assert [name for name, found in services.items() if "publishNotReadyAddresses" in found["spec"]] == ["redpanda"]
    assert [name for name, found in services.items() if "sessionAffinity" in found["spec"]] == ["buildkit"]
    assert services["redpanda"]["spec"]["publishNotReadyAddresses"] is True
    assert services["buildkit"]["spec"]["sessionAffinity"] == "ClientIP"


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_selects_its_own_pods(cluster: Cluster, name: str) -> None:
    selector = cluster.running[name].workload["spec"]["selector"]["matchLabels"]
    assert selector == {"app.kubernetes.io/name": name}
    assert [other for other, pod in cluster.pods.items() if selector.items() <= pod.labels.items()] == [name]


def test_every_address_is_a_service_and_one_of_its_ports(cluster: Cluster) -> None:
    found = {(where, host, int(port)) for where, text in cluster.texts() for host, port in ADDRESS.findall(text)}
    assert len({(host, port) for _, host, port in found}) > len(SERVICES) / 2
    assert {
        (where, host, port) for where, host, port in found if port not in cluster.ports.get(host, {}).values()
    } == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("temporal:7233", [("temporal", "7233")]),
        ("http://minio:9000", [("minio", "9000")]),
        ("mongodb://{{ .A }}:{{ .B }}@mongodb:27017/x?y=z", [("mongodb", "27017")]),
        ("postgres://a:b@postgresql:5432/x", [("postgresql", "5432")]),
        ("0.0.0.0:5050 --addr=tcp://0.0.0.0:1234 :9001", []),
        ("https://orbit.hoytlabs.app:443 redis:7.4.7-alpine", []),
    ],
)
def test_an_address_is_recognised(text: str, found: list[tuple[str, str]]) -> None:
    assert ADDRESS.findall(text) == found


@pytest.mark.parametrize("host", ROUTES)
def test_a_hostname_leads_to_its_service_in_full(cluster: Cluster, host: str) -> None:
    name, port = ROUTES[host]
    route = cluster.kind("HTTPRoute")[name]
    gateway = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": "gateway",
        "name": "gateway-external",
        "sectionName": "https",
    }
    backend = {"group": "", "kind": "Service", "name": name, "port": port, "weight": 1}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [backend]}
    assert route["spec"] == {"parentRefs": [gateway], "hostnames": [host], "rules": [rule]}
    assert route["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] == host


def test_there_are_no_other_routes(cluster: Cluster) -> None:
    assert set(cluster.kind("HTTPRoute")) == {name for name, _ in ROUTES.values()}


def test_argo_cd_syncs_this_folder_and_undoes_what_others_change() -> None:
    application = yaml.safe_load((ROOT / "infrastructure/gitops/apps/orbit/application.yaml").read_bytes())
    assert application["metadata"] == {"name": "orbit-idp", "namespace": "argocd"}
    retry = application["spec"]["syncPolicy"].pop("retry")
    assert retry["limit"] > 2
    assert application["spec"] == {
        "project": "applications",
        "source": {
            "repoURL": "https://github.com/drewpayment/orbit",
            "targetRevision": "main",
            "path": "infrastructure/k8s",
        },
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "orbit"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]},
    }
