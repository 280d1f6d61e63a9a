"""Files as numbered entries: lines, CSV rows and Parquet rows, each with its value or with what is wrong with it."""
