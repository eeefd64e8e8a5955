"""Files taken in: what, when, by whom, and what they changed."""
