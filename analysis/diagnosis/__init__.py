"""Find out why: change points, suspect changes, healthy peers and explanations."""
