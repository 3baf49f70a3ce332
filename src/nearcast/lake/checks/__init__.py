"""The data checks of the lake: what a table of daily bars must fulfil, and what is odd about it."""
