"""The way in: gRPC methods, from messages to the service's own terms and back."""
