"""B2B accounts: the sum of the members' journeys. `streams/journeys/memberships.py` decides who is a member."""
