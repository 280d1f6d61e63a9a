"""B2B accounts: the journeys of an account's members taken together."""
