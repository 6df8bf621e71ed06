"""The proxy of QGIS's own options, as programs find it in their environment."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from qgis.core import QgsSettings

SCHEMES = {"HttpProxy": "http", "HttpCachingProxy": "http", "Socks5Proxy": "socks5h"}
"""By the names that QGIS's options have. `DefaultProxy` is the system's, which programs find by themselves."""


def proxies() -> dict[str, str]:
    """Variables of the environment, by name; none where QGIS's options name no proxy."""
    settings = QgsSettings()
    scheme, host = SCHEMES.get(settings.value("proxy/proxyType", "")), settings.value("proxy/proxyHost", "")
    if not settings.value("proxy/proxyEnabled", False, type=bool) or not scheme or not host:
        return {}
    user, password = settings.value("proxy/proxyUser", "") or "", settings.value("proxy/proxyPassword", "") or ""
    sign_in = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    port = settings.value("proxy/proxyPort", "") or ""
    address = f"{scheme}://{sign_in}{host}{f':{port}' if port else ''}"
    found = {"http_proxy": address, "https_proxy": address}
    direct = settings.value("proxy/noProxyUrls", []) or []
    addresses = [direct] if isinstance(direct, str) else direct
    hosts = [urlsplit(each if "//" in each else f"//{each}").hostname for each in addresses]
    if any(hosts):
        found["no_proxy"] = ",".join(filter(None, hosts))
    return found
