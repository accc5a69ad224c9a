"""Which addresses may be called: an endpoint's URL is somebody's input, and Palms stands inside a network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import idna

LONGEST = 500
PORTS = frozenset({443, 8443})
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
OURS_ALONE = frozenset(
    {"localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid", "onion", "arpa"}
)
GLOBAL_UNICAST, NAT64 = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96")
SPECIAL4 = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))  # what older Pythons call global
SPECIAL6 = (  # protocols of the IETF and Teredo, 6to4, documentation
    IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20"),
)  # fmt: skip
Address = IPv4Address | IPv6Address


class BadUrl(ValueError):
    """Not an address that Palms calls."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes. `host` is ASCII; `path` carries the query."""

    is_secure: bool
    host: str
    port: int
    path: str


def read(url: str, *, private: bool) -> Target:
    """Read an endpoint's URL. `private` (development) also lets through http, any port, and any host.

    Raises:
        BadUrl: not https, a port that is not 443 or 8443, a login, a fragment, an IP address or a name inside a network.
    """
    if not 0 < len(url) <= LONGEST or re.search(r"[\x00-\x20\x7f\\]", url):
        raise BadUrl("characters")
    parts, port = _split(url)
    if parts.scheme not in ({"https", "http"} if private else {"https"}):
        raise BadUrl("scheme")
    if "@" in parts.netloc or parts.fragment or "#" in url or not f"{parts.path}{parts.query}".isascii():
        raise BadUrl("login, fragment or letters")
    default = 443 if parts.scheme == "https" else 80
    if not private and (port or default) not in PORTS or port == 0:
        raise BadUrl("port")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", _host(parts.hostname or "", private=private), port or default, path)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError as error:
        raise BadUrl("syntax") from error


def _host(host: str, *, private: bool) -> str:
    literal = _literal(host)
    if literal is not None:
        if not private:
            raise BadUrl("an address and not a name")
        return str(literal)
    try:
        name = (
            idna.encode(host.removesuffix("."), uts46=True).decode() if not host.isascii() else host.removesuffix(".")
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise BadUrl("name") from error
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise BadUrl("name")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):  # 2130706433, 0x7f.1, 0177.0.0.1: an address in disguise
        raise BadUrl("an address and not a name")
    if not private and (len(labels) < 2 or labels[-1] in OURS_ALONE):
        raise BadUrl("a name inside a network")
    return name


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether a resolved address is out in the Internet, and so is the IPv4 address that it may carry inside."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public4(found)
    inner = IPv4Address(found.packed[-4:]) if found in NAT64 else found.ipv4_mapped
    if inner is not None:
        return _is_public4(inner)
    return found in GLOBAL_UNICAST and found.is_global and not any(found in one for one in SPECIAL6)


def _is_public4(found: IPv4Address) -> bool:
    return found.is_global and not (found.is_multicast or any(found in one for one in SPECIAL4))
