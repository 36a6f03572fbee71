"""Doppler's API: the names of the secrets in a config. Their values are never asked for.

https://docs.doppler.com/reference/secrets-names
"""

from __future__ import annotations

from typing import Any

from orbit_release import http
from orbit_release.errors import AccessError, NotFoundError, OrbitReleaseError, UnavailableError, UsageError

API = "https://api.doppler.com"
TOKEN_HINT = "make a service token: `doppler configs tokens create orbit-release --plain`, or dashboard, Access."  # noqa: S105  (says how to get one)
_MOST_BYTES = 4 * 1024 * 1024
_RETRY_HINT = "check the network and the proxy; https://www.dopplerstatus.com tells of outages."


class Doppler:
    """One config, which a service token implies; other tokens need `project` and `config` as well."""

    def __init__(self, token: str, *, api: str = API, project: str = "", config: str = "", seconds: float) -> None:
        """`seconds`: how long an answer may take."""
        try:
            is_https = http.is_secure(api)
        except ValueError as error:
            hint = "set DOPPLER_API_HOST to https://HOST, or leave it out."
            raise UsageError(f"{api} is no address", hint) from error
        if not is_https:
            raise UsageError(f"{api} is not https", "set DOPPLER_API_HOST to the https address of Doppler's API.")
        if not http.is_token(token):
            raise AccessError("DOPPLER_TOKEN is no token", TOKEN_HINT)
        self._url = f"{api.rstrip('/')}/v3/configs/config/secrets/names"
        self._token, self._seconds = token, seconds
        # Asking for dynamic secrets issues leases. What is None is left out.
        self._query = {"project": project or None, "config": config or None, "include_dynamic_secrets": "false"}

    def names(self) -> frozenset[str]:
        """Return the names of all secrets in the config."""
        answer = self._get()
        document = http.parse_json(answer.content)
        if not answer.ok:
            raise self._refusal(answer.status_code, document)
        match document:
            case {"names": [*names]} if all(isinstance(name, str) for name in names):
                return frozenset(names)
        raise UnavailableError("Doppler answers with something that is no list of names", _RETRY_HINT)

    def _get(self) -> http.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            with http.HttpSession(_MOST_BYTES) as session:
                return session.request("GET", self._url, params=self._query, headers=headers, timeout=self._seconds)
        except http.TooLargeError as error:
            raise UnavailableError(f"Doppler answers with {error}", _RETRY_HINT) from error
        except http.FAULTS as error:  # its text may quote what was sent
            what = "does not answer" if http.is_timeout(error) else "cannot be reached"
            raise UnavailableError(f"Doppler {what}: {type(error).__name__}", _RETRY_HINT) from error

    def _refusal(self, status: int, document: Any) -> OrbitReleaseError:
        match document:
            case {"messages": [*messages]}:
                said = http.quoted(" ".join(map(str, messages)), [self._token])
            case _:
                said = f"HTTP {status}"
        if status in (401, 403):
            return AccessError(f"Doppler does not accept DOPPLER_TOKEN: {said}", TOKEN_HINT)
        if status in (400, 404):
            hint = "use a service token, or set DOPPLER_PROJECT and DOPPLER_CONFIG."
            return NotFoundError(f"Doppler knows no such config: {said}", hint)
        return UnavailableError(f"Doppler refuses: {said}", _RETRY_HINT)
