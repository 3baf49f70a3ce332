"""What `nearcast bench` measures, each in a world of its own that is thrown away."""
