import asyncio
from contextvars import ContextVar
from typing import TextIO

from .monitor import Monitor

current_monitor: ContextVar[Monitor]
current_stdout: ContextVar[TextIO]
command_done: ContextVar[asyncio.Event]
