"""Topics, consumer lag and status of a running deployment."""
