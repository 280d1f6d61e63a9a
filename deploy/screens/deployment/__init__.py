"""How `touchline up` shows a deployment."""
