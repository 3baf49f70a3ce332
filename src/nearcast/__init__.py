"""Nearcast: a table of stock prices, turned into a live and honestly judged forecast."""

__version__ = "0.1.0"
