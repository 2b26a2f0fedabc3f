"""The method: pure steps, tables in and tables out."""
