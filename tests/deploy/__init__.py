"""Tests of deploying to the local gateway and, with its address in AWS_ENDPOINT_URL, of deploying to AWS."""
