"""Work with many runs: sweeps, searches, comparisons, films, cards, and deployment to chips."""
