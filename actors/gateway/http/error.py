"""An error on its way to an HTTP client; how it is answered is in api.py."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": code, "message": message, **more}
