"""Results of inversions, kept so that each is done once."""
