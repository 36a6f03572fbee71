"""An OCI registry with a token server in memory, which can be told to misbehave.

Only what the faults need: scripted answers, tokens that expire, redirects to storage, pages of tags. Everything
else is tested against the real registry.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Reply:
    """A scripted answer: a status with headers and a body.

    It may be `cut` bytes short, `hangs` without a word, or `drips` its body again and again until the server stops;
    `raw` bytes are sent in its place.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int = 0
    hangs: bool = False
    drips: bool = False
    raw: bytes = b""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class RegistryServer(ThreadingHTTPServer):
    """Contents by `repository/kind/reference`, and the rules that a test sets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.tags: dict[str, list[str]] = {}
        self.script: deque[Reply] = deque()
        self.token_script: deque[Reply] = deque()
        self.scheme = ""  # how it challenges: "Bearer", "Basic" or not at all
        self.realm = f"http://{self.host}/token"
        self.passwords: set[str] = set()  # `user:password`; with none of them everybody may pull
        self.identity_tokens: set[str] = set()
        self.valid: dict[str, str] = {}  # token -> scope
        self.heard: set[str] = set()  # every Authorization header that ever came
        self.storage = ""  # where blobs are redirected to
        self.page_size = 0
        self.next_host = ""
        self.digest_header: str | None = None  # None: the true one, "": none at all
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what goes wrong here; clients that hang up are what the tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def add(self, path: str, content: bytes, media_type: str = MANIFEST) -> str:
        """Store one object under its digest and, for `repository/manifests/tag`, under the tag."""
        digest = digest_of(content)
        folder, _, reference = path.rpartition("/")
        for name in {path, f"{folder}/{digest}"}:
            self.contents[name], self.types[name] = content, media_type
        if folder.endswith("/manifests") and ":" not in reference:
            names = self.tags.setdefault(folder.removesuffix("/manifests"), [])
            names += [] if reference in names else [reference]
        return digest

    def grant(self, scope: str) -> str:
        token = f"token-{len(self.valid)}"
        self.valid[token] = scope
        return token

    def add_image(self, repository: str, tag: str, labels: Mapping[str, str] | None = None) -> str:
        """Store an OCI manifest and its configuration under a tag, and return the digest."""
        config = json.dumps({"config": {"Labels": labels or {}}}).encode()
        digest = self.add(f"{repository}/blobs/{digest_of(config)}", config, "application/octet-stream")
        return self.add(f"{repository}/manifests/{tag}", json.dumps({"config": {"digest": digest}}).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RegistryServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.heard |= {self.headers["Authorization"]} - {None}
        path = urlsplit(self.path).path
        script = self.server.token_script if path == "/token" else self.server.script
        if script:
            self.send(script.popleft())
        elif path == "/token":
            self.send(self.token(body))
        elif not self.is_allowed(path):
            challenge = f'{self.server.scheme} realm="{self.server.realm}",service="registry",scope="ignored,really"'
            self.send(Reply(401, {"WWW-Authenticate": challenge}))
        else:
            self.send(self.content(path.removeprefix("/v2/"), body))

    do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

    def send(self, reply: Reply) -> None:
        if reply.hangs:
            self.server.stopping.wait()
            self.close_connection = True
            return
        if reply.raw:
            self.wfile.write(reply.raw)
            self.close_connection = True
            return
        self.send_response(reply.status)
        length = 1 << 30 if reply.drips else len(reply.body) + reply.cut
        for name, value in {"Content-Length": str(length), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(reply.body)
                while reply.drips and not self.server.stopping.wait(0.01):
                    self.wfile.write(reply.body)
        self.close_connection = reply.cut > 0 or reply.drips

    def token(self, body: bytes) -> Reply:
        """Answer GET with a password, or POST with an identity token."""
        query = parse_qs(body.decode() or urlsplit(self.path).query)
        scope = query["scope"][0]
        if self.command == "POST":
            is_known = query["refresh_token"][0] in self.server.identity_tokens
            name = "access_token"
        else:
            is_known = self.knows_password() or (not self.server.passwords and scope.endswith(":pull"))
            name = "token"
        if not is_known or query["service"] != ["registry"]:
            return Reply(401, body=b'{"details": "incorrect username or password"}')
        return Reply(body=json.dumps({name: self.server.grant(scope)}).encode())

    def knows_password(self) -> bool:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        return scheme == "Basic" and base64.b64decode(encoded).decode() in self.server.passwords

    def is_allowed(self, path: str) -> bool:
        if not self.server.scheme or path.startswith("/storage/"):
            return True
        if self.server.scheme == "Basic":
            return self.knows_password()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        kind, _, rest = self.server.valid.get(token, "::").partition(":")
        repository, _, actions = rest.partition(":")
        needed = "push" if self.command == "PUT" else "pull"
        return kind == "repository" and path.startswith(f"/v2/{repository}/") and needed in actions.split(",")

    def content(self, path: str, body: bytes) -> Reply:
        repository, _, last = path.rpartition("/")
        if last == "list":
            return self.tag_page(repository.removesuffix("/tags"))
        if self.command == "PUT":
            digest = self.server.add(path, body, self.headers["Content-Type"])
            return Reply(201, {"Docker-Content-Digest": digest})
        if "/blobs/" in path and self.server.storage:
            return Reply(307, {"Location": f"{self.server.storage}/storage/{path}?signature=secret"})
        name = path.removeprefix("/storage/")
        found = self.server.contents.get(name)
        if found is None:
            return Reply(404, body=b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')
        digest = digest_of(found) if self.server.digest_header is None else self.server.digest_header
        return Reply(200, {"Docker-Content-Digest": digest, "Content-Type": self.server.types[name]}, found)

    def tag_page(self, repository: str) -> Reply:
        names = self.server.tags.get(repository)
        if names is None:
            return Reply(404, body=b'{"errors": [{"code": "NAME_UNKNOWN", "message": "unknown"}]}')
        last = parse_qs(urlsplit(self.path).query).get("last", [""])[0]
        start = names.index(last) + 1 if last else 0
        page = names[start : start + (self.server.page_size or len(names))]
        answer = json.dumps({"name": repository, "tags": page}).encode()
        if start + len(page) == len(names):
            return Reply(body=answer)
        link = f"{self.server.next_host}/v2/{repository}/tags/list?last={page[-1]}&n={len(page)}"
        return Reply(200, {"Link": f'<{link}>; rel="next"'}, answer)


class TlsProxy(ThreadingHTTPServer):
    """A proxy that every https host is reached through: it answers for them itself, from `registries`."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, registries: Mapping[str, RegistryServer]) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.context, self.registries = context, registries

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunnel(BaseHTTPRequestHandler):
    server: TlsProxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(ssl.SSLError), self.server.context.wrap_socket(self.connection, server_side=True) as secure:
            _Handler(secure, self.client_address, self.server.registries[self.path.removesuffix(":443")])
        self.close_connection = True
