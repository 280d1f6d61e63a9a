"""What a touchpoint must be, and its JSON form."""
