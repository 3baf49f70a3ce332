"""Tests of nearcast.source."""
