"""Dead letters: find them, look at one, put what is wrong right, and send them through again."""
