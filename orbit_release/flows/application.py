"""The Argo CD application that syncs our manifests, as it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orbit_release.argocd.application import Application, ApplicationSource, only_application
from orbit_release.argocd.observation import Observation
from orbit_release.config import ArgoCDNames
from orbit_release.errors import ConfigurationError

if TYPE_CHECKING:
    from orbit_release.argocd.client import ArgoCD

_APART = 1.0  # seconds between two questions


@dataclass
class ObservedApplication:
    """The application that the configuration names, else the only one that syncs `ours`."""

    server: ArgoCD
    ours: ApplicationSource
    names: ArgoCDNames
    sleep: Callable[[float], None]

    def observe(self, *, refresh: bool = False) -> Observation:
        """Ask how it is now; with `refresh`, after Argo CD has compared it with git again."""
        if not self.names.application:
            application = self._only()
            self.names = replace(self.names, application=application.name, namespace=application.namespace)
            self.sleep(_APART)
        where = {"project": self.names.project, "namespace": self.names.namespace}
        return self.server.observe(self.names.application, self.ours, refresh=refresh, **where)

    def _only(self) -> Application:
        seen = self.server.applications(project=self.names.project, namespace=self.names.namespace)
        application = only_application(seen, self.ours)
        if isinstance(application, Application):
            return application
        which = ", ".join(application) or "none that this token sees"
        hint = "set `argocd.application` in orbit-release.yaml."
        raise ConfigurationError(f"which application syncs {self.ours.path}: {which}", hint)
