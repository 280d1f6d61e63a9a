"""Each alert fired by breaking the thing: a deployment with a Prometheus beside it, and what breaks each part."""
