"""The client: what a pipeline imports, re-exported by `relatent`."""
