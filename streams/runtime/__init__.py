"""What Faust needs to work at fetch granularity: consumer, ledger, publisher, state and the application."""
