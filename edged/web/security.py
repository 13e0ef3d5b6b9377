"""Who may come in: by which names the page may be asked for, the token, sessions, and proof against forged requests.

Pure but for the secret that each start makes anew. Times are `time.time()` for what outlives a restart, and monotonic
for what does not.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.answers import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterable

SESSION_S: Final = 30 * 24 * 3600
MOST_ADDRESSES: Final = 1024
"""Whose failures are remembered."""
TRIES: Final = 5
TRIES_A_SECOND: Final = 1 / 12
_COOKIE: Final = re.compile(r"([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Names:
    """By which host names the page may be asked for.

    A name that some server on the internet may give to this machine's address, so that a stranger's page counts as ours
    (DNS rebinding), is none of them. An IP address cannot be given away like that.
    """

    names: frozenset[str]
    loopback: bool

    @classmethod
    def of(cls, host: str, more: Iterable[str], *, loopback: bool) -> Names:
        """Of a page that listens at `host`; `more`: further ones from the configuration, such as a proxy's."""
        own = {"localhost", host.lower(), *(name.lower() for name in more)}
        if not loopback:
            machine = socket.gethostname().lower()
            own |= {machine, f"{machine.partition('.')[0]}.local", machine.partition(".")[0]}
        return cls(frozenset(own), loopback)

    def allows(self, host: str) -> bool:
        """Whether a Host header is right. Its port is not looked at: a proxy has another one."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").lower().rstrip(".")
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if self.loopback else True


class Gate:
    """The token, and what follows from having shown it.

    Args:
        token: None: whoever reaches the page is let in.
    """

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else _digest(token)
        self._secret = secrets.token_bytes(32)
        self._tries: OrderedDict[str, Allowance] = OrderedDict()

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return self._token is None

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for one that is nearly right as for any other."""
        return self._token is not None and hmac.compare_digest(_digest(token), self._token)

    def renew(self, token: str | None) -> bool:
        """Take on another token, which ends every session. Whether one is needed at all stays as it was.

        Returns:
            Whether it is another one.
        """
        if token is None or self._token is None or self.knows(token):
            return False
        self._token = _digest(token)
        return True

    def may_try(self, address: str, now: float) -> bool:
        """Whether this address (an IPv6 one stands for its network) may try a token now; counts as a try."""
        key = network(address)
        allowance = self._tries.pop(key, None) or Allowance(TRIES, TRIES_A_SECOND)
        self._tries[key] = allowance
        if len(self._tries) > MOST_ADDRESSES:
            self._tries.popitem(last=False)
        return allowance.take(now)

    def forgive(self, address: str) -> None:
        """It knew the token."""
        self._tries.pop(network(address), None)

    def session(self, now: float) -> str:
        """A cookie's value for somebody who has shown the token. Worth nothing any more once the token is another."""
        body = f"{int(now) + SESSION_S}.{secrets.token_hex(16)}"
        return f"{body}.{self._sign(body)}"

    def is_session(self, value: str, now: float) -> bool:
        """Whether it is one that was given out, and is not too old."""
        found = _COOKIE.fullmatch(value)
        if found is None or self._token is None or not 0 < int(found[1]) - now <= SESSION_S:
            return False
        return hmac.compare_digest(self._sign(f"{found[1]}.{found[2]}"), found[3])

    def proof(self, session: str) -> str:
        """What a page of ours sends along with a change, and no page of others can know."""
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def is_proof(self, value: str, session: str) -> bool:
        """Whether it is this session's."""
        return hmac.compare_digest(self.proof(session).encode(), value.encode(errors="replace"))

    def _sign(self, body: str) -> str:
        return hmac.new(self._token or b"", f"session {body}".encode(), "sha256").hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def network(address: str) -> str:
    """What an address is counted as: itself, or the network that an IPv6 one is of."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own, as a client's address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
