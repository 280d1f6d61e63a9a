"""The worker: one Faust application with the stitch, identity and journey agents."""
