"""gRPC servicers; protobuf messages are translated here and go no further."""
