"""A thousand numbered datagrams a second, and which of them arrive: run by `ovs_lab.py` in hosts.

``udp_flow.py send ADDRESS`` prints how many it has sent once its standard input ends;
``udp_flow.py receive`` prints a line when it is ready, and the numbers that came once it ends.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

PORT, PER_S = 4242, 1000
NUMBER = struct.Struct("!I")


def send(address: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect((address, PORT))
        begin_s, number = time.monotonic(), 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            due_s = begin_s + number / PER_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            sender.send(NUMBER.pack(number))
            number += 1
    print(number)


def receive() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind(("", PORT))
        print(flush=True)
        came = []
        while receiver in (ready := select.select([receiver, sys.stdin], [], [])[0]):
            came.append(NUMBER.unpack(receiver.recv(NUMBER.size))[0])
        assert ready == [sys.stdin]
    print(json.dumps(came))


if __name__ == "__main__":
    send(sys.argv[2]) if sys.argv[1] == "send" else receive()
