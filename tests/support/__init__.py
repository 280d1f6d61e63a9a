"""What several kinds of tests share: builders, and stand-ins for the runtime around a real agent."""
