"""GitHub's API on a real repository, held to GitHub's own descriptions, with the faults of a bad day.

What a request or an answer says that the real GitHub would not is a violation: it is answered with 500, and `running`
fails at its end.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.servers import github_description as description
from tests.servers.github_asked import Asked
from tests.servers.github_description import Call, Operation, ViolationError
from tests.servers.github_git import NOTHING
from tests.servers.github_graphql import Query, mutations, stale
from tests.servers.github_rest import OPERATIONS
from tests.servers.github_state import ProblemError, State
from tests.servers.serving import serving

TOKEN = "ghs_topsecret"
DOCUMENTATION = "https://docs.github.com/rest"
NUMBERED = "/repositories/1"  # where the repository is, whatever it is called
FAR = 4102444800  # when the primary limit ends, in the year 2100


@dataclass(frozen=True)
class Fault:
    """What goes wrong: a `status` with a message, for GraphQL an error of the type `kind` where it has one.

    With `after` the work is done nevertheless; `cut` closes the connection in place of an answer; `page` is HTML.
    """

    status: int = 200
    message: str = ""
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    after: bool = False
    cut: bool = False


def secondary_limit(seconds: int) -> Fault:
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return Fault(403, message, headers={"Retry-After": str(seconds)})


def primary_limit(reset: int) -> Fault:
    """Return the end of the hour's requests; `reset` is when the next hour begins, in seconds since the epoch."""
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    return Fault(403, "API rate limit exceeded for installation ID 1.", "RATE_LIMITED", headers)


BAD_CREDENTIALS = Fault(401, "Bad credentials")
FORBIDDEN = Fault(403, "Resource not accessible by integration", "FORBIDDEN")
RULES = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
PROTECTED = Fault(422, RULES, "UNPROCESSABLE")
PROTECTED_BRANCH = Fault(422, "Protected branch update failed for refs/heads/main.", "UNPROCESSABLE")
ARCHIVED = Fault(403, "Repository was archived so is read-only.", "UNPROCESSABLE")
PRIMARY_LIMIT = primary_limit(FAR)
STALE = Fault(409, stale(NOTHING).message, "STALE_DATA")
STALE_AFTER_SUCCESS = replace(STALE, after=True)
BAD_GATEWAY = Fault(502, page="<html><head><title>502 Bad Gateway</title></head><body>Unicorn!</body></html>")
BAD_GATEWAY_AFTER_SUCCESS = replace(BAD_GATEWAY, after=True)
CUT = Fault(cut=True)
CUT_AFTER_SUCCESS = Fault(cut=True, after=True)
NOT_PERMITTED_PULLS = Fault(403, "GitHub Actions is not permitted to create or approve pull requests.")


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return cls(status, b"" if value is None else json.dumps(value).encode(), headers or {})


