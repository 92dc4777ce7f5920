"""Types of the names Quorate uses of pysyncobj 0.3.17, which ships none. Not a full description of the package."""

from .config import FAIL_REASON as FAIL_REASON, SyncObjConf as SyncObjConf
from .syncobj import SyncObj as SyncObj, SyncObjException as SyncObjException, replicated as replicated
from .syncobj import _COMMAND_TYPE as _COMMAND_TYPE, _RAFT_STATE as _RAFT_STATE
