"""Doppler's API: the names of the secrets in a config. Their values are never asked for.

https://docs.doppler.com/reference/secrets-names
"""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from orbit_release.errors import AccessError, NotFoundError, OrbitReleaseError, UnavailableError, UsageError

API = "https://api.doppler.com"
TOKEN_HINT = "make a service token: `doppler configs tokens create orbit-release --plain`, or dashboard, Access."  # noqa: S105  (says how to get one)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_RETRY_HINT = "check the network and the proxy; https://www.dopplerstatus.com tells of outages."


class Doppler:
    """One config, which a service token implies; other tokens need `project` and `config` as well."""

    def __init__(self, token: str, *, api: str = API, project: str = "", config: str = "", seconds: float) -> None:
        """Know where to ask; `seconds`: how long an answer may take."""
        try:
            url = urlsplit(api)
        except ValueError as error:
            raise UsageError(
                f"{api} is no address", "set DOPPLER_API_HOST to https://HOST, or leave it out."
            ) from error
        if url.scheme != "https" and url.hostname not in _LOOPBACK:
            raise UsageError(f"{api} is not https", "set DOPPLER_API_HOST to the https address of Doppler's API.")
        if not token.isascii() or not token.isprintable():
            raise AccessError("DOPPLER_TOKEN is no token", TOKEN_HINT)
        self._url = f"{api.rstrip('/')}/v3/configs/config/secrets/names"
        self._token, self._seconds, self._trusts = token, seconds, url.hostname not in _LOOPBACK
        self._config = {name: value for name, value in (("project", project), ("config", config)) if value}

    def names(self) -> frozenset[str]:
        """Return the names of all secrets in the config."""
        answer = self._get({**self._config, "include_dynamic_secrets": "false"})  # asking for those issues leases
        names = _body(answer).get("names")
        if not answer.ok:
            raise self._refused(answer)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UnavailableError("Doppler answers with something that is no list of names", _RETRY_HINT)
        return frozenset(names)

    def _get(self, query: dict[str, str]) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = self._trusts  # proxies and certificates are not meant for this machine itself
            try:
                return session.get(
                    self._url,
                    params=query,
                    headers={"User-Agent": "orbit-release", "Authorization": f"Bearer {self._token}"},
                    auth=lambda prepared: prepared,  # given, it keeps requests from looking into ~/.netrc
                    timeout=self._seconds,
                    allow_redirects=False,
                )
            except (
                OSError,
                ValueError,
            ) as error:  # its text may quote what was sent; ValueError: a redirect to nowhere
                what = "does not answer" if isinstance(error, requests.Timeout) else "cannot be reached"
                raise UnavailableError(f"Doppler {what}: {type(error).__name__}", _RETRY_HINT) from error

    @staticmethod
    def _refused(answer: requests.Response) -> OrbitReleaseError:
        messages = _body(answer).get("messages")
        said = " ".join(map(str, messages)) if isinstance(messages, list) else f"HTTP {answer.status_code}"
        if answer.status_code in (401, 403):
            return AccessError(f"Doppler does not accept DOPPLER_TOKEN: {said}", TOKEN_HINT)
        if answer.status_code in (400, 404):
            hint = "use a service token, or set DOPPLER_PROJECT and DOPPLER_CONFIG."
            return NotFoundError(f"Doppler knows no such config: {said}", hint)
        return UnavailableError(f"Doppler refuses: {said}", _RETRY_HINT)


def _body(answer: requests.Response) -> dict[str, object]:
    try:
        found = answer.json()
    except requests.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
