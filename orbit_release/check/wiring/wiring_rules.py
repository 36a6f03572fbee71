"""The rules of the group `wiring`: what the objects of a deployment name in each other is there."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_release.check.finding import Finding, unique_findings
from orbit_release.check.wiring import pod_references, unused_secret_keys
from orbit_release.check.wiring.cluster import Cluster
from orbit_release.check.wiring.rendered_groups import MISSING_RESOURCE, REFUSED_KUSTOMIZATION, RenderedGroup

RULES = (
    MISSING_RESOURCE,
    REFUSED_KUSTOMIZATION,
    pod_references.MISSING_SECRET,
    pod_references.MISSING_SECRET_KEY,
    pod_references.MISSING_CONFIG_MAP,
    pod_references.MISSING_CONFIG_MAP_KEY,
    pod_references.MISSING_CLAIM,
    unused_secret_keys.UNUSED_SECRET_KEY,
)


def check_wiring(groups: Sequence[RenderedGroup]) -> list[Finding]:
    """Return what is wrong between the objects of each group, in the order of the files.

    What another group of the same namespace makes is there as well.
    """
    everywhere = Cluster(obj for group in groups for obj in group.objects)
    providers, uses = pod_references.Providers(everywhere), unused_secret_keys.secret_uses(everywhere)
    findings: list[Finding] = []
    for cluster in (Cluster(group.objects) for group in groups):
        findings += pod_references.check_references(cluster, everywhere, providers)
        findings += unused_secret_keys.check_secret_keys(cluster, everywhere, uses)
    return unique_findings(findings)
