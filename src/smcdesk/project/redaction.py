"""What may leave the process in words: no secret in any spelling, no control character.

A secret is the value of a variable whose name says so, the password of any address in a variable, whatever stands as
a password inside an address, and a value beside the word password. Every message, log line, page, notebook, record
and tag passes through `masked`.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MASK = "***"
_LEAST = 4  # letters of a secret that is looked for by its value: a shorter one would blank ordinary words
_SECRET_NAME = re.compile(
    r"(?i)(passw|passphrase|(?:^|[_-])pass$|pwd|secret|token|api_?key|access_?key|_key\b|_key_id|credential|"
    r"auth(?:$|orization)|bearer|webhook|cookie)"
)
_OPEN_PARAMETERS = {  # of an address: the value of any other one is masked
    *("host", "hostaddr", "port", "dbname", "database", "user", "sslmode", "connect_timeout", "application_name"),
    *("target_session_attrs", "timeout", "mode", "cache", "uri", "keepalives", "client_encoding"),
    *("symbol", "symbols", "interval", "timeframe", "limit", "start", "end", "since", "until"),
}
_ADDRESS = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>`]+")
_PAIR = re.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*[a-z]{0,4}(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|secret[_-]?key))"
    r"(['\"]?\s*(?:=|:)\s*)(?!\*\*\*)('[^']*'|\"[^\"]*\"|[^\s'\",;&)}\]]+)"
)
_SHORT_PAIR = re.compile(  # words that mean other things too: only where a value is set
    r"(?i)\b((?:[a-z0-9]+_)*(?:pass|pw|auth|sig|signature))(=|['\"]\s*:\s*)(?!\*\*\*)('[^']*'|\"[^\"]*\"|[^\s'\",;&)}\]]+)"
)
_HEADER = re.compile(  # what a request carries: Authorization: Bearer abc
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)(?!\*\*\*)('[^']*'|\"[^\"]*\"|[^\r\n'\",}]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer)(\s+)[a-z0-9+/._~-]{12,}=*")
_BOT = re.compile(r"(/bot)\d+:[\w-]+")  # Telegram's addresses hold the token
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def masked(text: str) -> str:
    "The text without any secret."
    if not isinstance(text, str) or not text:
        return text
    for secret in _secrets():
        text = text.replace(secret, MASK)
    text = _BOT.sub(rf"\1{MASK}", _ADDRESS.sub(lambda found: masked_url(found[0]), text))
    for pattern in (_HEADER, _BEARER, _PAIR, _SHORT_PAIR):
        text = pattern.sub(lambda found: f"{found[1]}{found[2]}{MASK}", text)
    return text


def masked_values(value: Any) -> Any:
    "JSON values with every text in them masked, keys too."
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {masked(k) if isinstance(k, str) else k: masked_values(v) for k, v in value.items()}
    return [masked_values(v) for v in value] if isinstance(value, list | tuple) else value


def masked_url(url: str) -> str:
    "An address without its password, wherever it stands: before the host, or among the parameters."
    head, mark, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    place, slash, path = rest.partition("/")
    who, at, _ = place.rpartition("@")
    if "@" in path and not who:  # a password with a slash in it
        who, at, place = rest.rpartition("@")[0], "@", rest.rpartition("@")[2]
        slash = path = ""
    if at:
        user, colon, _ = who.partition(":")
        place = f"{user}:{MASK}@{place.rpartition('@')[2]}" if colon else place
    if "@" in query:  # a password with a question mark in it: no parameter holds an address
        return f"{scheme}://{MASK}@{query.rpartition('@')[2]}"
    query, hash_mark, fragment = query.partition("#")
    parts = [_masked_parameter(part) for part in re.split(r"[&;]", query)] if query else []
    tail = f"#{MASK}" if hash_mark and fragment else ""
    return f"{scheme}://{place}{slash}{path}{mark}{'&'.join(parts)}{tail}"


def _masked_parameter(part: str) -> str:
    "One `name=value` of an address; a name that is not known to be open is masked."
    name, equals, _ = part.partition("=")
    return part if not equals or unquote_plus(name).lower() in _OPEN_PARAMETERS else f"{name}={MASK}"


def has_password(url: str) -> bool:
    "Whether an address holds a password in any spelling."
    return masked_url(url) != url


def _secrets() -> list[str]:  # the longest first
    "Every secret of the environment, as it is and as addresses spell it."
    found = set()
    for name, value in os.environ.items():
        if not value:
            continue
        if _SECRET_NAME.search(name):
            found |= _spellings(value)
        elif "://" in value:
            found |= {s for secret in _passwords(value) for s in _spellings(secret)}
    return sorted((s for s in found if len(s) >= _LEAST), key=len, reverse=True)


def _passwords(url: str) -> set[str]:
    "The secrets inside an address."
    found = set()
    place = url.partition("://")[2]
    for who in (re.split(r"[/?#]", place)[0].rpartition("@")[0], place.rpartition("@")[0]):
        if ":" in who:  # the second: a password with a slash or a question mark that was not encoded
            found.add(who.partition(":")[2])
    for part in re.split(r"[&;]", url.partition("?")[2]):
        name, equals, value = part.partition("=")
        if equals and unquote_plus(name).lower() not in _OPEN_PARAMETERS and _SECRET_NAME.search(unquote_plus(name)):
            found.add(value)
    return found


def _spellings(secret: str) -> set[str]:
    "A secret as it stands, decoded, percent-encoded in every usual way, and as JSON and HTML write it."
    plain, more = {secret}, {secret}
    while more := {f(p) for p in more for f in (unquote, unquote_plus)} - plain:  # encoded once, or oftener
        plain |= more
    encoded = {f(p, safe="") for p in plain for f in (quote, quote_plus)} | {quote(p) for p in plain}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), e) for e in encoded}
    written = {f(p) for p in plain for f in (escape, lambda p: repr(p)[1:-1], lambda p: json.dumps(p)[1:-1])}
    return plain | encoded | lower | written


def plain(text: str) -> str:
    "The text without control characters: no colours, no cursor, no writing direction turned round; line ends stay."
    return "".join(c for c in text if c in "\n\t" or not (c in _BIDI or unicodedata.category(c) == "Cc"))


def one_line(text: Any) -> str:
    "A message as one line of plain text, masked."
    return " ".join(plain(masked(" ".join(str(text).split()))).split())
