"""What language systems learn from, and how."""
