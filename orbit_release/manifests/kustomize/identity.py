"""How kustomize knows objects again: by group, version, kind, name and namespace, and those they had before."""

from __future__ import annotations

from dataclasses import dataclass

# The kinds of kustomize's own schema that no namespace holds; all others are taken for namespaced ones.
_CLUSTER_SCOPED = frozenset(
    {
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
    }
)
# The schema is that of Kubernetes 1.21: what came later is unknown to it.
_VERSIONS = {"": ("v1",), "flowcontrol.apiserver.k8s.io": ("v1beta1",), "policy": ("v1beta1",)}


@dataclass(frozen=True, slots=True)
class Id:
    """`namespace` is the effective one: `default` for none, "" for a kind that no namespace holds."""

    group: str
    version: str
    kind: str
    name: str
    namespace: str

    @classmethod
    def of(cls, api_version: str, kind: str, name: str, namespace: str) -> Id:
        group, slash, version = api_version.partition("/")
        if not slash:
            group, version = "", api_version
        return cls(group, version, kind, name, effective_namespace(api_version, kind, namespace))


def effective_namespace(api_version: str, kind: str, namespace: str) -> str:
    return "" if is_cluster_scoped(api_version, kind) else namespace or "default"


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    group, _, version = api_version.rpartition("/")
    return version in _VERSIONS.get(group, ("v1", "v1beta1")) and (group, kind) in _CLUSTER_SCOPED
