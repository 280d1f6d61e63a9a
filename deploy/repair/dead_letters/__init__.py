"""Dead letters: list them, show one, correct the fault, and send them again."""
