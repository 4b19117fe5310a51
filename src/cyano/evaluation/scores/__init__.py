"""What predictions are worth under the truth, and the report of it."""
