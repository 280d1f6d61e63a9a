"""How large a deployment must be: `model` computes it from measured figures, `document` is docs/sizing.md."""
