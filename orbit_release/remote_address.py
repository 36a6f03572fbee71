"""The web address of a git remote."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# No `@` in host and path: credentials that break the rules of addresses must not slip into either.
_SCP_ADDRESS = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[\w.-]+/.*)")
_WEB_SCHEMES = ("https", "http", "ssh", "git")
_PLAIN = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+")


def web_address(remote: str) -> str:
    """Return a repository's https address, or "" for a remote that has none that is surely free of credentials."""
    scp = _SCP_ADDRESS.fullmatch(remote)
    try:
        url = urlsplit(f"ssh://{scp['host']}/{scp['path']}" if scp else remote)
        port = url.port
    except ValueError:  # brackets or digits where none belong
        return ""
    path = url.path.removesuffix("/").removesuffix(".git")
    if url.scheme not in _WEB_SCHEMES or url.query or url.fragment or not _PLAIN.fullmatch(f"{url.hostname}{path}"):
        return ""
    is_web_port = url.scheme == "https" and port not in (None, 443)
    return f"https://{url.hostname}{f':{port}' if is_web_port else ''}{path}"
