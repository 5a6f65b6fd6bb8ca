"""Read files into rows. Each module reads one file format."""
