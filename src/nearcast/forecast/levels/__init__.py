"""The classic method as its users know it: price levels in, the next level out, errors squared."""
