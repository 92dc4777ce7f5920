import asyncio
import threading
import weakref
from typing import Any

class Monitor:
    prompt: str
    _monitored_loop: asyncio.AbstractEventLoop
    _ui_loop: asyncio.AbstractEventLoop
    _ui_thread: threading.Thread
    _event_loop_thread_id: int | None
    _host: str
    _termui_port: int
    _webui_port: int
    _console_port: int
    _termui_tasks: weakref.WeakSet[asyncio.Task[Any]]
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        host: str = ...,
        termui_port: int = ...,
        webui_port: int = ...,
        console_port: int = ...,
        console_enabled: bool = ...,
        hook_task_factory: bool = ...,
        max_termination_history: int = ...,
        locals: dict[str, Any] | None = ...,
    ) -> None: ...
    def start(self) -> None: ...
    def close(self) -> None: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def closed(self) -> bool: ...
