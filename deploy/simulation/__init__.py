"""A simulated population and its touchpoints, for demos, tests and measurements. It holds no real person's data."""
