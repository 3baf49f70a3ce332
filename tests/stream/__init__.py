"""Tests of nearcast.stream."""
