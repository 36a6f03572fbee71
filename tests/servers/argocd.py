"""Argo CD's API as far as it is read: applications by name and in a list, with the answers of a bad day.

Paths, fields and codes are those of its swagger (`/swagger.json`) and of grpc-gateway: an error is
`{"error": …, "code": …, "message": …}`, and an application that is not there is 403 unless its project is given.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "argocd-topsecret"
API = "/api/v1/applications"
REPOSITORY = "https://github.com/octo/orbit"


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Any) -> Reply:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @classmethod
    def problem(cls, status: int, code: int, message: str) -> Reply:
        return cls.of(status, {"error": message, "code": code, "message": message})


LOGIN = Reply(302, b"", {"Location": "https://login.example.com/cdn-cgi/access/login?kid=1"})
TO_HTTPS = Reply(307, b"", {"Location": "https://127.0.0.1/api/v1/applications"})
PAGE = Reply(200, b"<!doctype html><title>Argo CD</title>", {"Content-Type": "text/html"})
BAD_GATEWAY = Reply(502, b"<html>502 Bad Gateway</html>", {"Content-Type": "text/html"})


def application(name: str = "orbit", **source: str) -> dict[str, Any]:
    """Return an application that syncs `deploy` of the repository's main branch, or what `source` says instead."""
    given = {"repoURL": REPOSITORY, "path": "deploy", "targetRevision": "main", **source}
    spec = {"project": "applications", "source": given, "syncPolicy": {"automated": {"prune": True}}}
    return {"metadata": {"name": name, "namespace": "argocd"}, "spec": spec, "status": {}}


class ArgoCDServer(ThreadingHTTPServer):
    """Serves applications, which a test may change; `root` is where a proxy put the server."""

    daemon_threads = True

    def __init__(self, *applications: dict[str, Any], root: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.applications = {document["metadata"]["name"]: document for document in applications}
        self.root, self.needed = root, dict[str, str]()  # headers that an access proxy wants to see
        self.always: Reply | None = None
        self.hangs, self.stopping = False, Event()
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def host(self) -> str:
        """Return what ARGOCD_SERVER is."""
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that hang up, or trust no certificate of ours."""

    def reply(self, target: str, headers: Mapping[str, str]) -> Reply:
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if any(headers.get(name) != value for name, value in self.needed.items()):
            return LOGIN
        if self.always:
            return self.always
        if not url.path.startswith(f"{self.root}{API}"):
            return PAGE  # the server answers whatever it does not know with its user interface
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return Reply.problem(401, 16, "invalid session: token signature is invalid: signature is invalid")
        return self._applications(unquote(url.path.removeprefix(self.root + API)).lstrip("/"), query)

    def _applications(self, name: str, query: Mapping[str, str]) -> Reply:
        project = query.get("project") or query.get("projects")
        default = "argocd" if name else None  # a list is of all namespaces
        seen = [
            document
            for document in self.applications.values()
            if project in (None, document["spec"]["project"])
            and query.get("appNamespace", default) in (None, document["metadata"]["namespace"])
        ]
        if not name:
            return Reply.of(200, {"metadata": {"resourceVersion": "1"}, "items": seen or None})
        named = next((document for document in seen if document["metadata"]["name"] == name), None)
        if named:
            return Reply.of(200, named)
        if project is None:
            return Reply.problem(403, 7, "permission denied")
        return Reply.problem(404, 5, f'applications.argoproj.io "{name}" not found')


class _Handler(BaseHTTPRequestHandler):
    server: ArgoCDServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.server.hangs:
            self.server.stopping.wait()
            return
        reply = self.server.reply(self.path, dict(self.headers.items()))
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
