"""How each view is stored: its columns, which of two records holds, and the row that a message becomes."""
