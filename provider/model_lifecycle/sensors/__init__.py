"""Tasks that wait for a version, an artifact or an endpoint without holding a worker."""
