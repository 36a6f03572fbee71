"""The rules of the group `wiring`: what the objects of an application name in each other is there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from orbit_release.check.finding import Finding, Rule
from orbit_release.check.wiring import clients, references, routing, secrets
from orbit_release.check.wiring.applications import MISSING_RESOURCE, REFUSED_KUSTOMIZATION, Application
from orbit_release.check.wiring.cluster import Cluster
from orbit_release.check.wiring.references import Providers
from orbit_release.check.wiring.services import services

RULES: tuple[Rule, ...] = (
    MISSING_RESOURCE,
    REFUSED_KUSTOMIZATION,
    references.MISSING_SECRET,
    references.MISSING_SECRET_KEY,
    references.MISSING_CONFIG_MAP,
    references.MISSING_CONFIG_MAP_KEY,
    references.MISSING_CLAIM,
    secrets.UNUSED_SECRET_KEY,
    clients.WRONG_PORT,
    clients.MISSING_BACKEND,
    routing.SERVICE_SELECTOR,
    routing.TARGET_PORT,
    routing.PROBE_PORT,
)


def check_wiring(applications: Sequence[Application]) -> list[Finding]:
    """Return what is wrong between the objects of each application, in the order of the files.

    What another application of the same namespace makes is there as well.
    """
    everywhere = Cluster(one for application in applications for one in application.objects)
    providers, uses = Providers(everywhere), secrets.uses_of(everywhere)
    clusters = [Cluster(application.objects) for application in applications]
    known = [services(cluster) for cluster in clusters]
    directory = clients.Directory(list(itertools.chain.from_iterable(known)))
    found: list[Finding] = []
    for cluster, own in zip(clusters, known, strict=True):
        found += references.check(cluster, everywhere, providers)
        found += secrets.check(cluster, everywhere, uses)
        found += clients.check(cluster, everywhere, directory)
        found += routing.check(cluster, everywhere, own)
    return _once(found)


def _once(found: Iterable[Finding]) -> list[Finding]:
    """Put findings in order; a base that two applications include is told of once."""
    unique = {(one.path, one.line, one.rule.name, one.message): one for one in found}
    return [unique[key] for key in sorted(unique)]
