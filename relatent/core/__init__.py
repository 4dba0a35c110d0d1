"""What both halves and the client share: torch-free and grpc-free."""
