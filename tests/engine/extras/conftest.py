"""Where torchvision is built for another torch than the one here, it is imported all the same: no operator of its is used."""

import re
from importlib.util import find_spec
from pathlib import Path

import torch


def define_operators():
    """Names of operators that its compiled part would bring, so that its Python part can describe them."""
    described = Path(str(find_spec("torchvision").origin)).with_name("_meta_registrations.py").read_text()
    names = re.findall(r'register_meta\("(\w+)"|torchvision::(\w+)', described)
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in {first or second for first, second in names}:
        library.define(f"{name}(Tensor x) -> Tensor")
    return library


try:
    import torchvision
except RuntimeError:
    LIBRARY = define_operators()
    import torchvision  # noqa: F401
