"""What the live page needs of the identity policy, the catalogue and the journey rules."""
