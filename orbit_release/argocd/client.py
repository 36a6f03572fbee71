"""Argo CD's API: what applications sync, and how they are.

https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from orbit_release import http
from orbit_release.argocd.application import Application, ApplicationSource, position
from orbit_release.argocd.connection import Connection
from orbit_release.argocd.observation import Observation
from orbit_release.errors import (
    MANUAL,
    AccessError,
    InvalidError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UnusableError,
    UsageError,
)
from orbit_release.text import SHORTEST_SECRET

TOKEN_HINT = "ARGOCD_AUTH_TOKEN=$(argocd account generate-token --account NAME), or that of `argocd login`."  # noqa: S105  (says how to get one)
_MOST_BYTES = 64 * 1024 * 1024  # an application lists all of its resources, and a list all applications
_FIELDS = "items.metadata.name,items.metadata.namespace,items.metadata.annotations,items.spec"
_NOT_PUBLIC = f"{MANUAL}/argo-cd.md#an-argo-cd-that-is-not-public"
_RETRY_HINT = f"check ARGOCD_SERVER and the network; if it is not public, see {_NOT_PUBLIC}"
_Query = dict[str, str | None]  # without what is None
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure")
_PROJECT_HINT = "check `argocd.application` and `argocd.project` in orbit-release.yaml, and the token's role."
_LOGIN_HINT = "an access proxy is in front of it: give its headers by ARGOCD_OPTS=\"--header 'NAME: VALUE'\"."


class ArgoCD:
    """One server, with a token."""

    def __init__(self, connection: Connection, token: str, *, seconds: float) -> None:
        """`seconds`: how long an answer may take."""
        if not http.is_token(token):
            raise AccessError("ARGOCD_AUTH_TOKEN has signs that no token has", TOKEN_HINT)
        if connection.server_certificate and not os.access(connection.server_certificate, os.R_OK):
            raise UsageError(f"{connection.server_certificate} cannot be read", "name the file of its certificate.")
        self._connection, self._token, self._seconds = connection, token, seconds

    @property
    def host(self) -> str:
        return urlsplit(self._connection.url).netloc

    def application(self, name: str, *, project: str = "", namespace: str = "") -> Application:
        """NotFoundError where there is none."""
        return self._application(self._document(name, project, namespace))

    def observe(
        self, name: str, ours: ApplicationSource, *, project: str = "", namespace: str = "", refresh: bool = False
    ) -> Observation:
        """Return how an application is now; with `refresh`, after Argo CD has compared it with git again.

        Where one application has several sources, its revision is that of ours.
        """
        document = self._document(name, project, namespace, "normal" if refresh else None)
        try:
            return Observation.read(document, position(self._application(document), ours))
        except InvalidError as error:
            raise self._odd(f"answers with something odd: {error.message}") from error

    def applications(self, *, project: str = "", namespace: str = "") -> list[Application]:
        """Return those that the token may see."""
        query = {"projects": project or None, "appNamespace": namespace or None, "fields": _FIELDS}
        items = self._get("applications", query).get("items") or []
        if not isinstance(items, list):
            raise self._odd("answers with something that is no list of applications")
        return [application for application in map(Application.read, items) if application]

    def _document(self, name: str, project: str, namespace: str, refresh: str | None = None) -> dict[str, Any]:
        query = {"project": project or None, "appNamespace": namespace or None, "refresh": refresh}
        return self._get(f"applications/{quote(name, safe='')}", query)

    def _application(self, document: dict[str, Any]) -> Application:
        application = Application.read(document)
        if application is None:
            raise self._odd("answers with something that is no application")
        return application

    def _get(self, what: str, query: _Query) -> dict[str, Any]:
        answer = self._send(f"{self._connection.url}/api/v1/{what}", query)
        if answer.is_redirect:
            raise self._redirected(answer)
        body = http.parse_json(answer.content)
        if not answer.ok:
            raise self._refusal(answer.status_code, body, query)
        if not isinstance(body, dict):
            raise self._odd("answers with something that is not JSON")
        return body

    def _send(self, url: str, query: _Query) -> http.Response:
        connection = self._connection
        headers = {**dict(connection.headers), "User-Agent": "orbit-release", "Authorization": f"Bearer {self._token}"}
        verify = connection.server_certificate or connection.verify
        try:
            with http.HttpSession(_MOST_BYTES) as session:
                return session.request("GET", url, params=query, headers=headers, verify=verify, timeout=self._seconds)
        except http.TooLargeError as error:
            raise self._odd(f"answers with {error}") from error
        except http.FAULTS as error:
            raise self._unreached(error) from error

    def _unreached(self, error: Exception) -> UnavailableError:
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            hint = 'name its authority by REQUESTS_CA_BUNDLE, or by ARGOCD_OPTS="--server-crt FILE" or --insecure.'
            return UnusableError(f"{self.host}: its certificate is not trusted", hint)
        if any(word in text for word in _NO_TLS):
            return UnusableError(f"{self.host} does not speak TLS", 'is it ARGOCD_OPTS="--plaintext"?')
        if http.is_timeout(error):
            return UnavailableError(f"{self.host} does not answer within {self._seconds:.0f} s", _RETRY_HINT)
        return UnavailableError(f"{self.host} cannot be reached: {http.reason_of(error)}", _RETRY_HINT)

    def _redirected(self, answer: http.Response) -> OrbitReleaseError:
        target = urlsplit(urljoin(answer.url, answer.headers["Location"]))
        if target.hostname == urlsplit(answer.url).hostname and target.scheme == "https":
            return UnusableError(f"{self.host} wants https", "leave out --plaintext.")
        return AccessError(f"{self.host} redirects to a login page at {target.hostname or 'no address'}", _LOGIN_HINT)

    def _refusal(self, status: int, body: Any, query: _Query) -> OrbitReleaseError:
        said = body.get("message") if isinstance(body, dict) else None
        # A proxy may quote what it got.
        secrets = (self._token, *(value for _, value in self._connection.headers if len(value) >= SHORTEST_SECRET))
        what = http.quoted(str(said or f"HTTP {status}"), secrets)
        if status == 401:  # noqa: PLR2004
            return AccessError(f"{self.host} does not accept ARGOCD_AUTH_TOKEN: {what}", TOKEN_HINT)
        if status == 403:  # noqa: PLR2004  (also for an application that is not there, where no project is given)
            more = "" if query.get("project") else "; it says so too where there is no such application"
            return AccessError(f"{self.host} denies access: {what}{more}", _PROJECT_HINT)
        if status == 404 and said:  # noqa: PLR2004  (without a word it is a proxy that sees no server behind it)
            return NotFoundError(f"{self.host}: {what}", _PROJECT_HINT)
        return UnavailableError(f"{self.host} refuses: {what}", _RETRY_HINT)

    def _odd(self, what: str) -> UnusableError:
        return UnusableError(f"{self.host} {what}: is it Argo CD?", _RETRY_HINT)
