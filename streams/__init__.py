"""The worker: one Faust application with the agents of stitch, identity, journeys and accounts. And the collector."""
