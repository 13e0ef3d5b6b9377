"""User and password as HTTP servers ask for them: Basic (RFC 7617), Digest (RFC 7616; old cameras: RFC 2069)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HASHES: Final = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SESSION: Final = "-SESS"
# name="quoted, with commas and \"", or name=token
_PARAMETER: Final = re.compile(r"""([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))""")

_ESCAPE: Final = re.compile(r"\\(.)")


def authorization(challenges: Iterable[str], path: str, user: str, password: str) -> str | None:
    """The `Authorization` header for a GET.

    Args:
        challenges: the values of the server's `WWW-Authenticate` headers.
        path: what is asked for, with its query.
        user: as it is.
        password: as it is.

    Returns:
        None where the server wants it in no known way. Of several ways Digest: it does not say the password itself.
    """
    basic = None
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "digest":
            parameters = {
                name.lower(): _ESCAPE.sub(r"\1", quoted) or token for name, quoted, token in _PARAMETER.findall(rest)
            }
            answer = _digest(parameters, path, user, password)
            if answer is not None:
                return answer
        elif scheme.lower() == "basic":
            basic = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    return basic


def _digest(asked: Mapping[str, str], path: str, user: str, password: str) -> str | None:
    algorithm = asked.get("algorithm", "MD5").upper()
    name = _HASHES.get(algorithm.removesuffix(_SESSION))
    qualities = [quality.strip() for quality in asked.get("qop", "").split(",") if quality.strip()]
    if name is None or "nonce" not in asked or (qualities and "auth" not in qualities):
        return None

    def digest(*parts: str) -> str:
        return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

    realm, nonce, once, count = asked.get("realm", ""), asked["nonce"], secrets.token_hex(8), "00000001"
    secret = digest(user, realm, password)
    if algorithm.endswith(_SESSION):
        secret = digest(secret, nonce, once)
    what = digest("GET", path)
    answer = {"username": user, "realm": realm, "nonce": nonce, "uri": path}
    if qualities:
        answer["response"] = digest(secret, nonce, count, once, "auth", what)
    else:
        answer["response"] = digest(secret, nonce, what)
    for repeated in ("opaque", "algorithm"):
        if repeated in asked:
            answer[repeated] = asked[repeated]
    fields = [f'{key}="{_escaped(value)}"' for key, value in answer.items() if key != "algorithm"]
    fields += [f"algorithm={answer['algorithm']}"] if "algorithm" in answer else []
    fields += ["qop=auth", f"nc={count}", f'cnonce="{once}"'] if qualities else []
    return f"Digest {', '.join(fields)}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
