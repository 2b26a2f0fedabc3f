"""The model behind the embedded sample: real facts of Shanxi joined with synthetic detail."""
