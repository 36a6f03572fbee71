"""Whether a certificate covers a host name, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_release.doctor.checklist import ChecklistLine, failed_line, listed, ok_line

LEAST_DAYS = 14
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a trusted authority: the names that it covers, and when it ends, in seconds since 1970."""

    names: tuple[str, ...]
    ends: float


def covers(certificate: Certificate, host: str) -> bool:
    """Whether a certificate is for a host; a wildcard stands for exactly one label (RFC 6125)."""
    asked = host.lower().rstrip(".")
    wildcard = f"*.{asked.partition('.')[2]}"
    return any(name.lower() in (asked, wildcard) for name in certificate.names)


def certificate_line(host: str, certificate: Certificate, now: float) -> ChecklistLine:
    days = int((certificate.ends - now) // _DAY)
    if not covers(certificate, host):
        what = f"the certificate covers {listed(certificate.names) or 'nothing'}, not {host}"
        return failed_line("certificate", host, what, f"add {host} to its names; a wildcard covers one level only.")
    if days < LEAST_DAYS:
        fix = "renew it; where cert-manager does that, see `kubectl get certificates -A`."
        return failed_line("certificate", host, f"it ends in {days} days", fix)
    return ok_line("certificate", host, f"covers it, for {days} days more")
