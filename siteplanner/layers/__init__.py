"""Files in, checked tables and handles out."""
