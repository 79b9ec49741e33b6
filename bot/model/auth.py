"""Who we are to the provider: the raw key, or GLM's signed token. Pure: time is an argument."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Protocol

from bot.config import ModelConfig, Secret
from bot.errors import ConfigError

LIFE_SECONDS = 210.0
"""How long a token is made to last, as in the official SDK."""
RENEW_AT = 0.8
"""Share of its life after which a token is replaced."""


class Auth(Protocol):
    """Gives the Authorization header."""

    def header(self, *, now: int, monotonic: float) -> str:
        """The header's text, or "" for none; `now` is wall time in ms."""
        ...

    def renew(self) -> bool:
        """Forget what was cached; False when there is nothing that could be renewed."""
        ...


class Bearer:
    """The API key as it is; without one, no header (a local server)."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def header(self, *, now: int, monotonic: float) -> str:
        return f"Bearer {self._key.reveal()}" if self._key else ""

    def renew(self) -> bool:
        return False


class SignedToken:
    """A JWT signed with the secret half of `id.secret`.

    The token is renewed by monotonic time, so a wall clock that jumps does not leave an old one
    in use. Raises ConfigError for a key without two halves.
    """

    def __init__(self, key: Secret) -> None:
        self._id, dot, secret = key.reveal().partition(".")
        if not (self._id and dot and secret):
            raise ConfigError("model.api_key: auth = jwt needs a key of the form id.secret")
        self._secret = Secret(secret)
        self._cached = ""
        self._renew_at = 0.0

    def header(self, *, now: int, monotonic: float) -> str:
        if not self._cached or monotonic >= self._renew_at:
            self._cached = signed(self._id, self._secret, now=now)
            self._renew_at = monotonic + LIFE_SECONDS * RENEW_AT
        return f"Bearer {self._cached}"

    def renew(self) -> bool:
        self._cached = ""
        return True


def auth_for(config: ModelConfig) -> Auth:
    """The way this model wants us to say who we are."""
    return SignedToken(config.api_key) if config.auth == "jwt" else Bearer(config.api_key)


def signed(key_id: str, secret: Secret, *, now: int) -> str:
    """The token: HS256, GLM's `sign_type`, times in milliseconds."""
    payload = {"api_key": key_id, "exp": now + round(LIFE_SECONDS * 1000), "timestamp": now}
    text = f"{_part({'alg': 'HS256', 'sign_type': 'SIGN'})}.{_part(payload)}"
    digest = hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_base64url(digest)}"


def _part(claims: dict[str, object]) -> str:
    return _base64url(json.dumps(claims, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
