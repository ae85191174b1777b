"""The whole life of a model on one machine, with real servers: started by ``make demo``."""
