"""Faust at fetch granularity: consumer, offset tracker, publisher, state, transaction and the application."""
