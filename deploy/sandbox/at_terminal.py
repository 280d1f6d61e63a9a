"""Runs a command whose input is a terminal at which nobody types: `python at_terminal.py COMMAND...`.

The sandbox's ClickHouse needs it. It is clickhouse-local, which means to serve its own user. Unless that user is at a
terminal, an exception that leaves the thread of a connection ends the process (KillingErrorHandler in its
LocalServer.cpp); ClickHouse's server goes on. A wrong password is such an exception. So are an unknown database in the
greeting, bytes that are no greeting, a client that is gone once it was greeted, and a cut while an answer is written.
"""

import os
import sys


def main() -> None:
    """Give this process a new terminal as its input, then become the command."""
    ours, theirs = os.openpty()
    os.dup2(theirs, 0)
    os.close(theirs)
    # a terminal hangs up when nobody holds its other end
    os.set_inheritable(ours, True)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (a list of arguments, no shell)


if __name__ == "__main__":
    main()
