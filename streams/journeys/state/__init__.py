"""The journey state: one module for each part of the fold over a profile's touchpoints."""
