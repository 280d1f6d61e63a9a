"""Reconciliation: brings owners, counting copies and the rows of profiles in line with all that was loaded."""
