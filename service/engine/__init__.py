"""Running a pack's graphs: on Triton, embedded or remote, or in this process."""
