"""What goes wrong in what the user does, told in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from ...contract.errors import RasterLassoError

Method = TypeVar("Method", bound=Callable[..., None])


def told(method: Method) -> Method:
    """A method that ends with the first `RasterLassoError`, which its object's own `tell` is called with."""

    @wraps(method)
    def guarded(self: Any, *args: Any, **options: Any) -> None:
        try:
            method(self, *args, **options)
        except RasterLassoError as error:
            self.tell(error)

    return cast(Method, guarded)
