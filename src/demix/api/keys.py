"""API keys: made here, known to the server by their hash only."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

KEY_BYTES = 24


def new_key() -> tuple[str, str]:
    """Make an API key; return it and what the server is to know of it."""
    key = f"demix_{secrets.token_urlsafe(KEY_BYTES)}"
    return key, hash_key(key)


def hash_key(key: str) -> str:
    """Return what is stored of a key. Keys are random and long, so a fast hash is safe."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_known(offered: str, known: Sequence[str]) -> bool:
    """Say whether a key's hash is one of those known, in a time that tells nothing about them."""
    matches = [hmac.compare_digest(each, offered) for each in known]  # all are compared
    return any(matches)
