"""Find combinations of attributes that explain failures."""
