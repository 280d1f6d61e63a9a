"""B2B accounts: the combined journeys of an account's members."""
