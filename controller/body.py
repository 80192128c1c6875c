"""The OpenFlow framework: os-ken, or Ryu, whose API it continues. Names below are both's.

Chosen by the environment variable SPANLAB_OPENFLOW: ``os-ken`` (the default) or ``ryu``.

Ryu 4.34 is of 2019, and beside its old setuptools (`pyproject.toml`) needs three things here:

- A name that eventlet has given up is put back before Ryu is imported.
- Its tasks are green threads on the hub of one native thread. Nothing is monkey patched, so that
  the control channel's threads go on as they are; hence every socket that a task waits for must be
  made a green one, and only once: a green socket that is collected closes the one below it.
- Another thread wakes a task up by a byte through a socket; a queue belongs to the hub's thread.
"""

from __future__ import annotations

import os
import socket
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from controller.errors import ControllerError

NAME = os.environ.get("SPANLAB_OPENFLOW", "os-ken")
PACKAGES = {"os-ken": "os_ken", "ryu": "ryu"}

if NAME not in PACKAGES:
    raise ControllerError(f"SPANLAB_OPENFLOW must be one of {', '.join(PACKAGES)}, not {NAME!r}")
if not find_spec(PACKAGES[NAME]):
    raise ControllerError(f"SPANLAB_OPENFLOW is {NAME}, which is not installed")
if NAME == "ryu":
    # Ryu's web server, which is not used, wants a name that eventlet has given up; and its DNS
    # client would look for name servers where there are none.
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
    wsgi: Any = import_module("eventlet.wsgi")
    if not hasattr(wsgi, "ALREADY_HANDLED"):
        wsgi.ALREADY_HANDLED = object()


def _module(name: str) -> Any:
    return import_module(f"{PACKAGES[NAME]}.{name}")


_manager = _module("base.app_manager")
AppManager: Any = _manager.AppManager
App: Any = getattr(_manager, "OSKenApp", None) or _manager.RyuApp
CONF: Any = _module("cfg").CONF
hub: Any = _module("lib.hub")
ofp_event: Any = _module("controller.ofp_event")
ofproto: Any = _module("ofproto.ofproto_v1_3")
Datapath: Any = _module("controller.controller").Datapath
EventBase: Any = _module("controller.event").EventBase
OFPHandler: Any = _module("controller.ofp_handler").OFPHandler
_handler = _module("controller.handler")
DEAD_DISPATCHER: Any = _handler.DEAD_DISPATCHER
MAIN_DISPATCHER: Any = _handler.MAIN_DISPATCHER
set_ev_cls: Any = _handler.set_ev_cls


def cooperative(connection: socket.socket) -> Any:
    """Return a socket that lets other tasks of the framework run while it waits."""
    if NAME == "ryu":
        return import_module("eventlet.greenio").GreenSocket(connection)
    return connection  # os-ken's tasks are threads
