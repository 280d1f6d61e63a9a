"""A network of the suite's own, in which packets may be dropped without harm to anybody else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from shutil import which

from tests.faults.proxy import Proxy

#: Set in a process that runs in a network namespace of its own. (Touchline refuses unknown TOUCHLINE_ variables.)
OWN = "CLUSTER_OWN_NETWORK"
_UP_AND_RUN = 'ip link set lo up && exec "$@"'


def enter() -> None:
    """Replace this process by the same one in a network namespace of its own, if that is permitted."""
    needed = ("unshare", "ip", "iptables")
    if OWN in os.environ or not all(map(which, needed)):
        return
    inside = ["unshare", "--net", "sh", "-c"]
    if subprocess.run([*inside, "ip link set lo up && iptables -L -n"], capture_output=True).returncode:
        return
    again = [sys.executable, *sys.orig_argv[1:]]
    os.execvpe("unshare", [*inside, _UP_AND_RUN, "sh", *again], {**os.environ, OWN: "1"})


@contextmanager
def drop_packets(proxy: Proxy) -> Iterator[str]:
    """Let no packet pass between a proxy's port and its clients; gives the sentence that says how."""
    if OWN not in os.environ:
        proxy.stall()
        try:
            yield "no namespace is permitted: the proxy forwarded nothing"
        finally:
            proxy.cut()
            proxy.calm()
        return
    _filter("-A", proxy.port)
    try:
        yield "iptables dropped every packet"
    finally:
        _filter("-D", proxy.port)


def _filter(action: str, port: int) -> None:
    for chain, side in product(("INPUT",), ("--dport", "--sport")):
        subprocess.run(["iptables", action, chain, "-p", "tcp", side, str(port), "-j", "DROP"], check=True)
