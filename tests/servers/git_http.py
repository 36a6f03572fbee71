"""Git's smart HTTP protocol through `git http-backend`, with a password and faults that a test asks for."""

from __future__ import annotations

import base64
import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories below `root`; `faults` maps a part of a request's path to what goes wrong."""

    daemon_threads = True

    def __init__(self, root: Path, credentials: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.root = root
        self.credentials = credentials
        self.faults: dict[str, int] = {}  # an HTTP status; 0: do the work and cut the connection before answering

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    server: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing: the tests read what git says."""

    def _serve(self) -> None:
        body = self._body()
        fault = next((status for part, status in self.server.faults.items() if part in self.path), None)
        wanted = self.server.credentials and base64.b64encode(self.server.credentials.encode()).decode()
        if wanted and self.headers.get("Authorization") != f"Basic {wanted}":
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        elif fault:
            self._answer(fault, {}, b"")
        else:
            status, headers, content = self._backend(body)
            if fault == 0:
                self.close_connection = True
                self.connection.close()
                return
            self._answer(status, headers, content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "tester",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        result = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = result.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(headers.pop("Status", "200").split()[0]), headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
