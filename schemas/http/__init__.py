"""What the HTTP services share: keys of which only hashes are stored, refusals, limits on a key."""
