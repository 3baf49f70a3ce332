"""The demonstration: the whole path of a price on one machine, ending with a report."""
