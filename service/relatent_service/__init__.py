"""The online half: a torch-free gRPC service that inverts and edits through Triton.

An image's bytes walk one way, and the answer comes back the same stairs:

    rpc → images → inversion → refinement → models → engine

`editing`, `latents` and `stopping` are pure functions over arrays and numbers.
"""
