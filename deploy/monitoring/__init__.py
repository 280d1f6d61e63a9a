"""What long-running commands tell operators: metrics and health over HTTP, pauses, warnings in their logs."""
