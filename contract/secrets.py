"""Passwords and keys kept out of whatever others see: messages, logs, fields of layers."""

from __future__ import annotations

import re

HIDDEN = "***"

SECRET_NAMES = "token|key|sig|secret|passw|pwd|auth|credential|session|appid"  # nosec B105 # pragma: allowlist secret
"""Parameters of addresses whose names hold one of these are keys: of map services, Amazon, Azure, Google."""

_RULES = (
    # scheme://user:password@host  # pragma: allowlist secret
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s'\"?#<>]*@", re.I), r"\1"),
    # ?token=… of an address, its ampersands perhaps escaped for XML
    (re.compile(rf"([?&;][\w.%-]*(?:{SECRET_NAMES})[\w.%-]*=)[^&\s'\"<>#;]*", re.I), rf"\1{HIDDEN}"),
    # the same within an address that is a parameter itself, as QGIS has it
    (re.compile(rf"(%(?:3F|26)[\w.-]*(?:{SECRET_NAMES})[\w.-]*%3D)(?:(?!%26|%23)[^&\s'\"<>#;])*", re.I), rf"\1{HIDDEN}"),
    # password=… of a database
    (re.compile(r"\b(password|passwd|pwd)(\s*=\s*)('(?:[^'\\]|\\.)*'|\"[^\"]*\"|[^\s'\"&,;)]+)", re.I), rf"\1\2{HIDDEN}"),
    # <UserPwd>… of GDAL's description of a map service
    (re.compile(r"(<(UserPwd|Cookie|AccessToken)>)[^<]*(</\2>)", re.I), rf"\1{HIDDEN}\3"),
    # Authorization: Bearer …
    (re.compile(r"\b(Bearer|Basic)\s+[\w+/=.~-]{8,}", re.I), rf"\1 {HIDDEN}"),
    # georaster:user/password@database
    (re.compile(r"\b(geor(?:aster)?:[^,/@\s]+[,/])[^@,\s]+", re.I), rf"\1{HIDDEN}"),
)


def without_secrets(text: str) -> str:
    """A source, or a text that may name one, for others to read. What is no address or connection stays as it is."""
    for pattern, shown in _RULES:
        text = pattern.sub(shown, text)
    return text
