"""The roster library: takes visits, workers and travel times, gives a roster; it knows nothing of the rest of popback."""
