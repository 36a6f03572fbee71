"""How a registry asks who is there, and where a client may go to prove it.

https://distribution.github.io/distribution/spec/auth/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from orbit_release.http import WebOrigin, is_token, parse_json
from orbit_release.registry.credentials import Credentials
from orbit_release.registry.distribution import GHCR

_ITEM = re.compile(r'(?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,]+))|(?P<scheme>[\w-]+)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A registry wants credentials (Basic), or a token (Bearer) from the server at `realm`."""

    bearer: bool
    realm: str
    service: str

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Read `WWW-Authenticate`, which may hold several challenges; Bearer is preferred."""
        offers: dict[str, dict[str, str]] = {}
        values: dict[str, str] = {}
        for item in _ITEM.finditer(header):
            if item["scheme"]:
                values = offers.setdefault(item["scheme"].lower(), {})
            else:
                values[item["name"].lower()] = item["plain"] or re.sub(r"\\(.)", r"\1", item["quoted"] or "")
        for scheme in ("bearer", "basic"):
            if (offer := offers.get(scheme)) is not None:
                return cls(scheme == "bearer", offer.get("realm", ""), offer.get("service", ""))
        return None

    def is_trusted(self, registry: WebOrigin) -> bool:
        """Whether the credentials of a registry may travel to the realm; those of ghcr.io never leave it."""
        realm = WebOrigin.parse(self.realm)
        return registry.allows(realm) and (registry != GHCR or realm == GHCR)

    def token_request(
        self, scope: str, credentials: Credentials | None
    ) -> tuple[str, str | None, dict[str, str] | None]:
        """Return the URL, `Authorization` and form that obtain a token; an identity token is traded in by the form."""
        wanted = {"service": self.service, "scope": scope}
        if credentials and credentials.is_identity_token:
            grant = {"grant_type": "refresh_token", "client_id": "orbit-release"}
            return self.realm, None, wanted | grant | {"refresh_token": credentials.secret}
        url = f"{self.realm}{'&' if '?' in self.realm else '?'}{urlencode(wanted)}"
        return url, credentials.basic if credentials else None, None


def parse_token(content: bytes) -> str | None:
    """Read a token server's answer; None unless it holds something that can travel in a header."""
    match parse_json(content):
        case {"token": str(token)} | {"access_token": str(token)} if is_token(token):
            return token
    return None
