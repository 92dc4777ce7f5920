"""Types of the names Quorate uses of aiomonitor 0.7, which ships none. Not a full description of the package."""

from .monitor import Monitor as Monitor
from .termui.commands import monitor_cli as monitor_cli
