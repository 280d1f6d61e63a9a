"""What people see in a terminal: a person's journey, the demo, a deployment."""
