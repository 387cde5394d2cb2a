"""How often somebody may try a password."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class AttemptsPerAddress(SimpleRateThrottle):
    """By where the request comes from."""

    rate = "30/min"
    scope = "password-attempts-per-address"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class AttemptsPerName(SimpleRateThrottle):
    """By the name tried, wherever it comes from: a forged `X-Forwarded-For` buys no attempts."""

    rate = "10/min"
    scope = "password-attempts-per-name"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        if not isinstance(name, str):
            return None
        return self.cache_format % {"scope": self.scope, "ident": name.lower().encode()[:150].hex()}
