"""The flights that left New York in 2013: the example's data and model, apart from any scheduling."""
