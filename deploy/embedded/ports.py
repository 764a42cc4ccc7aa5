"""Who holds a port of this machine, and whether somebody answers behind it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

from deploy.embedded.instance import HOST


def http_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own local address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that are only winding down do not count as somebody holding the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def holder_text(port: int) -> str:
    """Who holds a port, where the system tells us."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            parts = line.split()
            if parts[3] == "0A" and int(parts[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{parts[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if str(descriptor.readlink()) in inodes:
                pid = descriptor.parts[2]
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                return f" It is held by {name} (pid {pid})."
        except OSError:
            continue
    return ""
