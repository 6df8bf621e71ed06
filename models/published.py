"""Published weights by the names that users get them by. Hashes are unknown here: the user sees what came, and decides."""

from __future__ import annotations

import os
from dataclasses import dataclass

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """Weights on the hub. sha256: of the weights, None where we could not verify it."""

    name: str
    repository: str
    licence: str
    sha256: str | None = None

    def url(self, file: str) -> str:
        """Of one of its files, on the hub or the mirror that HF_ENDPOINT names."""
        return f"{os.environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{self.repository}/resolve/main/{file}"


PUBLISHED = (
    Published("sam2.1-tiny", "facebook/sam2.1-hiera-tiny", "Apache-2.0"),
    Published("sam2.1-small", "facebook/sam2.1-hiera-small", "Apache-2.0"),
    Published("sam2.1-base-plus", "facebook/sam2.1-hiera-base-plus", "Apache-2.0"),
    Published("sam2.1-large", "facebook/sam2.1-hiera-large", "Apache-2.0"),
    Published("sam-base", "facebook/sam-vit-base", "Apache-2.0"),
    Published("sam-large", "facebook/sam-vit-large", "Apache-2.0"),
    Published("sam-huge", "facebook/sam-vit-huge", "Apache-2.0"),
    Published("sam-hq-base", "syscv-community/sam-hq-vit-base", "Apache-2.0"),
    Published("sam-hq-huge", "syscv-community/sam-hq-vit-huge", "Apache-2.0"),
    Published("sam3", "facebook/sam3", "SAM License, to be accepted on the hub"),
)
