"""Where the engine and the registry are that `scripts/services` started for this run; laws know no clock."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def _from_environment(name: str) -> str:
    if not (value := os.environ.get(name)):
        pytest.fail(f"{name} is not set: run scripts/test", pytrace=False)
    return value


@pytest.fixture(scope="session")
def registry_host() -> str:
    """Return the registry's `host:port`."""
    return _from_environment("ORBIT_RELEASE_TEST_REGISTRY")


@pytest.fixture(scope="session")
def docker_host() -> str:
    """Return the engine's `unix://…`."""
    return _from_environment("DOCKER_HOST")
