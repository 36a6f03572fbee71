"""What must not be lost or leak: claims, databases, secrets."""

from __future__ import annotations

import re

import pytest

from tests.infrastructure.cluster import Cluster
from tests.infrastructure.design import CLAIMS, DOPPLER, SECRETS, TEMPLATES, WORKLOADS

KEPT = "Prune=false,Delete=false"
OPTIONS = "argocd.argoproj.io/sync-options"


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_has_its_size_and_is_never_removed(cluster: Cluster, name: str) -> None:
    claim = cluster.kind("PersistentVolumeClaim")[name]
    size, _, mode = CLAIMS[name]
    assert claim["spec"] == {
        "storageClassName": "orbit-nfs",
        "accessModes": [mode],
        "resources": {"requests": {"storage": size}},
    }
    assert claim["metadata"]["annotations"][OPTIONS] == KEPT


def test_there_are_no_other_claims(cluster: Cluster) -> None:
    assert set(cluster.kind("PersistentVolumeClaim")) == set(CLAIMS)
    sets = cluster.kind("StatefulSet").values()
    assert not any("volumeClaimTemplates" in found["spec"] for found in sets)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_mounts_its_claim_whole_as_its_owner(cluster: Cluster, name: str) -> None:
    pod, claim = cluster.running[name], WORKLOADS[name].claim
    assert list(pod.claims.values()) == ([claim] if claim else [])
    assert not any({"subPath", "subPathExpr"} & {*mount} for _, mount in pod.volume_mounts)
    assert "fsGroup" not in pod.spec.get("securityContext", {})
    if claim:
        assert WORKLOADS[name].user == CLAIMS[claim][1]


def test_every_claim_has_a_directory_of_its_own_that_is_kept(cluster: Cluster) -> None:
    (found,) = cluster.kind("StorageClass").values()
    assert found["metadata"]["name"] == "orbit-nfs"
    assert found["metadata"]["annotations"][OPTIONS] == KEPT
    assert (found["provisioner"], found["reclaimPolicy"]) == ("nfs.csi.k8s.io", "Retain")
    assert found["volumeBindingMode"] == "Immediate"
    assert found["parameters"] == {
        "server": "192.168.86.44",
        "share": "/mnt/tank/appdata/orbit",
        "subDir": "${pvc.metadata.name}",
        "onDelete": "retain",
        "mountPermissions": "0",
    }
    assert found["mountOptions"] == ["nfsvers=4.1", "hard", "noatime"]


def test_buildkit_keeps_a_limited_state_on_its_node(cluster: Cluster) -> None:
    pod = cluster.running["buildkit"]
    assert pod.mounts(pod.main)["/home/user/.local/share/buildkit"]["emptyDir"]["sizeLimit"] == "10Gi"


def test_the_namespace_is_kept_and_warns_of_what_is_less_than_restricted(cluster: Cluster) -> None:
    (found,) = cluster.kind("Namespace").values()
    label = "pod-security.kubernetes.io/"
    modes = {mode: found["metadata"]["labels"][f"{label}{mode}"] for mode in ("enforce", "audit", "warn")}
    assert modes == {"enforce": "privileged", "audit": "restricted", "warn": "restricted"}
    assert found["metadata"]["annotations"][OPTIONS] == KEPT


@pytest.mark.parametrize("name", ["temporal", "orbit", "kafka_service"])
def test_a_database_is_made_where_it_is_missing(cluster: Cluster, name: str) -> None:
    pod = cluster.running["postgresql"]
    volume = pod.mounts(pod.main)["/docker-entrypoint-initdb.d"]
    (script,) = cluster.kind("ConfigMap")[volume["configMap"]["name"]]["data"].values()
    guard = f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')\\gexec\n"
    assert f"'CREATE DATABASE {name}' {guard}" in script
    assert script.count("CREATE DATABASE") == script.count("\\gexec")


def test_the_bucket_is_made_before_the_registry_by_a_hook(cluster: Cluster) -> None:
    (job,) = cluster.kind("Job").values()
    annotations = job["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/hook"] == "Sync"
    assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert set(job["spec"]) == {"backoffLimit", "template"}  # one that removed itself would be made again for ever
    assert cluster.pods["minio-bucket"].spec["restartPolicy"] == "OnFailure"


def test_doppler_is_asked_for_the_keys_of_the_design(cluster: Cluster) -> None:
    spec = cluster.kind("ExternalSecret")["orbit-secrets"]["spec"]
    keys = {item["secretKey"]: item["remoteRef"]["key"] for item in spec["data"]}
    assert set(keys.values()) == DOPPLER
    assert keys == {key.removeprefix("ORBIT_"): key for key in DOPPLER}
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "doppler-cluster-secret-store"}
    assert spec["refreshInterval"] == "1h0m0s"


def test_the_secret_keeps_every_key_and_has_what_is_made_of_them(cluster: Cluster) -> None:
    assert cluster.kind("ExternalSecret")["orbit-secrets"]["spec"]["target"] == {
        "name": "orbit-secrets",
        "creationPolicy": "Owner",
        "deletionPolicy": "Retain",
        "template": {"engineVersion": "v2", "mergePolicy": "Merge", "data": TEMPLATES},
    }


def test_every_key_is_used_and_every_used_key_is_made() -> None:
    made = {key.removeprefix("ORBIT_") for key in DOPPLER} | set(TEMPLATES)
    used = {key for keys in SECRETS.values() for key in keys.values()}
    in_templates = {key for text in TEMPLATES.values() for key in re.findall(r"\.([A-Z_]+)", text)}
    assert used | in_templates == made


def test_no_url_is_put_together_from_variables(cluster: Cluster) -> None:
    assert [where for where, text in cluster.texts() if "://" in text and "$(" in text] == []
