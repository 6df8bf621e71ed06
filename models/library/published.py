"""Published weights by the names that users get them by. Hashes are unknown here: the user sees what came, and decides."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...contract.model_errors import ModelUnknown

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """Weights on the hub. kind: their family. sha256: of the weights, None where we could not verify it."""

    name: str
    repository: str
    kind: str
    licence: str
    parameters: int
    sha256: str | None = None
    revision: str = "main"
    """Branch, tag or commit of the repository."""

    def url(self, file: str) -> str:
        """Of one of its files, on the hub or the mirror that HF_ENDPOINT names."""
        return f"{os.environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{self.repository}/resolve/{self.revision}/{file}"


PUBLISHED = (
    Published("sam2.1-tiny", "facebook/sam2.1-hiera-tiny", "sam2", "Apache-2.0", 39_000_000),
    Published("sam2.1-small", "facebook/sam2.1-hiera-small", "sam2", "Apache-2.0", 46_000_000),
    Published("sam2.1-base-plus", "facebook/sam2.1-hiera-base-plus", "sam2", "Apache-2.0", 81_000_000),
    Published("sam2.1-large", "facebook/sam2.1-hiera-large", "sam2", "Apache-2.0", 224_000_000),
    Published("edgetam", "yonigozlan/EdgeTAM-hf", "edgetam", "Apache-2.0", 14_000_000),
    Published("sam-base", "facebook/sam-vit-base", "sam", "Apache-2.0", 94_000_000),
    Published("sam-large", "facebook/sam-vit-large", "sam", "Apache-2.0", 312_000_000),
    Published("sam-huge", "facebook/sam-vit-huge", "sam", "Apache-2.0", 641_000_000),
    Published("sam-hq-base", "syscv-community/sam-hq-vit-base", "sam_hq", "Apache-2.0", 95_000_000),
    Published("sam-hq-huge", "syscv-community/sam-hq-vit-huge", "sam_hq", "Apache-2.0", 643_000_000),
    Published("sam3", "facebook/sam3", "sam3_tracker", "SAM License, to be accepted on the hub", 860_000_000),
)


def published(name: str) -> Published:
    """The weights of a name; raises `ModelUnknown`."""
    for each in PUBLISHED:
        if each.name == name:
            return each
    raise ModelUnknown(name=name, known=", ".join(each.name for each in PUBLISHED))
