"""The tests; their folders follow src/nearcast."""
