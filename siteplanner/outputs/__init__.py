"""All that a reader sees: map, memo, workbook, data files."""
