"""Signals: what holds, what subscribers were told, and what is written ahead."""
