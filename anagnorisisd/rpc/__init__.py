"""gRPC server and servicers; no other package of the daemon uses protobuf messages."""
