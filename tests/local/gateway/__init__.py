"""Tests of the gateway, through boto3 against a process of its own."""
