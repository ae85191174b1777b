"""What moves a release: the driver of the state machine, its watch over two versions, and its proofs."""
