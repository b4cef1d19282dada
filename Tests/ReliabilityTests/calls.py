"""calls.c, which scripts/check-reliability.sh preloads, as Python functions; and what its log holds."""

import ctypes
import os
import struct
from typing import NamedTuple

ONCE, FROM_HERE, SHORT, KILL = range(4)
NONE = -1

_library = ctypes.CDLL(None)


def is_loaded():
    return hasattr(_library, "calls_fail")


def root(path):
    """The folder whose files count, in child processes too; "" for none."""
    _library.calls_root(path.encode())
    os.environ["VIDX_CALLS_ROOT"] = path


def log(path):
    """Where calls are recorded, those of child processes too; "" for nowhere."""
    _library.calls_log(path.encode())
    os.environ["VIDX_CALLS_LOG"] = path


def mark(number):
    """Notes in the log that this much is done."""
    _library.calls_mark(ctypes.c_long(number))


def fail(number, code=0, how=ONCE):
    """Fails the call with this number, counted from now; NONE fails none. See calls.c."""
    _library.calls_fail(ctypes.c_long(number), code, how)


def count():
    """Calls since `fail`."""
    return ctypes.c_long(_library.calls_count()).value


def failed():
    """Whether the call that was to fail came."""
    return bool(_library.calls_failed())


class Call(NamedTuple):
    """c: create, m: make a folder, w: write, t: set the size, s: synchronise, r: rename, u: remove, #: a mark."""

    operation: str
    name: str
    data: bytes
    offset: int


_HEAD = struct.Struct("<IIIIq")


def read(path):
    """The calls of a log, in their order."""
    with open(path, "rb") as file:
        content = file.read()
    position = 0
    while position < len(content):
        operation, first, second, _, offset = _HEAD.unpack_from(content, position)
        position += _HEAD.size
        name = content[position : position + first].decode()
        data = content[position + first : position + first + second]
        position += first + second
        yield Call(chr(operation), name, data, offset)