class GitHubServer(State, ThreadingHTTPServer):
    """Serves one repository, whose bare copy is `origin`."""

    daemon_threads = True

    def __init__(self, origin: Path, repository: str = "octo/orbit", token: str = TOKEN) -> None:
        State.__init__(self, origin, repository)
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), _Handler)
        self.token = token
        self.violations: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}  # called once, before an operation of that name is done
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._lock = Lock()

    @property
    def url(self) -> str:
        """Return what GITHUB_API_URL is."""
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, operation: str, *faults: Fault) -> None:
        """Let the next requests for an operation, or a mutation, go wrong one after the other."""
        if operation not in OPERATIONS.keys() | mutations():
            raise ValueError(f"{operation} is neither an operation nor a mutation")
        self._faults[operation] += faults

    def faults_left(self) -> list[str]:
        """Return the operations whose faults were not met: a test that plants them in vain tests nothing."""
        return [name for name, faults in self._faults.items() if faults]

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what goes wrong here; clients that hang up are none of it."""
        if not isinstance(error := sys.exception(), ConnectionError):
            self.violations.append(f"the server failed: {error!r}")
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def answer(self, call: Call) -> Answer | None:
        """Return the answer to a request; None cuts the connection."""
        if call.headers.get("Authorization") not in {f"token {self.token}", f"Bearer {self.token}"}:
            return Answer.of(401, problem_shown(ProblemError(401, BAD_CREDENTIALS.message)))
        try:
            return self._graphql(call) if call.path == "/graphql" else self._rest(call)
        except ViolationError as violation:
            self.violations.append(str(violation))
            return Answer.of(500, {"message": f"violation: {violation}"})

    def _done(self, name: str, work: Callable[[], Answer], refused: Callable[[Fault], Answer]) -> Answer | None:
        """Do the work, or what goes wrong in its place."""
        if hook := self.before.pop(name, None):
            hook()
        with self._lock:
            fault = self._faults[name].popleft() if self._faults[name] else None
            self.settle()
            answer = work() if not fault or fault.after else None
            self.settle()
        if not fault:
            return answer
        return None if fault.cut else refused(fault)

    def _graphql(self, call: Call) -> Answer | None:
        query = Query.parse(call.body)

        def work() -> Answer:
            if self.archived and query.name in mutations():
                return refused(ARCHIVED)
            return Answer.of(200, query.execute(self))

        def refused(fault: Fault) -> Answer:
            if not fault.kind:
                return rest_fault(fault)
            return Answer.of(200, query.refused(fault.kind, fault.message), fault.headers)

        return self._done(query.name, work, refused)

    def _rest(self, call: Call) -> Answer | None:
        if call.path.startswith(NUMBERED):
            call = replace(call, path=call.path.replace(NUMBERED, f"/repos/{self.repository}", 1))
        operation = description.find(call)
        description.check_request(call, operation)

        def work() -> Answer:
            if self.archived and call.method != "GET":
                return rest_fault(ARCHIVED)
            answer = self._operate(call, operation)
            description.check_response(call, operation, answer.status, answer.headers, answer.body)
            return answer

        return self._done(operation.name, work, rest_fault)

    def _operate(self, call: Call, operation: Operation) -> Answer:
        path = operation.parameters
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        body = (json.loads(call.body) if call.body else None) or {}
        asked = Asked(self, f"{call.root}/repos/{self.repository}", path, query, body)
        name = f"{path['owner']}/{path['repo']}"
        if name.lower() in self.former:
            return moved(call, name)
        try:
            if name.lower() != self.repository.lower():
                raise ProblemError(404, "Not Found")  # noqa: TRY301
            status, handler = OPERATIONS[operation.name]
            result = handler(asked)
        except ProblemError as problem:
            status, result = problem.status, problem_shown(problem)
        headers = next_page(call, query, result) | ({} if self.scopes is None else {"X-OAuth-Scopes": self.scopes})
        return Answer.of(status, description.completed(operation, status, result), headers)


def moved(call: Call, name: str) -> Answer:
    """Send on who asks for a repository by a former name.

    https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
    """
    rest = call.path.removeprefix(f"/repos/{name}") + (f"?{call.query}" if call.query else "")
    url = f"{call.root}{NUMBERED}{rest}"
    status, message = (301, "Moved Permanently") if call.method == "GET" else (307, "Temporary Redirect")
    return Answer.of(status, {"message": message, "url": url, "documentation_url": DOCUMENTATION}, {"Location": url})


def next_page(call: Call, query: Mapping[str, str], result: object) -> dict[str, str]:
    """Return the link to the next page where this one is full."""
    if not isinstance(result, list) or len(result) < int(query.get("per_page", "30")):
        return {}
    following = urlencode({**query, "page": int(query.get("page", "1")) + 1})
    return {"Link": f'<{call.root}{call.path}?{following}>; rel="next"'}


def problem_shown(problem: ProblemError) -> dict[str, Any]:
    shown = {"message": problem.message, "documentation_url": DOCUMENTATION, "status": str(problem.status)}
    return {**shown, "errors": list(problem.errors)} if problem.errors else shown


def rest_fault(fault: Fault) -> Answer:
    if fault.page:
        return Answer(fault.status, fault.page.encode(), {"Content-Type": "text/html; charset=utf-8"})
    return Answer.of(fault.status, problem_shown(ProblemError(fault.status, fault.message)), fault.headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: GitHubServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.answer(self._call(body))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        length = {} if answer.status == 204 else {"Content-Length": str(len(answer.body))}
        kind = {"Content-Type": "application/json; charset=utf-8"} if answer.body else {}
        for name, value in {**kind, **length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _call(self, body: bytes) -> Call:
        """Return the request; GitHub Enterprise serves the same below /api/v3, and GraphQL at /api/graphql."""
        path, _, query = self.path.partition("?")
        root = self.server.url
        if path.startswith(("/api/v3/repos/", f"/api/v3{NUMBERED}")):
            root, path = f"{root}/api/v3", path.removeprefix("/api/v3")
        elif path == "/api/graphql":
            path = "/graphql"
        return Call(self.command, path, query, self.headers, body, root)


@contextmanager
def running(server: GitHubServer) -> Iterator[GitHubServer]:
    """Serve in a thread until the context ends; then what broke GitHub's description is an error."""
    with serving(server):
        yield server
    if server.violations:
        raise AssertionError("\n".join(["GitHub would not have understood:", *server.violations]))
    if left := [*server.before, *server.faults_left()]:
        raise AssertionError(f"planned, and never met: {', '.join(left)}")
