"""Become a ClickHouse server by way of libchdb.so: `python libchdb_server.py LIBRARY ARGUMENTS...`.

The library exports clickhouse-local's main function; with ports and a query that never ends it serves them.
The sandbox runs this file by its path: the process holds the engine and nothing else.
"""

import ctypes
import sys


def main() -> None:
    """Load the library and run it until the process is ended."""
    library, arguments = sys.argv[1], ["clickhouse", *sys.argv[2:]]
    engine = ctypes.CDLL(library)
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    argv = (ctypes.c_char_p * (len(arguments) + 1))(*(argument.encode() for argument in arguments), None)
    result = engine.chdb_query_cmdline(len(arguments), argv)
    engine.chdb_result_error.restype, engine.chdb_result_error.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    why = engine.chdb_result_error(result) if result else None
    sys.exit(f"the ClickHouse engine stopped{': ' + why.decode(errors='replace') if why else ''}")


if __name__ == "__main__":
    main()
