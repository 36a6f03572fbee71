"""Doppler's API as far as it is read: the names of a config's secrets.

https://docs.doppler.com/reference/secrets-names. A service token implies its project and config; any other token has to
name them. Asking for values, or for dynamic secrets (which issues leases), is answered with 500.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "dp.st.prd.topsecret"
PERSONAL = "dp.pt.topsecret"
PROJECT, CONFIG = "orbit", "prd"


class DopplerServer(ThreadingHTTPServer):
    """Serves one config with these names."""

    daemon_threads = True

    def __init__(self, *names: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = [*names, "DOPPLER_CONFIG", "DOPPLER_ENVIRONMENT", "DOPPLER_PROJECT"]
        self.page, self.hangs, self.stopping = b"", False, Event()

    @property
    def url(self) -> str:
        """Return what DOPPLER_API_HOST is."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, target: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        token = (authorization or "").removeprefix("Bearer ")
        if token not in (TOKEN, PERSONAL):
            return refused(401, "Invalid Auth token")
        if url.path != "/v3/configs/config/secrets/names" or query.get("include_dynamic_secrets") != "false":
            return refused(500, f"this server has no {target}")
        if token == PERSONAL and not {"project", "config"} <= query.keys():
            return refused(400, "Please provide a project and a config")
        return self._names(query)

    def _names(self, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if (query.get("project", PROJECT), query.get("config", CONFIG)) != (PROJECT, CONFIG):
            return refused(404, f"Could not find requested config '{query['config']}'")
        return 200, {"names": self.names}


def refused(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"messages": [message], "success": False}


class _Handler(BaseHTTPRequestHandler):
    server: DopplerServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_GET(self) -> None:
        if self.server.hangs:
            self.server.stopping.wait()
            return
        status, document = self.server.answer(self.path, self.headers.get("Authorization"))
        body = self.server.page or json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
