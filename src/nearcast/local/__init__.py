"""What stands in for AWS and for servers on one machine. Only the command line imports it."""
