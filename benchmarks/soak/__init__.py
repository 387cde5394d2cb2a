"""Training runs that are killed again and again, held against runs that were left alone."""
