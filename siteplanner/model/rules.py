"""What a relocation may never do, as data: id, severity, clause; and the test after every step."""
