"""Host names as a browser meets them: their addresses, and the certificate behind them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from orbit_release.doctor.judgements import Certificate
from orbit_release.errors import AccessError, NotFoundError, UnavailableError

_NAME_HINT = "make its record, to the Gateway or the tunnel; where external-dns runs, ask it why it did not."
_REACH_HINT = "is something listening there, and may this machine reach it?"


def look_up_addresses(host: str) -> list[str]:
    """Return the addresses of a host name; NotFoundError where there are none."""
    try:
        records = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that is too long
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise UnavailableError(f"{host}: no name server answers", "check the network.") from error
        raise NotFoundError(f"{host} does not resolve", _NAME_HINT) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in records))


def fetch_certificate(
    host: str,
    *,
    seconds: float,
    port: int = 443,
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> Certificate:
    """Return the certificate that a host shows; AccessError where no authority that we trust has signed it."""
    trusting = context()
    trusting.check_hostname = False  # the chain is verified; the names are for the caller, who tells what they are
    try:
        with (
            socket.create_connection((host, port), seconds) as connection,
            trusting.wrap_socket(connection, server_hostname=host) as wrapped,
        ):
            shown = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        hint = "get one from an authority that browsers trust; behind a tunnel it is the tunnel's that counts."
        raise AccessError(f"its certificate is not valid: {error.verify_message}", hint) from error
    except (OSError, UnicodeError) as error:
        reason = "timed out" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
        raise UnavailableError(f"{host}:{port} does not speak TLS: {reason}", _REACH_HINT) from error
    names = (str(entry[1]) for entry in shown.get("subjectAltName", ()) if len(entry) > 1)
    return Certificate(tuple(names), ssl.cert_time_to_seconds(str(shown["notAfter"])))
