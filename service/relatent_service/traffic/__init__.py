"""Who may begin, and when: admission by time, and the calls under way."""
