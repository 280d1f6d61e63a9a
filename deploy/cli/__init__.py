"""The `touchline` command: one module a command, put together in main.py."""
