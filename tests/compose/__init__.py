"""Tests of compose.yaml, the Dockerfile and what is documented of them."""
