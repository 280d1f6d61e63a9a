"""What the columns of another system's file are: mapping files, checked and applied to rows and to changes."""
