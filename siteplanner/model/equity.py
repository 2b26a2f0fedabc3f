"""Who is far, and how unequally: Gini and Kolm-Pollak equally-distributed equivalent."""
