"""Makes the distribution of the SDK."""
