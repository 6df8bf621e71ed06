"""Fetching a large file: goes on where it was cut off, tries again, tells how far it is; through the environment's proxies.

The hub's own library signs in for us but does not fetch: it begins a file anew each time that it was stopped.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import get_token

from ...contract.model_errors import DownloadFailed

ATTEMPTS = 5
WAIT_S = 0.5
"""Before the second attempt; doubled before each further one."""

TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 18

Progress = Callable[[int, int | None], None]
"""Told bytes done and in all (None where the server does not say); may raise to stop, and the file can be resumed."""


def fetch(url: str, target: Path, progress: Progress, wait_s: float = WAIT_S) -> None:
    """Download `url` to `target`, by way of `target` + ".part", which stays for the next time where this one fails.

    Raises `DownloadFailed` and what `progress` raises.
    """
    part = target.with_name(f"{target.name}.part")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            progress(part.stat().st_size if part.exists() else 0, None)
            time.sleep(wait_s * 2 ** (attempt - 1))
        try:
            if _fetch_rest(url, part, progress):
                part.replace(target)
                return
            reason = "the connection was cut again and again"
        except urllib.error.HTTPError as error:
            if error.code == 416:  # what is there is not a beginning of this file
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise DownloadFailed(url=url, reason=_http_reason(error.code)) from error
            reason = f"the server answers {error.code}"
        except urllib.error.URLError as error:
            reason = f"no connection, {error.reason}"
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        except OSError as error:
            raise DownloadFailed(url=url, reason=f"{part}: {error.strerror or error}") from error
    raise DownloadFailed(url=url, reason=reason)


def _fetch_rest(url: str, part: Path, progress: Progress) -> bool:
    """One attempt; returns whether the file is whole now."""
    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(url=url, reason="an address begins with https://; HF_ENDPOINT may lack it")
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    if token := get_token():
        request.add_unredirected_header("Authorization", f"Bearer {token}")  # for the hub, not for where it sends us
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # nosec B310 # of the web, see above
        if response.status != 206:
            done = 0  # the server sends all of it, whatever was asked
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isascii() and length.isdigit() else None
        with part.open("ab" if done else "wb") as stream:
            while chunk := response.read1(CHUNK_BYTES):  # what has come, without waiting for more
                stream.write(chunk)
                done += len(chunk)
                progress(done, total)
    return total is None or done == total


def _http_reason(code: int) -> str:
    if code in (401, 403):
        cure = "accept its licence there, then sign in with `hf auth login`, or add your own copy"
        return f"the server answers {code}; {cure}"
    return f"the server answers {code}"
