"""GitHub's own description of its REST API: which operation a request is, and whether it and its answer keep to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue

PATH = Path(__file__).with_name("github.openapi.json")
ANYWHERE = {301, 307, 401, 403, 404}  # GitHub answers these everywhere, and describes them here and there
SERVED = {"base", "head", "page", "path", "per_page", "sha", "state"}  # query parameters that the server knows
PLAIN: dict[str, Any] = {"boolean": False, "integer": 0, "number": 0, "array": [], "string": ""}
FORMATS = {"date-time": "2025-01-01T00:00:00Z", "uri": "https://github.invalid/"}


class ViolationError(Exception):
    """What the real GitHub would not understand, or would not say."""


@dataclass(frozen=True)
class Call:
    """A request: `path` is as it was sent, below the API's root."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    root: str


@dataclass(frozen=True)
class Operation:
    """An operation of the description, and what a request's path says for it."""

    name: str
    pattern: str
    described: Mapping[str, Any]
    parameters: Mapping[str, str]


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return loaded


@cache
def _requests() -> OpenAPI:
    """Return what checks requests: GitHub ignores fields that it does not know, and we do not."""
    return OpenAPI.from_dict(document(), config=Config(additional_properties_default_policy="forbid"))


@cache
def _responses() -> OpenAPI:
    return OpenAPI.from_dict(document())


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every operation."""
    for pattern, methods in document()["paths"].items():
        for method, described in methods.items():
            yield method, pattern, described


def find(call: Call) -> Operation:
    for method, pattern, described in operations():
        # A reference contains slashes, which clients may leave as they are.
        expression = re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'ref' else '[^/]+'})", pattern)
        match = re.fullmatch(expression, call.path)
        if match and method == call.method.lower():
            parameters = {name: unquote(value) for name, value in match.groupdict().items()}
            return Operation(described["operationId"], pattern, described, parameters)
    raise ViolationError(f"{call.method} {call.path}: no such operation in {PATH.name}")


def _request(call: Call, operation: Operation) -> MockRequest:
    path = operation.pattern
    for name, value in operation.parameters.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = parse_qs(call.query, keep_blank_values=True)
    kind = call.headers.get("Content-Type", "")
    return MockRequest(
        call.root,
        call.method,
        path,
        args=query,
        headers=dict(call.headers.items()),
        data=call.body,
        content_type=kind.lower(),
    )


def check_request(call: Call, operation: Operation) -> None:
    if unknown := set(parse_qs(call.query, keep_blank_values=True)) - SERVED:
        raise ViolationError(
            f"{operation.name}: the query has {', '.join(sorted(unknown))}, which this server does not know"
        )
    try:
        _requests().validate_request(_request(call, operation))
    except OpenAPIError as error:
        raise ViolationError(f"{operation.name}: the request: {'; '.join(_reasons(error))}") from error


def check_response(call: Call, operation: Operation, status: int, headers: Mapping[str, str], body: bytes) -> None:
    if status in ANYWHERE and str(status) not in operation.described["responses"]:
        return
    response = MockResponse(body, status, dict(headers))
    try:
        _responses().validate_response(_request(call, operation), response)
    except OpenAPIError as error:
        raise ViolationError(f"{operation.name}: the response {status}: {'; '.join(_reasons(error))}") from error


def _reasons(error: BaseException) -> Iterator[str]:
    """Yield what is wrong, without the whole of what was sent."""
    while error.__cause__ and not isinstance(error, InvalidSchemaValue):
        error = error.__cause__
    if not isinstance(error, InvalidSchemaValue):
        yield str(error)
        return
    for breach in error.schema_errors:
        yield f"{getattr(breach, 'json_path', '$')}: {getattr(breach, 'message', breach):.200}"


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and the first of several alternatives."""
    while True:
        if "$ref" in schema:
            _, _, kind, name = schema["$ref"].split("/")
            schema = document()["components"][kind][name]
        elif alternatives := schema.get("allOf") or schema.get("anyOf") or schema.get("oneOf"):
            schema = alternatives[0]
        else:
            return schema


def _default(schema: Mapping[str, Any]) -> Any:
    if schema.get("nullable") or (schema := _resolved(schema)).get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema or schema.get("type") == "object":
        return {name: _default(schema["properties"][name]) for name in schema.get("required", [])}
    return FORMATS.get(schema.get("format", ""), PLAIN[schema["type"]])


def _filled(schema: Mapping[str, Any], given: Any) -> Any:
    schema = _resolved(schema)
    if isinstance(given, list):
        return [_filled(schema.get("items", {}), item) for item in given]
    if not isinstance(given, dict) or not given:
        return given  # where GitHub may know nothing at all, an empty object stays one
    properties = schema.get("properties", {})
    missing = {name: _default(properties[name]) for name in schema.get("required", []) if name not in given}
    return missing | {name: _filled(properties.get(name, {}), value) for name, value in given.items()}


def completed(operation: Operation, status: int, body: Any) -> Any:
    """Add the fields that the description demands and nobody reads."""
    response = _resolved(operation.described["responses"].get(str(status), {}))
    media = response.get("content", {}).get("application/json", {})
    return _filled(media.get("schema", {}), body)
