"""What the service of subscribers costs: look-ups at a rate beside a worker, and one event to many streams."""
