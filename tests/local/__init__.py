"""Tests of nearcast.local."""
