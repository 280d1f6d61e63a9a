"""A believable population and what it does, for demos, tests and measurements. No real person in it."""
