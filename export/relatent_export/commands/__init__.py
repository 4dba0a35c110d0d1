"""The parts of `relatent-export` that have several flags: what they take, and what they say."""
