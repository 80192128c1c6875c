"""The process behind `EmptyHosts`, started by its path so that it imports nothing of ours."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading

_CLONE_NEWNET = 0x40000000
_STACK_BYTES = 128 << 10


def keep(count: int) -> None:
    """Keep networks until the standard input ends; write the threads that do as JSON."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = threading.Barrier(count + 1)
    threading.stack_size(_STACK_BYTES)

    def keep_one() -> None:
        if libc.unshare(_CLONE_NEWNET):
            os.write(2, f"network namespace: {os.strerror(ctypes.get_errno())}\n".encode())
            os._exit(1)
        made.wait()
        threading.Event().wait()

    threads = [threading.Thread(target=keep_one, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    made.wait()
    os.write(1, json.dumps([thread.native_id for thread in threads]).encode() + b"\n")
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    keep(int(sys.argv[1]))
