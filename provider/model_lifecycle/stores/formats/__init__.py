"""File formats that a model may come in, each parsed without being loaded (Law 11)."""
