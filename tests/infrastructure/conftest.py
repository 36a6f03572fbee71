"""What Argo CD would apply, rendered once for each test process."""

from __future__ import annotations

import pytest

from tests.infrastructure.cluster import K8S, Cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster.render(K8S)
