"""Predictions: likely next touchpoints and the risk of an issue."""
