"""What runs: images, users, resources, ports, probes and security, by workload."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from orbit_release.cli.time_arguments import parse_length
from orbit_release.cli.wait import wait_command
from tests.infrastructure.cluster import ROOT, Cluster, secrets
from tests.infrastructure.design import (
    BROKER,
    COMMANDS,
    CUSTOM,
    DYNAMIC_CONFIGURATION,
    ENVIRONMENT,
    GHCR,
    GRACE,
    HELPERS,
    MOUNTS,
    PROBES,
    SECRETS,
    SLOW_STARTS,
    TOKEN,
    UNCONFINED,
    USERS,
    WORKLOADS,
    WRITABLE_ROOT,
)

by_workload = pytest.mark.parametrize("name", WORKLOADS)
# All that pods and containers may have; host networks, host ports and their like are not among them.
POD_FIELDS = {"serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "securityContext", "volumes"}
POD_FIELDS |= {"initContainers", "containers", "restartPolicy", "terminationGracePeriodSeconds"}
SECURITY_FIELDS = {"runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile", "appArmorProfile"}
CONTAINER_FIELDS = {"name", "image", "imagePullPolicy", "command", "args", "env", "envFrom", "ports", "resources"}
CONTAINER_FIELDS |= {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "securityContext", "volumeMounts"}
EXACT = re.compile(r"v?\d+\.\d+\.\d+(-rootless|-alpine)?|\d+\.\d+-alpine|RELEASE\.\d{4}-\d\d-\d\dT[\d-]+Z")


def test_there_are_no_other_workloads(cluster: Cluster) -> None:
    kinds = {name: pod.workload["kind"] for name, pod in cluster.running.items()}
    assert kinds == {name: workload.kind for name, workload in WORKLOADS.items()}


@by_workload
def test_a_workload_runs_its_image_once(cluster: Cluster, name: str) -> None:
    pod = cluster.running[name]
    assert pod.main["image"].startswith(WORKLOADS[name].image)
    assert pod.workload["spec"].get("replicas", 1) == 1


@by_workload
def test_a_workload_has_its_resources(cluster: Cluster, name: str) -> None:
    resources = cluster.running[name].main["resources"]
    requests, limits = (f"{resources[kind]['cpu']} {resources[kind]['memory']}" for kind in ("requests", "limits"))
    assert (requests, limits) == (WORKLOADS[name].requests, WORKLOADS[name].limits)


@by_workload
def test_a_workload_declares_its_ports(cluster: Cluster, name: str) -> None:
    assert cluster.running[name].ports == WORKLOADS[name].ports


@by_workload
def test_a_workload_has_its_probes(cluster: Cluster, name: str) -> None:
    assert cluster.running[name].probes() == PROBES[name]


@pytest.mark.parametrize(("name", "seconds"), SLOW_STARTS.items())
def test_a_slow_start_is_waited_for(cluster: Cluster, name: str, seconds: int) -> None:
    probe = cluster.running[name].main["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= seconds


def test_nothing_is_given_up_or_killed_in_haste(cluster: Cluster) -> None:
    for name, pod in cluster.running.items():
        probes = {kind: pod.main[f"{kind}Probe"] for kind in PROBES[name]}
        seconds = {kind: one["periodSeconds"] * one.get("failureThreshold", 3) for kind, one in probes.items()}
        assert seconds.get("liveness", 30) >= 30, name
        assert seconds.get("startup", 60) >= 60, name
        deadline = pod.workload["spec"].get("progressDeadlineSeconds", 600)
        assert pod.workload["kind"] != "Deployment" or seconds.get("startup", 0) < deadline, name


def test_a_release_that_does_not_start_is_degraded_before_the_wait_for_it_ends(cluster: Cluster) -> None:
    services = yaml.safe_load((ROOT / "orbit-release.yaml").read_text(encoding="utf-8"))["services"]
    (waits,) = (option.default for option in wait_command.params if option.name == "timeout")
    assert len(services) == 7
    for name in services:
        assert cluster.running[name].workload["spec"]["progressDeadlineSeconds"] + 60 <= parse_length(str(waits)), name


@by_workload
def test_a_probe_has_time_to_answer(cluster: Cluster, name: str) -> None:
    main = cluster.running[name].main
    assert all(main[f"{kind}Probe"]["timeoutSeconds"] >= 5 for kind in PROBES[name])


@pytest.mark.parametrize("name", USERS)
def test_a_pod_runs_as_its_user(cluster: Cluster, name: str) -> None:
    pod = cluster.pods[name]
    for container in pod.containers:
        user, group = (pod.security(container, field) for field in ("runAsUser", "runAsGroup"))
        assert f"{user}:{group}" == USERS[name]


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_pod_is_given_what_it_reads(cluster: Cluster, name: str) -> None:
    assert cluster.environment(cluster.pods[name]) == ENVIRONMENT[name]


@pytest.mark.parametrize("name", SECRETS)
def test_a_pod_starts_its_containers_as_the_design_says(cluster: Cluster, name: str) -> None:
    for container in cluster.pods[name].containers:
        started = [*container.get("command", []), *container.get("args", [])]
        assert started == COMMANDS.get(container["name"], [])


@pytest.mark.parametrize("name", SECRETS)
def test_a_pod_is_given_its_secrets_and_no_others(cluster: Cluster, name: str) -> None:
    assert secrets(cluster.pods[name]) == SECRETS[name]


def test_every_pod_is_in_the_tables(cluster: Cluster) -> None:
    assert set(cluster.pods) == set(SECRETS) == set(ENVIRONMENT) == set(MOUNTS)
    assert set(COMMANDS) < {container["name"] for pod in cluster.pods.values() for container in pod.containers}


def test_every_pod_is_as_strict_as_its_program_allows(cluster: Cluster) -> None:
    for name, pod in cluster.pods.items():
        profiles = [
            pod.spec["securityContext"].get(f"{kind}Profile", {}).get("type") for kind in ("seccomp", "appArmor")
        ]
        assert profiles == (["Unconfined", "Unconfined"] if name in UNCONFINED else ["RuntimeDefault", None]), name
        for container in pod.containers:
            own = container["securityContext"]
            assert pod.security(container, "runAsNonRoot") is True, name
            assert "privileged" not in own, name
            assert own.get("allowPrivilegeEscalation") is (name in UNCONFINED), name
            assert own.get("capabilities") == (None if name in UNCONFINED else {"drop": ["ALL"]}), name
            assert own.get("readOnlyRootFilesystem", False) == (name not in WRITABLE_ROOT), name


def test_no_pod_has_more_than_the_tables_say(cluster: Cluster) -> None:
    for name, pod in cluster.pods.items():
        assert set(pod.spec) <= POD_FIELDS, name
        assert len(pod.spec["containers"]) == 1, name
        assert set(pod.spec["securityContext"]) <= SECURITY_FIELDS, name
        for container in pod.containers:
            assert set(container) <= CONTAINER_FIELDS, f"{name} {container['name']}"
            assert {key for port in container.get("ports", []) for key in port} <= {"name", "containerPort"}, name


def test_every_pod_has_the_account_and_only_two_its_token(cluster: Cluster) -> None:
    assert cluster.kind("ServiceAccount")["orbit"]["imagePullSecrets"] == [{"name": "ghcr-pull-secret"}]
    assert {pod.spec["serviceAccountName"] for pod in cluster.pods.values()} == {"orbit"}
    assert {name for name, pod in cluster.pods.items() if pod.spec["automountServiceAccountToken"]} == TOKEN


def test_no_pod_is_given_the_addresses_of_services_as_variables(cluster: Cluster) -> None:
    links = {name: pod.spec.get("enableServiceLinks") for name, pod in cluster.pods.items()}
    assert links == dict.fromkeys(cluster.pods, False)


def test_every_container_has_requests_and_limits(cluster: Cluster) -> None:
    resources = {one["name"]: one["resources"] for pod in cluster.pods.values() for one in pod.containers}
    stated = {name: {(kind, size) for kind in each for size in each[kind]} for name, each in resources.items()}
    wanted = {(kind, size) for kind in ("requests", "limits") for size in ("cpu", "memory")}
    assert stated == dict.fromkeys(resources, wanted)


def test_helpers_run_their_images(cluster: Cluster) -> None:
    images = {one["name"]: one["image"] for pod in cluster.pods.values() for one in pod.containers}
    assert {name: image for name, image in images.items() if name not in WORKLOADS} == HELPERS


def test_images_of_others_are_pinned_and_images_of_ours_are_the_seven(cluster: Cluster) -> None:
    images = {container["image"] for pod in cluster.pods.values() for container in pod.containers}
    others = {image for image in images if not image.startswith(GHCR)}
    assert {image for image in others if not EXACT.fullmatch(image.partition(":")[2])} == set()
    assert {image.removeprefix(GHCR).partition(":")[0] for image in images - others} == set(CUSTOM)


def test_images_of_ours_are_always_pulled(cluster: Cluster) -> None:
    assert {name: cluster.running[name].main.get("imagePullPolicy") for name in CUSTOM} == dict.fromkeys(
        CUSTOM, "Always"
    )


def test_only_one_temporal_migrates_at_a_time(cluster: Cluster) -> None:
    assert cluster.running["temporal"].workload["spec"]["strategy"] == {"type": "Recreate"}


def test_the_dynamic_configuration_of_temporal_is_where_temporal_looks(cluster: Cluster) -> None:
    pod = cluster.running["temporal"]
    folder, _, name = ENVIRONMENT["temporal"]["DYNAMIC_CONFIG_FILE_PATH"].rpartition("/")
    volume = pod.mounts(pod.main)[folder]
    found = yaml.safe_load(cluster.kind("ConfigMap")[volume["configMap"]["name"]]["data"][name])
    wanted = {key: [{"value": value, "constraints": {}}] for key, value in DYNAMIC_CONFIGURATION.items()}
    assert found == wanted


def test_repository_service_starts_after_temporal_and_with_one_image_of_ours(cluster: Cluster) -> None:
    waiting, main = cluster.running["repository-service"].containers
    assert waiting["name"] == "wait-for-temporal"
    assert waiting["image"].partition(":")[0] == "alpine"
    assert main["image"].startswith(GHCR)


def test_redpanda_reads_a_writable_copy_of_its_settings(cluster: Cluster) -> None:
    copy, main = cluster.running["redpanda"].containers
    pod = cluster.running["redpanda"]
    source = pod.mounts(copy)["/config"]["configMap"]["name"]
    assert yaml.safe_load(cluster.kind("ConfigMap")[source]["data"]["redpanda.yaml"]) == {"redpanda": BROKER}
    assert pod.mounts(copy)["/etc/redpanda"] == pod.mounts(main)["/etc/redpanda"]
    assert "emptyDir" in pod.mounts(main)["/etc/redpanda"]


def test_buildkit_uses_the_registry_over_http_and_cleans_up_before_its_volume_is_full(cluster: Cluster) -> None:
    pod = cluster.running["buildkit"]
    source = pod.mounts(pod.main)["/home/user/.config/buildkit"]["configMap"]["name"]
    settings = tomllib.loads(cluster.kind("ConfigMap")[source]["data"]["buildkitd.toml"])
    assert settings == {
        "registry": {"registry:5050": {"http": True}},
        "worker": {"oci": {"gc": True, "maxUsedSpace": "8GB"}},
    }
    assert pod.main["image"].endswith("-rootless")


@pytest.mark.parametrize("name", MOUNTS)
def test_a_pod_mounts_its_volumes(cluster: Cluster, name: str) -> None:
    pod = cluster.pods[name]
    assert pod.mounted() == MOUNTS[name]
    assert {mount["name"] for _, mount in pod.volume_mounts} == set(pod.volumes)


def test_a_pod_has_its_time_to_end(cluster: Cluster) -> None:
    found = {name: pod.spec.get("terminationGracePeriodSeconds") for name, pod in cluster.pods.items()}
    assert {name: seconds for name, seconds in found.items() if seconds} == GRACE


def test_every_emptydir_has_a_limit_and_every_resource_is_a_quantity(cluster: Cluster) -> None:
    pods = cluster.pods.items()
    sizes = [
        (name, volume["name"], volume["emptyDir"].get("sizeLimit"))
        for name, pod in pods
        for volume in pod.volumes.values()
        if "emptyDir" in volume
    ]
    resources = [
        (name, kind, each["resources"][kind])
        for name, pod in pods
        for each in pod.containers
        for kind in each["resources"]
    ]
    sizes += [(name, kind, size) for name, kind, each in resources for size in each.values()]
    assert [one for one in sizes if not re.fullmatch(r"\d+(m|Mi|Gi)?", str(one[-1]))] == []


def test_every_object_bears_the_name_of_its_workload(cluster: Cluster) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "Service", "HTTPRoute"):
        for name, found in cluster.kind(kind).items():
            assert found["metadata"]["labels"]["app.kubernetes.io/name"] == name, kind


def test_a_stateful_pod_that_never_got_ready_is_replaced(cluster: Cluster) -> None:
    policies = {found["spec"]["podManagementPolicy"] for found in cluster.kind("StatefulSet").values()}
    assert policies == {"Parallel"}


def test_every_statefulset_has_its_service(cluster: Cluster) -> None:
    assert {name: found["spec"]["serviceName"] for name, found in cluster.kind("StatefulSet").items()} == {
        name: name for name in cluster.kind("StatefulSet")
    }


def test_every_configmap_that_is_mounted_is_there_and_every_one_is_used(cluster: Cluster) -> None:
    volumes = [volume for pod in cluster.pods.values() for volume in pod.volumes.values()]
    used = {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
    used |= {source["configMapRef"]["name"] for pod in cluster.pods.values() for source in pod.main.get("envFrom", [])}
    assert used == set(cluster.kind("ConfigMap"))
