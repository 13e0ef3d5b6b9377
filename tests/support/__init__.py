"""What tests share: servers and listeners that are real."""
